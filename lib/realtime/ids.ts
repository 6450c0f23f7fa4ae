import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const pool = new Uint8Array(4096)
let next = pool.length

/** Random base62 text; bytes that would make some letters likelier are skipped. */
function random (length: number): string {
  let text = ''
  while (text.length < length) {
    if (next === pool.length) {
      randomFillSync(pool)
      next = 0
    }
    const byte = pool[next++]!
    if (byte < 248) text += ALPHABET[byte % 62]
  }
  return text
}

/** Where it is not 21; an ephemeral key has to be hard to guess. */
const lengths: Record<string, number> = { call: 16, ek: 32 }

/** An id in the protocol's form (PROTOCOL section 12): a prefix, `_`, 21 base62 characters (16 for a call, 32 for a key). */
export function createId (prefix: 'event' | 'sess' | 'conv' | 'item' | 'resp' | 'call' | 'ek'): string {
  return `${prefix}_${random(lengths[prefix] ?? 21)}`
}

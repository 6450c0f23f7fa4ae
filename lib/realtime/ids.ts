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

/** An id in the protocol's form (PROTOCOL section 12): a prefix, `_`, 21 base62 characters (16 for a call). */
export function createId (prefix: 'event' | 'sess' | 'conv' | 'item' | 'resp' | 'call'): string {
  return `${prefix}_${random(prefix === 'call' ? 16 : 21)}`
}

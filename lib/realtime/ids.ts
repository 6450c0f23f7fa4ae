import { randomFillSync } from 'node:crypto'

const ALPHABET = Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
/** Random letters that no id has yet. */
const pool = Buffer.alloc(4096)
let next = 0
let end = 0

/** Makes letters of random bytes; those that would make some letters likelier are skipped. */
function fill (): void {
  randomFillSync(pool)
  end = next = 0
  for (const byte of pool) if (byte < 248) pool[end++] = ALPHABET[byte % 62]!
}

/** Random base62 text. */
function random (length: number): string {
  if (next + length > end) fill()
  next += length
  return pool.toString('latin1', next - length, next)
}

/** Where it is not 21; keys and tokens have to be hard to guess. */
const lengths: Record<string, number> = { call: 16, ek: 32, resume: 32 }

/** An id in the protocol's form (PROTOCOL section 12): a prefix, `_`, 21 base62 characters (16 for a call, 32 for a key or a token). */
export function createId (prefix: 'event' | 'sess' | 'conv' | 'item' | 'resp' | 'call' | 'ek' | 'resume'): string {
  return `${prefix}_${random(lengths[prefix] ?? 21)}`
}

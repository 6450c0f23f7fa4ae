import { createHash, timingSafeEqual } from 'node:crypto'

const SUBPROTOCOL = 'openai-insecure-api-key.'

/** The key a client shows: the `Authorization` header, or a browser's subprotocol (PROTOCOL section 2.1). */
export function presentedKey (headers: Record<string, string | string[] | undefined>): string | null {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(String(headers.authorization ?? ''))
  if (bearer !== null) return bearer[1]!
  const offered = String(headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
  return offered.find(name => name.startsWith(SUBPROTOCOL))?.slice(SUBPROTOCOL.length) ?? null
}

/** Tells known keys from others in a time that says nothing about them. */
export function createKeyCheck (keys: readonly string[]): (key: string | null) => boolean {
  const known = keys.map(digest)
  return key => {
    if (known.length === 0) return true
    if (key === null) return false
    const given = digest(key)
    // Every key is compared, whichever one fits.
    return known.reduce((found, one) => timingSafeEqual(one, given) || found, false)
  }
}

function digest (key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

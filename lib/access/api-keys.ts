import { createHash } from 'node:crypto'

const SUBPROTOCOL = 'openai-insecure-api-key.'
/** Of the query, where keys may stand in it. */
export const QUERY_KEY = 'api_key'

/** The key a client shows: the `Authorization` header, or a browser's subprotocol (PROTOCOL section 2.1). */
export function presentedKey (headers: Record<string, string | string[] | undefined>): string | null {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(String(headers.authorization ?? ''))
  if (bearer !== null) return bearer[1]!
  const offered = String(headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())
  return offered.find(name => name.startsWith(SUBPROTOCOL))?.slice(SUBPROTOCOL.length) ?? null
}

/** What is kept and compared in place of a key. */
export function digest (key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** A URL as it may be logged: without the value of any key or token in its query. */
export function withoutKeys (url: string): string {
  return url.replace(/([?&](?:api[-_]?key|key|token|access_token|ek|resume)=)[^&#]*/gi, '$1[redacted]')
}

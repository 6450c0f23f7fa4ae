const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Whether a browser page may connect. Programs that are no browser send no origin.
 *
 * @param allowed origins such as `https://example.com`; default: the server's own, and localhost on any port
 */
export function isOriginAllowed (origin: string | undefined, host: string | undefined, allowed: readonly string[] | undefined): boolean {
  if (origin === undefined) return true
  if (allowed !== undefined) return allowed.includes('*') || allowed.includes(origin)
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.host === host || LOCAL.has(url.hostname)
}

const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i
const LOOPBACK_ADDRESS = /^(::1|(::ffff:)?127(\.\d{1,3}){3})$/

/**
 * Whether a request names this server by a name it may have. A page whose own name is made to lead to
 * 127.0.0.1 (DNS rebinding) reaches a server that lets everybody in as if it were of its own origin: all
 * that tells is the Host header, which is still the page's.
 *
 * @param address that the connection came in at
 * @param allowed names without port; default: on a loopback address its own names, elsewhere any
 */
export function isHostAllowed (host: string | undefined, address: string | undefined, allowed: readonly string[] | undefined): boolean {
  if (allowed === undefined && !LOOPBACK_ADDRESS.test(address ?? '')) return true
  const name = (host ?? '').replace(/:\d+$/, '')
  if (allowed === undefined) return LOOPBACK_NAME.test(name)
  return allowed.includes('*') || allowed.some(one => one.toLowerCase() === name.toLowerCase())
}

/**
 * A promise that character code rejects and nobody awaits would end the process. A library claims
 * those that come from its casts; all others are left to whoever handles them, and to
 * Node's default, which is to end the process, if that is nobody.
 */

/**
 * Whether the rejection is one of its own, and if so, dealt with.
 * @param entered whether code called through {@link Rejections.enter} ran in this turn of the event loop
 */
export type Claim = (reason: unknown, entered: boolean) => boolean

export interface Rejections {
  /** Calls code of a cast: what it rejects at once can be told from everybody else's, even without a stack. */
  enter<T> (call: () => T): T
  /** No longer claims anything. */
  release (): void
}

const claims = new Set<Claim>()
/**
 * Whose code has run in this turn of the event loop. To follow a promise through later turns would take
 * async hooks, which make every promise of the process a quarter dearer.
 */
const entered = new Set<Claim>()

function onRejection (reason: unknown): void {
  for (const claim of claims) if (claim(reason, entered.has(claim))) return
  if (process.listenerCount('unhandledRejection') > 1) return
  // Rejected once more with nobody listening, it meets what it would have met without us
  process.off('unhandledRejection', onRejection)
  Promise.reject(reason)
  setImmediate(() => { if (claims.size > 0) listen() })
}

function listen (): void {
  process.off('unhandledRejection', onRejection)
  process.on('unhandledRejection', onRejection)
}

export function claimRejections (claim: Claim): Rejections {
  claims.add(claim)
  listen()
  return {
    enter (call) {
      if (entered.size === 0) setImmediate(() => entered.clear())
      entered.add(claim)
      return call()
    },
    release () {
      claims.delete(claim)
      if (claims.size === 0) process.off('unhandledRejection', onRejection)
    }
  }
}

/**
 * What character code rejects or throws where nobody waits for it (a forgotten promise, a listener of a
 * signal, a microtask) would end the process. A library claims what comes from its casts; all else is left
 * to whoever handles it, and to Node's default, which is to end the process, if that is nobody.
 */

/**
 * Whether it is one of its own, and if so, dealt with.
 * @param entered whether code called through {@link Crashes.enter} ran in this turn of the event loop, or
 * it was given to such code by {@link owned}
 */
export type Claim = (reason: unknown, how: 'rejected' | 'thrown', entered: boolean) => boolean

export interface Crashes {
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

/** What promises were rejected with that were made for code of a cast. */
const reasons = new WeakSet<object>()

/** A promise that Node makes for code of a cast: when it is rejected, its error has a stack without that code, or none. */
export function owned<T> (promise: Promise<T>): Promise<T> {
  return promise.catch((reason: unknown) => {
    if (typeof reason === 'object' && reason !== null) reasons.add(reason)
    throw reason
  })
}

const claimed = new WeakSet<Promise<unknown>>()

/** Whether a rejected promise was a cast's, and told. Node calls every handler of `unhandledRejection`: one that has its own to tell asks here. */
export function isClaimed (promise: Promise<unknown>): boolean {
  return claimed.has(promise)
}

function onRejection (reason: unknown, promise: Promise<unknown>): void {
  const own = typeof reason === 'object' && reason !== null && reasons.has(reason)
  for (const claim of claims) {
    if (!claim(reason, 'rejected', own || entered.has(claim))) continue
    claimed.add(promise)
    return
  }
  if (process.listenerCount('unhandledRejection') > 1) return
  // Rejected once more with nobody listening, it meets what it would have met without us
  process.off('unhandledRejection', onRejection)
  Promise.reject(reason)
  setImmediate(() => { if (claims.size > 0) listen() })
}

/**
 * Sees an exception before anybody else, and whatever is not ours goes its way as if we had not. What is
 * ours must not reach handlers of `uncaughtException`, which end servers: only the capture callback keeps
 * it from them, and that is set for this one exception. If somebody has set his own, it is his.
 */
function onException (error: unknown): void {
  if (process.hasUncaughtExceptionCaptureCallback()) return
  for (const claim of claims) {
    // An error knows where it was thrown; anything else is whose code has just run
    if (!claim(error, 'thrown', !(error instanceof Error) && entered.has(claim))) continue
    try {
      process.setUncaughtExceptionCaptureCallback(() => process.setUncaughtExceptionCaptureCallback(null))
    } catch {} // The deprecated `domain` module forbids it: then the exception ends the process, but was told
    return
  }
}

function listen (): void {
  unlisten()
  process.prependListener('unhandledRejection', onRejection)
  process.prependListener('uncaughtExceptionMonitor', onException)
}

function unlisten (): void {
  process.off('unhandledRejection', onRejection)
  process.off('uncaughtExceptionMonitor', onException)
}

export function claimCrashes (claim: Claim): Crashes {
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
      if (claims.size === 0) unlisten()
    }
  }
}

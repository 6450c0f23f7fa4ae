/**
 * A promise that character code rejects and nobody awaits would end the process. A library claims
 * those that come from its casts; all others are left to whoever handles them, and to
 * Node's default, which is to end the process, if that is nobody.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Whether the rejection is one of its own, and if so, dealt with.
 * @param entered whether the promise belongs to what was called through {@link Rejections.enter}
 */
export type Claim = (reason: unknown, entered: boolean) => boolean

export interface Rejections {
  /** Calls code of a cast: what it begins now and later, and rejects, can be told from everybody else's. */
  enter<T> (call: () => T): T
  /** No longer claims anything. */
  release (): void
}

const claims = new Set<Claim>()
/** Whose code runs. It holds no session: sockets of a shared pool may keep it for long. */
const owner = new AsyncLocalStorage<Claim>()

function onRejection (reason: unknown): void {
  const entered = owner.getStore()
  for (const claim of claims) if (claim(reason, claim === entered)) return
  if (process.listenerCount('unhandledRejection') > 1) return
  // Rejected once more with nobody listening, it meets what it would have met without us
  process.off('unhandledRejection', onRejection)
  owner.exit(() => { Promise.reject(reason) })
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
    enter: call => owner.run(claim, call),
    release () {
      claims.delete(claim)
      if (claims.size === 0) process.off('unhandledRejection', onRejection)
    }
  }
}

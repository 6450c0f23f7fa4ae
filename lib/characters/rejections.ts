/**
 * A promise that character code rejects and nobody awaits would end the process. A library claims
 * those that come from its casts; all others are left to whoever handles them, and to
 * Node's default, which is to end the process, if that is nobody.
 */

/** Whether the rejection is one of its own, and if so, dealt with. */
export type Claim = (reason: unknown) => boolean

const claims = new Set<Claim>()

function onRejection (reason: unknown): void {
  for (const claim of claims) if (claim(reason)) return
  if (process.listenerCount('unhandledRejection') === 1) throw reason
}

/** @returns how to stop */
export function claimRejections (claim: Claim): () => void {
  if (claims.size === 0) process.on('unhandledRejection', onRejection)
  claims.add(claim)
  return () => {
    claims.delete(claim)
    if (claims.size === 0) process.off('unhandledRejection', onRejection)
  }
}

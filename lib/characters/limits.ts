/** What character code may take. Milliseconds, unless they say otherwise. */
export interface CharacterLimits {
  /** How long the top level of one file may hold the event loop. Default 500. */
  loadMs: number
  /** How long the top-level awaits of one file may take. Default 5,000. */
  asyncLoadMs: number
  /** How long prompt, tool, timer and dispose code may hold the event loop at a time. Default 500. */
  syncMs: number
  /** How long a system prompt may take. Default 5,000. */
  promptMs: number
  /** How long a tool may take. Default 30,000. */
  toolMs: number
  /** How long all `dispose()` of a cast may take together. Default 1,000. */
  disposeMs: number
  /** How long a replaced cast waits for calls that ignore their signal, before it is purged all the same. Default 2,000. */
  settleMs: number
  /** How long the event loop may be held until the watchdog thread looks who does it. Default 200. */
  stallMs: number
  /** Bound of the sources and of the compiled code that are kept, in characters each. Default 64 Mi. */
  cacheBytes: number
  /** How many versions of a cast are kept, to be brought back. Default 5. */
  versions: number
  /** Characters that a session may have. Default 1,000. */
  characters: number
  /** Bytes of a cast: of the sources of its modules and all they import, and of the JSON of its cards. Default 64 Mi. */
  castBytes: number
  /** How long loading a cast may take, with all it waits for. Default 30,000. */
  castMs: number
  /** Characters that a client may bring in one event. Default 64. */
  inlineCharacters: number
  /** Bytes of them, as JSON. Default 1 Mi. */
  inlineBytes: number
}

export const defaultLimits: Readonly<CharacterLimits> = Object.freeze({
  loadMs: 500,
  asyncLoadMs: 5_000,
  syncMs: 500,
  promptMs: 5_000,
  toolMs: 30_000,
  disposeMs: 1_000,
  settleMs: 2_000,
  stallMs: 200,
  cacheBytes: 64 * 1024 * 1024,
  versions: 5,
  characters: 1000,
  castBytes: 64 * 1024 * 1024,
  castMs: 30_000,
  inlineCharacters: 64,
  inlineBytes: 1024 * 1024
})

/** What a key may be given less or more of than the server gives everybody. */
export type Quotas = Pick<CharacterLimits, 'characters' | 'castBytes' | 'castMs' | 'inlineCharacters' | 'inlineBytes'>

/** Fills in the defaults; throws for what is no positive number. */
export function readLimits (given: Partial<CharacterLimits> = {}): CharacterLimits {
  const limits = { ...defaultLimits }
  for (const key of Object.keys(defaultLimits) as (keyof CharacterLimits)[]) {
    const value = given[key] ?? defaultLimits[key]
    if (typeof value !== 'number' || !(value > 0) || value > 2 ** 31 - 1) throw new RangeError(`characters.limits.${key} must be a positive number, not ${String(value)}.`)
    limits[key] = Math.ceil(value)
  }
  return limits
}

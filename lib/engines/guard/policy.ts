/** How an engine is guarded. What is not said is {@link defaultPolicies}. */
export interface Policy {
  /** Milliseconds that the first result of a stream may take, from when it is owed. */
  firstResultTimeoutMs: number
  /** Milliseconds between two results that are owed. */
  stallTimeoutMs: number
  /** How often a stream is opened again that failed before its first result. */
  retries: number
  /** Streams that fail one after another, with none between that ends well, until the circuit opens; 0: it never does. */
  breakerFaults: number
  /** Seconds that such a row of failures lasts at least, and that the engine is then left alone. */
  breakerSeconds: number
}

export type Stage = 'vad' | 'stt' | 'llm' | 'tts'

const common = { firstResultTimeoutMs: 30_000, stallTimeoutMs: 15_000, breakerFaults: 5, breakerSeconds: 5, retries: 0 }

/** A model may have to be loaded before its first word; voice detection answers within milliseconds, or never. */
export const defaultPolicies: Readonly<Record<Stage, Policy>> = {
  vad: { ...common, firstResultTimeoutMs: 10_000, stallTimeoutMs: 5000, breakerFaults: 0 },
  stt: common,
  llm: { ...common, firstResultTimeoutMs: 60_000 },
  tts: common
}

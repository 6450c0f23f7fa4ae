import type { LoadReport } from '../characters/registry.js'

/** What a reload came to, or the code of what it was refused with. */
export type ReloadOutcome = LoadReport | { code: string }

/** What a session reports as it happens, for metrics and the log. Called on hot paths: cheap, and never throws. */
export interface SessionObserver {
  /** Seconds a stage of a turn took: `stt_final` and `first_audio` count from the end of speech, the others from their own request. */
  stage? (stage: 'stt_final' | 'llm_first_token' | 'tts_first_audio' | 'first_audio', seconds: number): void
  response? (status: 'completed' | 'cancelled' | 'incomplete' | 'failed'): void
  interruption? (): void
  toolCall? (outcome: 'ok' | 'error'): void
  /** An error that the client was told. */
  error? (code: string): void
  reload? (outcome: ReloadOutcome): void
  bytes? (direction: 'in' | 'out', bytes: number): void
  /** A fault that the operator should know of. */
  fault? (message: string, error: unknown): void
}

/** One observer that tells several. Those that tell the same are called in turn; what only one does stays its own function. */
export function joinObservers (...observers: readonly SessionObserver[]): SessionObserver {
  const joined: Record<string, (...given: never[]) => void> = {}
  for (const observer of observers) {
    for (const [name, tell] of Object.entries(observer) as [string, (...given: never[]) => void][]) {
      const before = joined[name]
      joined[name] = before === undefined
        ? tell
        : (...given) => {
            before(...given)
            tell(...given)
          }
    }
  }
  return joined
}

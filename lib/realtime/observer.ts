import type { LoadReport } from '../characters/registry.js'

/** What a reload came to, or the code of what it was refused with. */
export type ReloadOutcome = LoadReport | { code: string }

/** What a session reports as it happens, for metrics and the log. Called on hot paths: cheap, and never throws. */
export interface SessionObserver {
  /** Seconds a stage of a turn took: `stt_final` and `first_audio` count from the end of speech, the others from their own request. */
  stage? (stage: 'stt_final' | 'llm_first_token' | 'tts_first_audio' | 'first_audio', seconds: number): void
  /** A response begins; `voiced` if it answers what was spoken. All that is done for it has its signal. */
  answering? (response: { id: string, signal: AbortSignal, character: string | null, voiced: boolean }): void
  response? (status: 'completed' | 'cancelled' | 'incomplete' | 'failed', id: string): void
  interruption? (): void
  /** @param call `startedAt` in milliseconds of `performance.now()` */
  toolCall? (outcome: 'ok' | 'error', call: { name: string, signal: AbortSignal, startedAt: number }): void
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

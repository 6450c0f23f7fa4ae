/** What a session reports as it happens, for metrics and the log. Called on hot paths: cheap, and never throws. */
export interface SessionObserver {
  /** Seconds a stage of a turn took: `stt_final` and `first_audio` count from the end of speech, the others from their own request. */
  stage? (stage: 'stt_final' | 'llm_first_token' | 'tts_first_audio' | 'first_audio', seconds: number): void
  response? (status: 'completed' | 'cancelled' | 'incomplete' | 'failed'): void
  interruption? (): void
  toolCall? (outcome: 'ok' | 'error'): void
  /** An error that the client was told. */
  error? (code: string): void
  bytes? (direction: 'in' | 'out', bytes: number): void
  /** A fault that the operator should know of. */
  fault? (message: string, error: unknown): void
}

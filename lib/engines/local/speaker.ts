/** One piece of speech at the rate it was made in. */
export interface Speech {
  samples: Int16Array
  /** Hz; may be any, as a changed rate changes the voice. */
  rate: number
}

/** What turns words into sound inside the worker. */
export interface Speaker {
  readonly voices: readonly string[]
  /** Prepares the next {@link speak} so that it starts faster; called when speech is about to be asked for. */
  prepare? (): void
  /** @param speed 1 is normal, 2 twice as fast */
  speak (text: string, voice: string, speed: number): Promise<Speech>
}

/**
 * Waits for a user who says nothing after an answer (PROTOCOL section 7.6): first until the answer has
 * been played, as far as can be told from here, then for as long as the client asked.
 */
export class IdleWatch {
  readonly #position: () => number
  readonly #onIdle: (startMs: number, endMs: number) => void
  #timer: NodeJS.Timeout | null = null

  /**
   * @param position the end of the audio so far on the session's timeline, in milliseconds
   * @param onIdle called with the stretch in which nobody spoke
   */
  constructor (position: () => number, onIdle: (startMs: number, endMs: number) => void) {
    this.#position = position
    this.#onIdle = onIdle
  }

  /**
   * Begins to wait, instead of what was waited for before.
   *
   * @param playoutMs how long the answer's sound still lasts
   * @param timeoutMs how long the user may say nothing after it
   */
  arm (playoutMs: number, timeoutMs: number): void {
    this.#wait(playoutMs, () => {
      const start = this.#position()
      this.#wait(timeoutMs, () => {
        this.#timer = null
        this.#onIdle(start, this.#position())
      })
    })
  }

  disarm (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #wait (ms: number, then: () => void): void {
    this.disarm()
    this.#timer = setTimeout(then, ms).unref()
  }
}

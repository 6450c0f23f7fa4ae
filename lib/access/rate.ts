/** Lets so many things through a minute, and as many at once after a quiet one. */
export class Rate {
  readonly #now: () => number
  #perMinute: number
  #tokens: number
  #countedAt: number

  /** @param now milliseconds, never going back */
  constructor (perMinute: number, now: () => number = () => performance.now()) {
    this.#now = now
    this.#perMinute = perMinute
    this.#tokens = perMinute
    this.#countedAt = now()
  }

  /** Counts one; returns 0 if it may pass, else the seconds after which the next may. */
  take (perMinute: number = this.#perMinute): number {
    const now = this.#now()
    this.#perMinute = perMinute
    this.#tokens = Math.min(perMinute, this.#tokens + (now - this.#countedAt) * perMinute / 60_000)
    this.#countedAt = now
    if (this.#tokens >= 1) {
      this.#tokens--
      return 0
    }
    return Math.ceil((1 - this.#tokens) * 60 / perMinute)
  }
}

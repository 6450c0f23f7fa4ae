export interface LifetimeOptions {
  /** A session's length. */
  sessionSeconds: number
  /** Time without a client event after which it ends; 0 is never. */
  idleSeconds: number
  /** Whether the client is not read at the moment: then it cannot say anything. */
  isPaused: () => boolean
  /** Called once, unless {@link Lifetime.end} comes first. */
  onExpired: () => void
  onIdle: () => void
}

/** How long a session may last: as a whole, and without a word of its client. Keeps no process alive. */
export class Lifetime {
  /** Unix seconds. */
  readonly expiresAt: number
  readonly #options: LifetimeOptions
  readonly #expiry: NodeJS.Timeout
  readonly #idleMs: number
  #idle: NodeJS.Timeout | undefined
  /** On the clock of `performance`. */
  #touchedAt = 0

  constructor (options: LifetimeOptions) {
    const { sessionSeconds, idleSeconds, onExpired } = options
    this.#options = options
    this.#idleMs = idleSeconds * 1000
    this.expiresAt = Math.floor(Date.now() / 1000) + sessionSeconds
    this.#expiry = setTimeout(onExpired, sessionSeconds * 1000).unref()
    this.touch()
    if (idleSeconds > 0) this.#waitIdle(this.#idleMs)
  }

  /** The client has said something. Called for every frame: only notes the time, as a timer moved for each costs more than its event. */
  touch (): void {
    this.#touchedAt = performance.now()
  }

  #waitIdle (ms: number): void {
    this.#idle = setTimeout(() => {
      if (this.#options.isPaused()) this.touch()
      const left = this.#idleMs - (performance.now() - this.#touchedAt)
      if (left > 0) this.#waitIdle(Math.ceil(left))
      else this.#options.onIdle()
    }, ms).unref()
  }

  /** Nothing is called any more. Idempotent. */
  end (): void {
    clearTimeout(this.#expiry)
    clearTimeout(this.#idle)
  }
}

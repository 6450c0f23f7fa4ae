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
  #idle: NodeJS.Timeout | null = null

  constructor (options: LifetimeOptions) {
    const { sessionSeconds, onExpired } = options
    this.#options = options
    this.expiresAt = Math.floor(Date.now() / 1000) + sessionSeconds
    this.#expiry = setTimeout(onExpired, sessionSeconds * 1000).unref()
    this.touch()
  }

  /** The client has said something. */
  touch (): void {
    const { idleSeconds, isPaused, onIdle } = this.#options
    if (idleSeconds === 0) return
    this.#idle ??= setTimeout(() => {
      if (isPaused()) this.touch()
      else onIdle()
    }, idleSeconds * 1000).unref()
    this.#idle.refresh()
  }

  /** Nothing is called any more. Idempotent. */
  end (): void {
    clearTimeout(this.#expiry)
    if (this.#idle !== null) clearTimeout(this.#idle)
  }
}

import type { SessionSocket } from './outbox.js'

/** A frame counts once, and once more for each so many bytes: reading it costs that much more. */
const BYTES_SHIFT = 12
/** Seconds' worth of events that may come at once, after a time with fewer. */
const BURST_SECONDS = 2
/** How often a client is told that it is being slowed down. Milliseconds. */
const TELL_MS = 1000

/**
 * Bounds how fast one client's events are read. Over the rate its socket is not read for a while, nor while
 * what it sent before still waits, so that nothing is lost and only the client itself waits. Nothing is
 * heard from a client meanwhile, not even that it is gone: whoever holds it has to let it go again.
 */
export class Throttle {
  readonly #socket: SessionSocket
  readonly #rate: number
  readonly #onSlowed: () => void
  #tokens: number
  #countedAt = performance.now()
  #toldAt = -Infinity
  #timer: NodeJS.Timeout | null = null
  #held = false
  #stopped = false

  /**
   * @param rate events a second; an event of 4 KiB counts as two, of 8 KiB as three
   * @param onSlowed called when reading pauses, at most once a second
   */
  constructor (socket: SessionSocket, rate: number, onSlowed: () => void) {
    this.#socket = socket
    this.#rate = rate
    this.#onSlowed = onSlowed
    this.#tokens = rate * BURST_SECONDS
  }

  /** Counts a frame of so many bytes. Reads the clock only when the count runs out. */
  count (bytes: number): void {
    this.#tokens -= 1 + (bytes >>> BYTES_SHIFT)
    if (this.#tokens < 0 && this.#timer === null && !this.#stopped) this.#settle()
  }

  /** Whether the socket is not read at the moment. */
  get paused (): boolean {
    return this.#held || this.#timer !== null
  }

  /** Reads nothing until {@link Throttle.release}. Idempotent. */
  hold (): void {
    if (this.#held || this.#stopped) return
    this.#held = true
    this.#socket.pause()
  }

  /** Reads on, unless the rate forbids it. Idempotent. */
  release (): void {
    if (!this.#held) return
    this.#held = false
    if (!this.paused) this.#socket.resume()
  }

  /** The session is over: what the client still says, such as its close frame, is read. */
  stop (): void {
    this.#stopped = true
    if (!this.paused) return
    this.#held = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#socket.resume()
  }

  #settle (): void {
    const now = performance.now()
    this.#tokens = Math.min(this.#tokens + (now - this.#countedAt) / 1000 * this.#rate, this.#rate * BURST_SECONDS)
    this.#countedAt = now
    if (this.#tokens >= 0) return
    this.#socket.pause()
    // A little more than what is missing, or it would pause at every event from now on.
    const ms = Math.ceil((-this.#tokens / this.#rate + 0.05) * 1000)
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (!this.#held) this.#socket.resume()
    }, ms).unref()
    if (now - this.#toldAt < TELL_MS) return
    this.#toldAt = now
    this.#onSlowed()
  }
}

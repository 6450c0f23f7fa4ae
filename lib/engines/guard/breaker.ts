/** `open`: nothing is asked; `half_open`: one stream tries whether it works again. */
export type CircuitState = 'closed' | 'open' | 'half_open'

export interface BreakerOptions {
  /** Failures in a row that open it; 0: it never opens. */
  faults: number
  /** Milliseconds that the row lasts at least, and that the circuit then stays open. */
  restMs: number
  onChange?: ((state: CircuitState) => void) | undefined
}

/**
 * Spares an engine that is down, and those who wait for it. It opens after a row of failures that has
 * also lasted a while: a handful of sessions that fail in the same moment say less than an outage.
 */
export class Breaker {
  readonly #options: BreakerOptions
  #state: CircuitState = 'closed'
  #row = 0
  #rowSince = 0
  #openedAt = 0
  #trying = false
  #lastFault: unknown

  constructor (options: BreakerOptions) {
    this.#options = options
  }

  get state (): CircuitState {
    return this.#state
  }

  get lastFault (): unknown {
    return this.#lastFault
  }

  /** Whether a stream may be opened now; it then has to end with one of the next three. */
  enter (): boolean {
    if (this.#state === 'closed') return true
    if (this.#trying || performance.now() - this.#openedAt < this.#options.restMs) return false
    this.#trying = true
    this.#become('half_open')
    return true
  }

  /** The engine works, as far as one can tell: a trial's first result, or the end of a stream. */
  succeeded (): void {
    this.#row = 0
    this.#trying = false
    this.#become('closed')
  }

  failed (error: unknown): void {
    const now = performance.now()
    const { faults, restMs } = this.#options
    this.#lastFault = error
    if (this.#row++ === 0) this.#rowSince = now
    const lasts = this.#row >= faults && now - this.#rowSince >= restMs
    if (faults === 0 || (this.#state === 'closed' && !lasts)) return
    // A straggler of the time before says nothing about the trial, and does not prolong the rest.
    if (this.#state === 'open') return
    this.#trying = false
    this.#openedAt = now
    this.#become('open')
  }

  /** The stream ended before it said anything about the engine. */
  abandoned (): void {
    this.#trying = false
  }

  #become (state: CircuitState): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.onChange?.(state)
  }
}

import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'

/** How often the load is looked at, and how finely the event loop's delay is measured. Milliseconds. */
const LOOK_MS = 500
const RESOLUTION_MS = 10
/** How many looks in a row have to agree: refusing begins after 2 s of load, and ends after 3 s of half of it. */
const LOOKS_UNTIL_REFUSED = 4
const LOOKS_UNTIL_TAKEN = 6

export interface OverloadLimits {
  /** Milliseconds that a tenth of the event loop's turns may be late; 0: they may always. */
  eventLoopLagMs: number
  /** Milliseconds that an engine of this machine may be behind; 0: it may always. */
  engineLagMs: number
}

/**
 * Whether the machine keeps up with the sessions it has. While it does not, new ones are refused, so that
 * those under way do not stutter. One late moment refuses nobody, and one good one lets nobody in.
 */
export class Overload {
  readonly #limits: OverloadLimits
  readonly #engineLag: () => number
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #timer: NodeJS.Timeout | undefined
  #refusing = false
  #looks = 0

  /** @param engineLag how far the engine that is furthest behind is, in milliseconds */
  constructor (limits: OverloadLimits, engineLag: () => number) {
    this.#limits = limits
    this.#engineLag = engineLag
  }

  get refusing (): boolean {
    return this.#refusing
  }

  start (): void {
    this.#histogram.enable()
    this.#timer = setInterval(() => this.#measure(), LOOK_MS).unref()
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#histogram.disable()
  }

  /** Takes one look: the lags now, in milliseconds. */
  look (eventLoopMs: number, engineMs: number): void {
    const { eventLoopLagMs, engineLagMs } = this.#limits
    // What share of its limit each takes up: half of it, and the machine has room again.
    const load = Math.max(shareOf(eventLoopMs, eventLoopLagMs), shareOf(engineMs, engineLagMs))
    const turns = this.#refusing ? load < 0.5 : load > 1
    this.#looks = turns ? this.#looks + 1 : 0
    if (this.#looks < (this.#refusing ? LOOKS_UNTIL_TAKEN : LOOKS_UNTIL_REFUSED)) return
    this.#refusing = !this.#refusing
    this.#looks = 0
  }

  #measure (): void {
    const eventLoopMs = Math.max(0, this.#histogram.percentile(90) / 1e6 - RESOLUTION_MS)
    this.#histogram.reset()
    this.look(eventLoopMs, this.#engineLag())
  }
}

function shareOf (ms: number, limit: number): number {
  return limit === 0 ? 0 : ms / limit
}

import type { Stage } from './policy.js'

/** How often deadlines are looked at. Milliseconds. */
const TICK_MS = 100

/** A stream of an engine, as seen from outside. */
export interface Paced {
  readonly stage: Stage
  /** Ends the stream if it is overdue. */
  look (now: number): void
  /** How far it is behind, in milliseconds; undefined if nothing is owed. */
  lag (now: number): number | undefined
}

/**
 * All streams under way, looked at ten times a second while there are any: one timer for all of them,
 * where each token of an answer would else need its own.
 */
export class Pace {
  readonly #streams = new Set<Paced>()
  #timer: NodeJS.Timeout | undefined

  get size (): number {
    return this.#streams.size
  }

  add (stream: Paced): void {
    this.#streams.add(stream)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
  }

  delete (stream: Paced): void {
    this.#streams.delete(stream)
    if (this.#streams.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** How far the middle one of the stage's streams that are owed something is behind. Milliseconds. */
  lag (stage: Stage): number {
    const now = performance.now()
    const lags: number[] = []
    for (const stream of this.#streams) {
      const lag = stream.stage === stage ? stream.lag(now) : undefined
      if (lag !== undefined) lags.push(lag)
    }
    lags.sort((a, b) => a - b)
    // One client that sends a whole recording at once is behind alone.
    return lags[Math.floor((lags.length - 1) / 2)] ?? 0
  }

  #tick (): void {
    const now = performance.now()
    for (const stream of this.#streams) stream.look(now)
  }
}

/** Text of a piece of 16 kHz audio. */
export type Recognize = (audio: Float32Array) => Promise<string>

/** Share of the time in which something is decoded above which nobody decodes for convenience. */
const SPARE = 0.15
/** How far back that looks. Milliseconds. */
const WINDOW_MS = 3000

interface Job {
  audio: Float32Array
  signal: AbortSignal | undefined
  resolve: (text: string) => void
  reject: (error: unknown) => void
}

/** A decode that was asked for. */
export interface Decode {
  /** Rejects with the signal's reason when it aborts before the decode has begun; native code cannot be stopped. */
  readonly text: Promise<string>
  /** Somebody waits for it from now on. */
  hurry (): void
}

/**
 * Lets a few decodes run at a time, as more would only slow each other down. Somebody waits for
 * those that are `final`: they have a lane more than the `early` ones, which run when no final one waits.
 */
export class DecodeQueue {
  readonly #recognize: Recognize
  readonly #concurrency: number
  #final: Job[] = []
  #early: Job[] = []
  #running = 0
  /** Milliseconds of decoding in the window that ended at `#countedAt`; what is older fades. */
  #worked = 0
  #countedAt = performance.now()
  #closed: { resolve: () => void } | undefined

  constructor (recognize: Recognize, concurrency: number) {
    this.#recognize = recognize
    this.#concurrency = concurrency
  }

  /** Whether there is time for a decode that nobody waits for and that may come to nothing. */
  get spare (): boolean {
    this.#count()
    return this.#running === 0 && this.#worked < SPARE * WINDOW_MS * this.#concurrency
  }

  decode (audio: Float32Array, kind: 'final' | 'early', signal?: AbortSignal): Decode {
    let job!: Job
    const text = new Promise<string>((resolve, reject) => { job = { audio, signal, resolve, reject } })
    const waiting = kind === 'final' ? this.#final : this.#early
    waiting.push(job)
    this.#next()
    return {
      text,
      hurry: () => {
        const place = this.#early.indexOf(job)
        if (place === -1) return
        this.#early.splice(place, 1)
        this.#final.push(job)
        this.#next()
      }
    }
  }

  /** Decodes that run or wait. */
  get size (): number {
    return this.#running + this.#final.length + this.#early.length
  }

  /** Resolves when nothing runs any more; what waits is dropped. */
  async close (): Promise<void> {
    this.#final = []
    this.#early = []
    if (this.#running > 0) await new Promise<void>((resolve) => { this.#closed = { resolve } })
  }

  #next (): void {
    for (let job = this.#take(); job !== undefined; job = this.#take()) {
      const { audio, signal, resolve, reject } = job
      if (signal?.aborted) {
        reject(signal.reason)
        continue
      }
      this.#count()
      this.#running++
      this.#recognize(audio).then(resolve, reject).finally(() => {
        this.#count()
        this.#running--
        this.#next()
      })
    }
    if (this.#running === 0) this.#closed?.resolve()
  }

  #take (): Job | undefined {
    if (this.#running <= this.#concurrency && this.#final.length > 0) return this.#final.shift()
    return this.#running < this.#concurrency ? this.#early.shift() : undefined
  }

  #count (): void {
    const now = performance.now()
    const passed = now - this.#countedAt
    this.#countedAt = now
    this.#worked = this.#worked * Math.exp(-passed / WINDOW_MS) + passed * this.#running
  }
}

/** Text of a piece of 16 kHz audio. */
export type Recognize = (audio: Float32Array) => Promise<string>

interface Job {
  audio: Float32Array
  signal: AbortSignal | undefined
  resolve: (text: string) => void
  reject: (error: unknown) => void
}

/**
 * Lets a few decodes run at a time, as more would only slow each other down. Somebody waits for
 * those that are `final`; an `early` one runs when no final one waits.
 */
export class DecodeQueue {
  readonly #recognize: Recognize
  readonly #concurrency: number
  readonly #waiting = { final: [] as Job[], early: [] as Job[] }
  #running = 0
  #closed: { resolve: () => void } | undefined

  constructor (recognize: Recognize, concurrency: number) {
    this.#recognize = recognize
    this.#concurrency = concurrency
  }

  /** Whether a decode would have to wait. */
  get busy (): boolean {
    return this.#running >= this.#concurrency
  }

  /** Rejects with the signal's reason when it aborts before the decode has begun; native code cannot be stopped. */
  decode (audio: Float32Array, kind: 'final' | 'early', signal?: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting[kind].push({ audio, signal, resolve, reject })
      this.#next()
    })
  }

  /** Resolves when nothing runs any more; what waits is dropped. */
  async close (): Promise<void> {
    this.#waiting.final = []
    this.#waiting.early = []
    if (this.#running > 0) await new Promise<void>((resolve) => { this.#closed = { resolve } })
  }

  #next (): void {
    while (this.#running < this.#concurrency) {
      const job = this.#waiting.final.shift() ?? this.#waiting.early.shift()
      if (!job) break
      if (job.signal?.aborted) {
        job.reject(job.signal.reason)
        continue
      }
      this.#running++
      this.#recognize(job.audio).then(job.resolve, job.reject).finally(() => {
        this.#running--
        this.#next()
      })
    }
    if (this.#running === 0) this.#closed?.resolve()
  }
}

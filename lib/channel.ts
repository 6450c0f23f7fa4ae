/**
 * A queue between code that calls back and code that iterates: producers push, one consumer reads
 * with `for await`. Nothing is bounded here; the owner watches {@link Channel.size}.
 */
export class Channel<T> implements AsyncIterable<T> {
  #queue: T[] = []
  #waiting: { resolve: (result: IteratorResult<T, undefined>) => void, reject: (error: unknown) => void }[] = []
  #state: 'open' | 'ended' | 'failed' | 'returned' = 'open'
  #error: unknown
  readonly #onReturn: (() => void) | undefined

  /** @param onReturn called once, when the consumer stops before the end (`break`, `return`, `throw`). */
  constructor (onReturn?: () => void) {
    this.#onReturn = onReturn
  }

  /** Values pushed and not yet read. */
  get size (): number {
    return this.#queue.length
  }

  /** Adds a value; ignored after `end`, `fail` or an early return of the consumer. */
  push (value: T): void {
    if (this.#state !== 'open') return
    const reader = this.#waiting.shift()
    if (reader) reader.resolve({ value, done: false })
    else this.#queue.push(value)
  }

  /** No more values: the consumer finishes once it has read what is queued. */
  end (): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#finishReaders()
  }

  /** Rejects the consumer's next read and drops what is queued, as a fault overtakes data. */
  fail (error: unknown): void {
    if (this.#state !== 'open') return
    this.#queue = []
    const reader = this.#waiting.shift()
    // A reader that already waits receives the error; it is delivered once, then the channel has ended.
    if (reader) {
      this.#state = 'ended'
      reader.reject(error)
      this.#finishReaders()
    } else {
      this.#state = 'failed'
      this.#error = error
    }
  }

  [Symbol.asyncIterator] (): AsyncIterator<T, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.#return()
        return Promise.resolve({ value: undefined, done: true })
      }
    }
  }

  #next (): Promise<IteratorResult<T, undefined>> {
    if (this.#queue.length > 0) return Promise.resolve({ value: this.#queue.shift() as T, done: false })
    if (this.#state === 'failed') {
      this.#state = 'ended'
      return Promise.reject(this.#error)
    }
    if (this.#state !== 'open') return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => { this.#waiting.push({ resolve, reject }) })
  }

  #return (): void {
    const early = this.#state === 'open' || this.#state === 'failed' || this.#queue.length > 0
    this.#queue = []
    this.#error = undefined
    this.#state = 'returned'
    this.#finishReaders()
    if (early) this.#onReturn?.()
  }

  #finishReaders (): void {
    for (const reader of this.#waiting.splice(0)) reader.resolve({ value: undefined, done: true })
  }
}

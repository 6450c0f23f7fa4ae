import { Overdue } from './faults.js'
import type { Pace, Paced } from './pace.js'
import type { Stage } from './policy.js'
import type { Work } from './work.js'

/** An engine with deadlines of its own knows better what was late: ours come after them. Milliseconds. */
const GRACE_MS = 250

/** Why the engine's signal aborts when nobody reads on. One for all: making an error costs more than the rest of the end. */
const unread = new DOMException('Nobody reads on.', 'AbortError')

export interface AttemptOptions<In, Out> {
  stage: Stage
  engine: string
  open: (signal: AbortSignal, work: Work<In, Out>) => AsyncIterable<Out>
  /** Throws if the value is none. */
  check: (value: Out, engine: string) => void
  caller: AbortSignal
  pace: Pace
  work: Work<In, Out>
  firstResultTimeoutMs: number
  stallTimeoutMs: number
  /** Whether its lag tells of this machine. */
  local: boolean
}

/**
 * One stream of an engine, held to its deadlines. Whatever the engine does, the reader is free at once
 * when the caller aborts or a deadline passes; the engine finds its signal aborted.
 */
export class Attempt<In, Out> implements AsyncIterableIterator<Out>, Paced {
  readonly #options: AttemptOptions<In, Out>
  readonly #abort = new AbortController()
  readonly #onAbort = (): void => this.#stop(this.#options.caller.reason)
  #iterator: AsyncIterator<Out> | undefined
  /** Of the result that the reader waits for. */
  #resolve: ((result: IteratorResult<Out, undefined>) => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  #askedAt = 0
  #begun = false
  #over = false

  constructor (options: AttemptOptions<In, Out>) {
    this.#options = options
    options.caller.addEventListener('abort', this.#onAbort)
    options.pace.add(this)
  }

  get stage (): Stage {
    return this.#options.stage
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<IteratorResult<Out, undefined>> {
    this.#askedAt = performance.now()
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#ask().then(this.#onResult, this.#onError)
    })
  }

  /** The reader stops. */
  return (): Promise<IteratorResult<Out, undefined>> {
    this.#stop(unread)
    return Promise.resolve({ value: undefined, done: true })
  }

  look (now: number): void {
    const { stage, engine, firstResultTimeoutMs, stallTimeoutMs } = this.#options
    const limit = this.#begun ? stallTimeoutMs : firstResultTimeoutMs
    if (this.#waiting(now) > limit + GRACE_MS) this.#stop(new Overdue(stage, engine, this.#begun, limit))
  }

  lag (now: number): number | undefined {
    const { local, work: { owedSince, backlogMs } } = this.#options
    if (!local) return undefined
    if (backlogMs !== undefined) return owedSince === null ? 0 : Math.min(now - owedSince, backlogMs)
    const ms = this.#waiting(now)
    return ms === 0 ? undefined : ms
  }

  /** Since when the reader waits for something that is owed. Milliseconds; 0 if it does not. */
  #waiting (now: number): number {
    const { owedSince } = this.#options.work
    return this.#reject === undefined || owedSince === null ? 0 : now - Math.max(owedSince, this.#askedAt)
  }

  #ask (): Promise<IteratorResult<Out>> {
    const { caller, open, work } = this.#options
    try {
      caller.throwIfAborted()
      this.#iterator ??= open(this.#abort.signal, work)[Symbol.asyncIterator]()
      return Promise.resolve(this.#iterator.next())
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // One for all results of a stream: there is one for each token.
  readonly #onResult = (result: IteratorResult<Out, unknown>): void => {
    if (this.#over) return
    try {
      if (result.done) this.#release()
      else this.#take(result.value)
    } catch (error) {
      this.#stop(error)
      return
    }
    const resolve = this.#resolve!
    this.#resolve = this.#reject = undefined
    resolve(result.done ? { value: undefined, done: true } : result)
  }

  readonly #onError = (error: unknown): void => {
    this.#stop(error)
    // Of a reader that asks after the end.
    this.#reject?.(error)
  }

  #take (value: Out): void {
    this.#options.check(value, this.#options.engine)
    this.#options.work.answered(value)
    this.#begun = true
  }

  #stop (reason: unknown): void {
    if (this.#over) return
    this.#release()
    this.#abort.abort(reason)
    // Not awaited: a generator answers only when it has noticed the abort.
    this.#iterator?.return?.()?.then(undefined, () => {})
    this.#reject?.(reason)
    this.#resolve = this.#reject = undefined
  }

  #release (): void {
    this.#over = true
    this.#options.pace.delete(this)
    this.#options.caller.removeEventListener('abort', this.#onAbort)
  }
}

import type { Transferable } from 'node:worker_threads'
import { Channel } from '../../channel.js'
import { SAMPLE_RATE } from '../engine.js'

/** Samples that a worker may have that it is not done with; what is more waits on this side, where it is one copy. */
const MOST_AHEAD = 4 * SAMPLE_RATE
/** Longer audio is handed over in pieces of this many samples. */
const PIECE = SAMPLE_RATE

export type StreamMessage = { op: 'open' | 'data', value: unknown } | { op: 'end' | 'abort' }

/**
 * The main thread's end of one stream of a worker: input goes in with {@link send} or {@link feed},
 * results come out of {@link output}. An abort, or a consumer that stops reading, ends it at once
 * on both sides.
 */
export class ThreadStream<Out> {
  readonly output: Channel<Out>
  readonly #post: (message: StreamMessage, transfer?: readonly Transferable[]) => void
  readonly #signal: AbortSignal
  readonly #onAbort = (): void => this.abort(this.#signal.reason)
  #settled = false
  #inputEnded = false
  #release: (() => void) | undefined
  /** Samples that the worker was given and is not done with. */
  #ahead = 0
  #onTook: (() => void) | undefined

  constructor (signal: AbortSignal, post: (message: StreamMessage, transfer?: readonly Transferable[]) => void) {
    this.#post = post
    this.#signal = signal
    this.output = new Channel(() => this.abort(undefined))
    signal.addEventListener('abort', this.#onAbort)
  }

  open (value: unknown): void {
    this.#post({ op: 'open', value })
  }

  send (value: unknown, transfer?: readonly Transferable[]): void {
    if (!this.#settled && !this.#inputEnded) this.#post({ op: 'data', value }, transfer)
  }

  /** The input is complete. */
  end (): void {
    if (this.#settled || this.#inputEnded) return
    this.#inputEnded = true
    this.#post({ op: 'end' })
  }

  abort (reason: unknown): void {
    if (this.#settled) return
    this.#post({ op: 'abort' })
    this.settle(reason ?? new Error('The stream was given up'))
  }

  /** The worker has no more to say: the output ends, or fails with `error`. */
  settle (error?: unknown): void {
    if (this.#settled) return
    this.#settled = true
    this.#signal.removeEventListener('abort', this.#onAbort)
    if (error === undefined) this.output.end()
    else this.output.fail(error)
    this.#release?.()
    this.#onTook?.()
  }

  /** Samples that the worker was given and is not done with. */
  get ahead (): number {
    return this.#ahead
  }

  /** The worker is done with so many samples. */
  took (samples: number): void {
    this.#ahead -= samples
    if (this.#ahead < MOST_AHEAD) this.#onTook?.()
  }

  /** Like {@link feed}, for a worker that says what it is done with: it is never given much more than it works off. */
  feedAudio (input: AsyncIterable<Int16Array>): void {
    this.feed(input, async (chunk) => {
      for (let start = 0; start < chunk.length && !this.#settled; start += PIECE) {
        const piece = chunk.subarray(start, start + PIECE)
        this.#ahead += piece.length
        // Of a part of a buffer all of it would be sent.
        this.send(piece.byteLength === piece.buffer.byteLength ? piece : piece.slice())
        while (this.#ahead >= MOST_AHEAD && !this.#settled) await new Promise<void>((resolve) => { this.#onTook = resolve })
      }
    })
  }

  /**
   * Hands each value of `input` to `pass`, then calls `end`; an error of the input fails the
   * stream. Once the stream is settled the input is released.
   */
  feed<In> (input: AsyncIterable<In>, pass: (value: In) => void | Promise<void>, end = (): void => this.end()): void {
    if (this.#settled) return
    const iterator = input[Symbol.asyncIterator]()
    // Not awaited: a generator that waits for its next value answers return() only after that.
    this.#release = () => { iterator.return?.().catch(() => {}) }
    const pump = async (): Promise<void> => {
      for (;;) {
        const result = await iterator.next()
        if (this.#settled) return
        if (result.done) break
        await pass(result.value)
      }
      this.#release = undefined
      end()
    }
    pump().catch((error: unknown) => {
      this.#release = undefined
      this.abort(error)
    })
  }
}

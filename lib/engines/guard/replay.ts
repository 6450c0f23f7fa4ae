import { Channel } from '../../channel.js'
import type { Work } from './work.js'

/** Told of the input as a reader gets it. */
type Follower<In> = Pick<Work<In, never>, 'given' | 'inputEnded'>

/** An engine's input, which a second attempt can read from its beginning until somebody was answered. */
export class Replay<In extends { length: number }> {
  readonly #limit: number
  readonly #iterator: AsyncIterator<In>
  #kept: In[] = []
  #size = 0
  #keeping = true
  #reader: Channel<In> | undefined
  #follower: Follower<In> | undefined
  #end: { error?: unknown } | undefined
  #closed = false

  /** @param limit how long the input may be, all pieces together, to be read a second time */
  constructor (source: AsyncIterable<In>, limit: number) {
    this.#limit = limit
    this.#iterator = source[Symbol.asyncIterator]()
    this.#pump().catch((error: unknown) => this.#finish({ error }))
  }

  /** Whether it can be read from the beginning. */
  get whole (): boolean {
    return this.#keeping
  }

  /** All of it, from the beginning; the reader before gets nothing more. */
  read (follower: Follower<In>): AsyncIterable<In> {
    this.#reader = new Channel()
    this.#follower = follower
    for (const value of this.#kept) this.#give(value)
    if (this.#end !== undefined) this.#finish(this.#end)
    return this.#reader
  }

  /** There will be no second reading. */
  commit (): void {
    this.#keeping = false
    this.#kept = []
  }

  close (): void {
    this.#closed = true
    this.commit()
    // A generator that waits for its next value answers only after that.
    if (this.#end === undefined) this.#iterator.return?.()?.then(undefined, () => {})
  }

  async #pump (): Promise<void> {
    for (;;) {
      const result = await this.#iterator.next()
      if (this.#closed) return
      if (result.done) break
      const { value } = result
      if (this.#keeping) this.#keep(value)
      this.#give(value)
    }
    this.#finish({})
  }

  #give (value: In): void {
    this.#follower?.given(value)
    this.#reader?.push(value)
  }

  #keep (value: In): void {
    this.#kept.push(value)
    this.#size += value.length
    if (this.#size > this.#limit) this.commit()
  }

  #finish (end: { error?: unknown }): void {
    this.#end = end
    if ('error' in end) this.#reader?.fail(end.error)
    else {
      this.#reader?.end()
      this.#follower?.inputEnded()
    }
  }
}

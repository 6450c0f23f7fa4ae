/** Samples of a block: half a second, 24 kB. */
const BLOCK = 12_000
/** Blocks that wait for their next use, 12 MB at most. */
const MAX_SPARE = 512
const spare: Int16Array[] = []

/**
 * Samples in the order they came, on a timeline that counts all of them; the oldest are let go. They are
 * copied in and out, so that the memory can go from one session to the next: an array for each chunk of
 * live audio makes the garbage collector stop a busy server for tens of milliseconds a second.
 */
export class SampleQueue {
  /** The first one's beginning is at `#origin`, all but the last are full. */
  readonly #blocks: Int16Array[] = []
  #origin = 0
  #start = 0
  #end = 0

  /** Where the samples that are still held begin. */
  get start (): number {
    return this.#start
  }

  /** Where the next sample goes. */
  get end (): number {
    return this.#end
  }

  append (samples: Int16Array): void {
    for (let taken = 0; taken < samples.length;) {
      const at = (this.#end - this.#origin) % BLOCK
      if (this.#end - this.#origin === this.#blocks.length * BLOCK) this.#blocks.push(spare.pop() ?? new Int16Array(BLOCK))
      const count = Math.min(BLOCK - at, samples.length - taken)
      const whole = count === samples.length ? samples : samples.subarray(taken, taken + count)
      this.#blocks.at(-1)!.set(whole, at)
      taken += count
      this.#end += count
    }
  }

  /** A copy of a stretch, as far as it is held. */
  slice (from: number, to: number): Int16Array {
    from = Math.max(from, this.#start)
    to = Math.min(to, this.#end)
    const samples = new Int16Array(Math.max(0, to - from))
    for (let position = from; position < to;) {
      const at = (position - this.#origin) % BLOCK
      const count = Math.min(BLOCK - at, to - position)
      const block = this.#blocks[Math.floor((position - this.#origin) / BLOCK)]!
      samples.set(block.subarray(at, at + count), position - from)
      position += count
    }
    return samples
  }

  /** Lets go of the samples before a position. */
  forget (to: number): void {
    this.#start = Math.max(this.#start, Math.min(to, this.#end))
    const empty = this.#start === this.#end ? this.#blocks.length : Math.floor((this.#start - this.#origin) / BLOCK)
    for (const block of this.#blocks.splice(0, empty)) if (spare.length < MAX_SPARE) spare.push(block)
    this.#origin = this.#blocks.length === 0 ? this.#end : this.#origin + empty * BLOCK
  }
}

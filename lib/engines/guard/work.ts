import { SAMPLE_RATE, type SpeechChunk, type SpeechFrame } from '../engine.js'

/** What an engine owes for the input it was given; decides when its deadlines run. `In` is a piece of input, `Out` a result. */
export interface Work<In, Out> {
  /** Since when something is owed (`performance.now()`), or null. */
  readonly owedSince: number | null
  given (value: In): void
  inputEnded (): void
  answered (value: Out): void
  /** How much input waits, in milliseconds of real time, where that can be told. */
  readonly backlogMs?: number
}

/** A model has all it needs from the start. */
export const owesAlways: Work<never, unknown> = {
  owedSince: 0, given () {}, inputEnded () {}, answered () {}
}

/** A transcript is owed when the utterance has ended. */
export class TranscriptWork implements Work<Int16Array, unknown> {
  owedSince: number | null = null
  given (): void {}
  answered (): void {}
  inputEnded (): void { this.owedSince = performance.now() }
}

/** Speech is owed for words that were given and did not come out again, and an end after the last. */
export class SpeechWork implements Work<string, SpeechChunk> {
  owedSince: number | null = null
  #characters = 0
  #ended = false

  given (text: string): void {
    this.#characters += text.length
    this.#settle()
  }

  inputEnded (): void {
    this.#ended = true
    this.#settle()
  }

  answered ({ text }: SpeechChunk): void {
    this.#characters -= text.length
    this.#settle()
  }

  #settle (): void {
    if (this.#ended || this.#characters > 0) this.owedSince ??= performance.now()
    else this.owedSince = null
  }
}

/** Detection takes frames of about 32 ms: two of them in hand, and it owes one. */
const OWED_SAMPLES = 2 * 32 * SAMPLE_RATE / 1000

/** A frame is owed for audio that was given. */
export class DetectionWork implements Work<Int16Array, SpeechFrame> {
  owedSince: number | null = null
  #given = 0
  #position = 0

  given (audio: Int16Array): void {
    this.#given += audio.length
    this.#settle()
  }

  inputEnded (): void { this.owedSince ??= performance.now() }

  answered ({ position }: SpeechFrame): void {
    this.#position = position
    this.#settle()
  }

  get backlogMs (): number {
    return (this.#given - this.#position) * 1000 / SAMPLE_RATE
  }

  #settle (): void {
    if (this.#given - this.#position >= OWED_SAMPLES) this.owedSince ??= performance.now()
    else this.owedSince = null
  }
}

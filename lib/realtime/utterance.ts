import { Channel } from '../channel.js'
import type { SttEngine, SttOptions, TokenLogprob, TranscriptChunk } from '../engines/engine.js'
import { createId } from './ids.js'
import { Recording } from './recording.js'

/** One stretch of user speech on its way from the microphone to its words. Positions are samples on the session's timeline. */
export class Utterance {
  /** Id of the item it becomes: `speech_started` already names it. */
  readonly itemId = createId('item')
  /** Where it begins. */
  readonly start: number
  readonly recording: Recording
  /** Of all its tokens so far; undefined if the engine gave none. */
  logprobs: TokenLogprob[] | undefined
  /** Settles with all its words, some time after {@link Utterance.end}; rejects if recognition fails. */
  readonly transcript: Promise<string>
  readonly #audio = new Channel<Int16Array>()
  readonly #abort = new AbortController()
  /** Position up to which its audio was handed on. */
  #fed: number
  #sure = ''
  #tentative = ''
  #pause: number | null = null

  /**
   * Recognition begins at once, not when the words are first asked for: by then the speaker is done.
   *
   * @param heard called with each piece of the transcript as it becomes sure
   * @param maxBytes of its recording, over which that is not kept
   */
  constructor (stt: SttEngine | null, position: number, options: Omit<SttOptions, 'signal'>, heard: (itemId: string, chunk: TranscriptChunk) => void, maxBytes: number) {
    this.start = position
    this.#fed = position
    this.recording = new Recording(maxBytes)
    this.transcript = stt === null ? Promise.resolve('') : this.#recognise(stt, options, heard)
    // Who waits for the words hears of a fault; nobody has to.
    this.transcript.catch(() => {})
  }

  /** A stretch without speech: its transcript is empty, and no engine is asked. */
  static silent (position: number, maxBytes: number): Utterance {
    return new Utterance(null, position, {}, () => {}, maxBytes)
  }

  /** The words so far, those included that the engine may still take back. */
  get words (): string {
    return this.#tentative === '' ? this.#sure : `${this.#sure} ${this.#tentative}`.trim()
  }

  /** How likely the speaker is done, 0..1; null if the engine cannot tell. */
  get pause (): number | null {
    return this.#pause
  }

  /** Takes its audio up to a position. */
  feed (input: { slice (from: number, to: number): Int16Array }, to: number): void {
    if (to <= this.#fed) return
    const audio = input.slice(this.#fed, to)
    this.recording.append(audio)
    this.#audio.push(audio)
    this.#fed = to
  }

  /** Speech went on after a pause: what seemed to be said before it may be heard otherwise now. */
  goOn (): void {
    this.#tentative = ''
  }

  /** All of its audio is there. */
  end (): void {
    this.#audio.end()
  }

  /** Nobody wants its words any more. */
  drop (): void {
    this.#abort.abort()
    this.#audio.end()
  }

  async #recognise (stt: SttEngine, options: Omit<SttOptions, 'signal'>, heard: (itemId: string, chunk: TranscriptChunk) => void): Promise<string> {
    const { signal } = this.#abort
    for await (const chunk of stt.transcribe(this.#audio, { ...options, signal })) {
      const { delta, tentative = '', pause, logprobs } = chunk
      signal.throwIfAborted()
      this.#sure += delta
      this.#tentative = tentative
      this.#pause = pause ?? this.#pause
      if (logprobs !== undefined) (this.logprobs ??= []).push(...logprobs)
      if (delta !== '') heard(this.itemId, chunk)
    }
    signal.throwIfAborted()
    return this.#sure
  }
}

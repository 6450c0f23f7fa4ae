import { toFloats } from '../../audio/pcm.js'
import type { Resampler } from '../../audio/resample.js'
import type { TranscriptChunk } from '../engine.js'
import type { Decode, DecodeQueue } from './decode-queue.js'
import { Loudness } from './loudness.js'
import type { Handler, Reply } from './rpc.js'
import { countStable, splitWords, wordsAfter } from './stable-text.js'

/** Hz at which the models listen. */
export const STT_RATE = 16_000

/** A pause of this length (200 ms) may be the end of the turn: decode now, and the text is there when it is. */
const PAUSE = 0.2 * STT_RATE
/** From this length (12 s) on the next pause ends a segment, whose text is final. */
const SEGMENT = 12 * STT_RATE
/** Without any pause a segment ends here (20 s): cost and memory grow with the square of it. */
const SEGMENT_MAX = 20 * STT_RATE
/** While somebody speaks without a pause, what is sure so far is given out from here on (2 s) ... */
const PARTIAL = 2 * STT_RATE
/** ... each time the audio has grown by this factor, so that all partial decodes cost about as much as two final ones. */
const PARTIAL_GROWTH = 1.5
/** Audio of the pause that the next segment begins with (200 ms): cut tight, first words are misheard. */
const OVERLAP = 0.2 * STT_RATE
/** The models expect at least this (1 s); shorter audio is filled up with silence. */
const SHORTEST = STT_RATE

/**
 * One utterance: gathers the audio and decodes it in pauses. A decode is used if nothing but silence
 * followed; otherwise the next one covers the same audio again and more.
 */
export class Utterance implements Handler<Int16Array> {
  readonly #queue: DecodeQueue
  readonly #reply: Reply<TranscriptChunk>
  readonly #resampler: Resampler
  readonly #aborted = new AbortController()
  #audio = new Float32Array(8 * STT_RATE)
  #length = 0
  #loudness = new Loudness()
  /** The decode of the segment up to the pause it was made in. */
  #early: Decode | undefined
  #earlyStop = new AbortController()
  /** Segments whose text is final, in order; each waits for those before it. */
  #spoken: Promise<void> = Promise.resolve()
  #waiting = 0
  /** Whether anything was given out. */
  #begun = false
  /** The segment's words that were given out, those of its last partial decode, and when the next one is due. */
  #given: string[] = []
  #partial: string[] = []
  #partialAt = PARTIAL
  #segmentStop = new AbortController()

  constructor (queue: DecodeQueue, reply: Reply<TranscriptChunk>, resampler: Resampler) {
    this.#queue = queue
    this.#reply = reply
    this.#resampler = resampler
  }

  data (chunk: Int16Array): void {
    this.#append(toFloats(this.#resampler.process(chunk)))
    if (this.#loudness.silent < PAUSE) {
      this.#dropEarly()
      if (this.#length >= SEGMENT_MAX) this.#endSegment(0)
      else if (this.#length >= this.#partialAt && this.#queue.spare) this.#decodePartial()
    } else if (this.#loudness.heard && !this.#early) {
      this.#early = this.#decode('early', this.#earlyStop.signal)
      this.#suggest(this.#early)
      if (this.#length >= SEGMENT) this.#endSegment(OVERLAP)
    }
  }

  end (): void {
    this.#append(toFloats(this.#resampler.flush()))
    if (this.#loudness.silent < PAUSE) this.#dropEarly()
    this.#endSegment(0)
    this.#resampler.free()
    this.#spoken.then(() => this.#reply.end(), (error: unknown) => this.#reply.fail(error))
  }

  abort (): void {
    this.#aborted.abort()
    this.#segmentStop.abort()
    this.#dropEarly()
    this.#resampler.free()
  }

  #append (audio: Float32Array): void {
    if (this.#length + audio.length > this.#audio.length) {
      const larger = new Float32Array(2 * (this.#length + audio.length))
      larger.set(this.#audio.subarray(0, this.#length))
      this.#audio = larger
    }
    this.#audio.set(audio, this.#length)
    this.#length += audio.length
    this.#loudness.push(audio)
  }

  /** Speech went on: that decode is of no use. If it has not begun, it never will. */
  #dropEarly (): void {
    if (!this.#early) return
    this.#earlyStop.abort()
    this.#earlyStop = new AbortController()
    this.#early = undefined
  }

  #decode (kind: 'early' | 'final', signal: AbortSignal): Decode {
    const audio = new Float32Array(Math.max(SHORTEST, this.#length))
    audio.set(this.#audio.subarray(0, this.#length))
    const decode = this.#queue.decode(audio, kind, signal)
    // It may be dropped before anybody awaits it.
    decode.text.catch(() => {})
    return decode
  }

  /** In a pause: what was said last, for who has to tell whether that was all. */
  #suggest (early: Decode): void {
    early.text.then(text => {
      if (early === this.#early) this.#reply.send({ delta: '', tentative: wordsAfter(this.#given, splitWords(text)).join(' ') })
    }, () => {})
  }

  /** A convenience that must not cost anybody else: only when nothing else is to be decoded. */
  #decodePartial (): void {
    this.#partialAt = this.#length * PARTIAL_GROWTH
    const { signal } = this.#segmentStop
    // Audio that came all at once has its end in the same message: then this would only delay it.
    setImmediate(() => {
      if (signal.aborted || !this.#queue.spare) return
      this.#decode('early', signal).text.then((text) => { if (!signal.aborted) this.#takePartial(splitWords(text)) }, () => {})
    })
  }

  #takePartial (words: string[]): void {
    const stable = words.slice(0, countStable(this.#partial, words))
    this.#partial = words
    // Text of the segment before comes first.
    if (this.#waiting > 0 || stable.length <= this.#given.length) return
    this.#give(wordsAfter(this.#given, stable))
    this.#given = stable
  }

  /** The audio so far is one piece; its text is said as soon as it is known. */
  #endSegment (overlap: number): void {
    const decode = this.#early ?? (this.#loudness.heard ? this.#decode('final', this.#aborted.signal) : undefined)
    decode?.hurry()
    const stop = this.#earlyStop
    this.#aborted.signal.addEventListener('abort', () => stop.abort(), { once: true })
    const given = this.#given
    this.#segmentStop.abort()
    this.#segmentStop = new AbortController()
    this.#early = undefined
    this.#earlyStop = new AbortController()
    this.#given = []
    this.#partial = []
    this.#partialAt = PARTIAL
    this.#audio.copyWithin(0, this.#length - overlap, this.#length)
    this.#length = overlap
    this.#loudness = new Loudness()
    this.#waiting++
    this.#spoken = this.#spoken.then(async () => {
      this.#give(wordsAfter(given, splitWords(await decode?.text ?? '')))
      this.#waiting--
    })
    this.#spoken.catch(() => {})
  }

  #give (words: readonly string[]): void {
    if (words.length === 0) return
    this.#reply.send({ delta: (this.#begun ? ' ' : '') + words.join(' ') })
    this.#begun = true
  }
}

import { createDecoder, type Decoder, type FormatName } from '../audio/formats.js'
import { SampleQueue } from '../audio/sample-queue.js'
import { RealtimeError } from '../errors.js'
import { SAMPLE_RATE } from '../engines/engine.js'

const SAMPLES_PER_MS = SAMPLE_RATE / 1000
/** Decoding goes through one buffer for all sessions: a new one a frame costs ten times as much. */
let scratch = Buffer.allocUnsafe(64 * 1024)

/** What is larger is decoded into a buffer of its own, so that one long append is not kept in memory for ever. */
const MAX_SCRATCH = 512 * 1024

/** At most 15 MiB of audio an append, as the protocol has it. */
const MAX_APPEND_BYTES = 15 * 1024 * 1024

/**
 * The input audio buffer: what was appended and not yet committed, on a timeline that counts every
 * sample appended since the session began (PROTOCOL section 8.2). Positions are samples at 24 kHz,
 * whatever the format of what is appended.
 */
export class InputAudio {
  readonly #maxSamples: number
  readonly #samples = new SampleQueue()
  #committed = 0
  #format: FormatName = 'audio/pcm'
  #decoder: Decoder = createDecoder('audio/pcm')

  /** @param maxSeconds of uncommitted audio that may be held */
  constructor (maxSeconds: number) {
    this.#maxSamples = maxSeconds * SAMPLE_RATE
  }

  /** Where the next sample goes. */
  get end (): number {
    return this.#samples.end
  }

  /** Where the last commit or clear was. */
  get committed (): number {
    return this.#committed
  }

  /** Where the audio that is still held begins. */
  get start (): number {
    return this.#samples.start
  }

  /** Throws `input_audio_buffer_full` if there is no room for so many bytes of audio. */
  admit (bytes: number): void {
    if (this.end - this.start + Math.floor(bytes * this.#decoder.samplesPerByte) <= this.#maxSamples) return
    throw new RealtimeError('input_audio_buffer_full', {
      param: 'audio',
      message: `The input audio buffer holds at most ${this.#maxSamples / SAMPLE_RATE} s of uncommitted audio.`
    })
  }

  /** Decodes an `audio` field and appends it. A sample cut in two by the client is joined. */
  append (base64: string): void {
    const bytes = decodeBase64(base64, 'audio')
    this.admit(bytes.length)
    this.#samples.append(this.#decoder.decode(bytes))
  }

  /** Appends what the decoder still held back, as a commit takes all that was sent. */
  settle (): void {
    this.#samples.append(this.#decoder.flush())
  }

  /** What is appended from now on has another format; what was held back of the one before is appended. */
  setFormat (format: FormatName): void {
    if (format === this.#format) return
    this.settle()
    this.#decoder.free()
    this.#format = format
    this.#decoder = createDecoder(format)
  }

  /** Samples of a stretch, as far as they are held. */
  slice (from: number, to: number): Int16Array {
    return this.#samples.slice(from, to)
  }

  /** Takes all audio up to a position as one utterance. */
  commit (to: number): void {
    this.#committed = to
    this.forget(to)
  }

  clear (): void {
    this.#decoder.free()
    this.commit(this.end)
  }

  /** The session is over. */
  close (): void {
    this.#decoder.free()
    this.forget(this.end)
  }

  /** Lets go of audio before a position, for a session that only needs what comes just before speech. */
  forget (to: number): void {
    this.#samples.forget(to)
  }

  /** Milliseconds appended since the last commit. */
  get uncommittedMs (): number {
    return (this.end - this.#committed) / SAMPLES_PER_MS
  }
}

/**
 * The bytes of an `audio` field, in a buffer that the next call overwrites.
 *
 * @param param names the field in the error
 */
export function decodeBase64 (base64: string, param: string): Buffer {
  let size = base64.length
  while (size > 0 && base64.charCodeAt(size - 1) === 61) size--
  const bytes = Math.floor(size * 3 / 4)
  if (bytes > MAX_APPEND_BYTES) throw new RealtimeError('invalid_value', { param, message: `Invalid '${param}': more than 15 MiB.` })
  if (bytes > scratch.length && bytes <= MAX_SCRATCH) scratch = Buffer.allocUnsafe(bytes * 2)
  const target = bytes > scratch.length ? Buffer.allocUnsafe(bytes) : scratch
  // Node skips what is not base64, so a bad character shows as a missing byte; of one beyond Latin it takes a part.
  if (size % 4 === 1 || base64.length - size > 2 || Buffer.byteLength(base64) !== base64.length || target.write(base64, 'base64') !== bytes) {
    throw new RealtimeError('invalid_value', { param, message: `Invalid '${param}': expected base64-encoded bytes.` })
  }
  return target.subarray(0, bytes)
}

export const toMilliseconds = (samples: number): number => Math.floor(samples / SAMPLES_PER_MS)
export const toSamples = (ms: number): number => ms * SAMPLES_PER_MS

import { createDecoder, type Decoder, type FormatName } from '../audio/formats.js'
import { RealtimeError } from '../errors.js'
import { SAMPLE_RATE } from '../engines/engine.js'

const SAMPLES_PER_MS = SAMPLE_RATE / 1000
/** Decoding goes through one buffer for all sessions: a new one a frame costs ten times as much. */
let scratch = Buffer.allocUnsafe(64 * 1024)

/** At most 15 MiB of audio an append, as the protocol has it. */
const MAX_APPEND_BYTES = 15 * 1024 * 1024

/**
 * The input audio buffer: what was appended and not yet committed, on a timeline that counts every
 * sample appended since the session began (PROTOCOL section 8.2). Positions are samples at 24 kHz,
 * whatever the format of what is appended.
 */
export class InputAudio {
  readonly #maxSamples: number
  #chunks: Int16Array[] = []
  #start = 0
  #end = 0
  #committed = 0
  #format: FormatName = 'audio/pcm'
  #decoder: Decoder = createDecoder('audio/pcm')

  /** @param maxSeconds of uncommitted audio that may be held */
  constructor (maxSeconds: number) {
    this.#maxSamples = maxSeconds * SAMPLE_RATE
  }

  /** Where the next sample goes. */
  get end (): number {
    return this.#end
  }

  /** Where the last commit or clear was. */
  get committed (): number {
    return this.#committed
  }

  /** Where the audio that is still held begins. */
  get start (): number {
    return this.#start
  }

  /** Decodes an `audio` field and appends it; returns what came of it. A sample cut in two by the client is joined. */
  append (base64: string): Int16Array {
    const bytes = decodeBase64(base64, 'audio')
    if (this.#end - this.#start + Math.floor(bytes.length * this.#decoder.samplesPerByte) > this.#maxSamples) {
      throw new RealtimeError('input_audio_buffer_full', {
        param: 'audio',
        message: `The input audio buffer holds at most ${this.#maxSamples / SAMPLE_RATE} s of uncommitted audio.`
      })
    }

    return this.#add(this.#decoder.decode(bytes))
  }

  /** Appends what the decoder still held back, as a commit takes all that was sent; returns it. */
  settle (): Int16Array {
    return this.#add(this.#decoder.flush())
  }

  /** What is appended from now on has another format; returns what was held back of the one before. */
  setFormat (format: FormatName): Int16Array {
    if (format === this.#format) return new Int16Array(0)
    const rest = this.settle()
    this.#decoder.free()
    this.#format = format
    this.#decoder = createDecoder(format)
    return rest
  }

  /** Samples of a stretch, as far as they are held. */
  slice (from: number, to: number): Int16Array {
    from = Math.max(from, this.#start)
    to = Math.min(to, this.#end)
    const samples = new Int16Array(Math.max(0, to - from))
    let position = this.#start
    for (const chunk of this.#chunks) {
      if (position >= to) break
      const skip = Math.max(0, from - position)
      if (skip < chunk.length) {
        const part = chunk.subarray(skip, Math.min(chunk.length, to - position))
        samples.set(part, position + skip - from)
      }
      position += chunk.length
    }
    return samples
  }

  /** Takes all audio up to a position as one utterance. */
  commit (to: number): void {
    this.#committed = to
    this.forget(to)
  }

  clear (): void {
    this.#decoder.free()
    this.commit(this.#end)
  }

  /** The session is over. */
  close (): void {
    this.#decoder.free()
    this.#chunks = []
  }

  /** Lets go of audio before a position, for a session that only needs what comes just before speech. */
  forget (to: number): void {
    while (this.#chunks.length > 0 && this.#start + this.#chunks[0]!.length <= to) {
      this.#start += this.#chunks.shift()!.length
    }
  }

  /** Milliseconds appended since the last commit. */
  get uncommittedMs (): number {
    return (this.#end - this.#committed) / SAMPLES_PER_MS
  }

  #add (chunk: Int16Array): Int16Array {
    if (chunk.length > 0) this.#chunks.push(chunk)
    this.#end += chunk.length
    return chunk
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
  if (bytes > scratch.length) scratch = Buffer.allocUnsafe(bytes * 2)
  // Node skips what is not base64, so a bad character shows as a missing byte; of one beyond Latin it takes a part.
  if (size % 4 === 1 || base64.length - size > 2 || Buffer.byteLength(base64) !== base64.length || scratch.write(base64, 'base64') !== bytes) {
    throw new RealtimeError('invalid_value', { param, message: `Invalid '${param}': expected base64-encoded bytes.` })
  }
  return scratch.subarray(0, bytes)
}

export const toMilliseconds = (samples: number): number => Math.floor(samples / SAMPLES_PER_MS)
export const toSamples = (ms: number): number => ms * SAMPLES_PER_MS

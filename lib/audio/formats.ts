import g711 from 'alawmulaw'
import { SAMPLE_RATE } from '../engines/engine.js'
import { toBytes, toSamples } from './pcm.js'
import { loadResampling, type Resampler } from './resample.js'

// The wire's audio formats (PROTOCOL section 12), to and from samples at the engines' rate.

/** 16-bit little-endian PCM at 24 kHz, or G.711 at 8 kHz: mu-law (`pcmu`), A-law (`pcma`). All are mono. */
export type FormatName = 'audio/pcm' | 'audio/pcmu' | 'audio/pcma'

/** Hz of both G.711 formats. */
const TELEPHONE_RATE = 8000

/** One stream of bytes on its way in. Chunks may end anywhere, even within a sample. */
export interface Decoder {
  /** How many samples a byte becomes. */
  readonly samplesPerByte: number
  /** The next samples, maybe in the memory of the bytes; the last millisecond may be held back until more comes. */
  decode (bytes: Buffer): Int16Array
  /** What was held back: after it, every whole sample that came in has come out. */
  flush (): Int16Array
  /** Releases what the stream holds; it may be used again. Idempotent. */
  free (): void
}

/** One stream of samples on its way out; in all it gives as many bytes as the samples last. */
export interface Encoder {
  encode (samples: Int16Array): Buffer
  flush (): Buffer
  free (): void
}

let resampling: ((from: number, to: number) => Resampler) | null = null

/** Loads what the telephone formats need, once for all sessions: some 10 ms. Decoding and encoding are synchronous after it. */
export async function loadFormats (): Promise<void> {
  resampling ??= await loadResampling()
}

export function createDecoder (format: FormatName): Decoder {
  return format === 'audio/pcm' ? new PcmDecoder() : new G711Decoder(format)
}

export function createEncoder (format: FormatName): Encoder {
  return format === 'audio/pcm' ? pcmEncoder : new G711Encoder(format)
}

/** All of a recording in one go. */
export function encodeWhole (samples: Int16Array, format: FormatName): Buffer {
  if (format === 'audio/pcm') return toBytes(samples)
  const encoder = createEncoder(format)
  try {
    return Buffer.concat([encoder.encode(samples), encoder.flush()])
  } finally {
    encoder.free()
  }
}

/** The reverse of {@link encodeWhole}, in memory of its own. */
export function decodeWhole (bytes: Buffer, format: FormatName): Int16Array {
  const decoder = createDecoder(format)
  try {
    const body = decoder.decode(bytes)
    const tail = decoder.flush()
    const whole = new Int16Array(body.length + tail.length)
    whole.set(body)
    whole.set(tail, body.length)
    return whole
  } finally {
    decoder.free()
  }
}

class PcmDecoder implements Decoder {
  readonly samplesPerByte = 0.5
  /** First half of a sample that the client has cut in two. */
  #half: number | null = null

  decode (bytes: Buffer): Int16Array {
    const whole = this.#half === null ? bytes : Buffer.concat([Buffer.of(this.#half), bytes])
    this.#half = whole.length % 2 === 0 ? null : whole.at(-1)!
    return toSamples(whole)
  }

  flush (): Int16Array {
    return new Int16Array(0)
  }

  free (): void {
    this.#half = null
  }
}

const pcmEncoder: Encoder = {
  encode: toBytes,
  flush: () => Buffer.alloc(0),
  free () {}
}

/** A resampler made when the first samples come, so that a stream without any holds nothing. */
class LazyResampler {
  readonly #from: number
  readonly #to: number
  #resampler: Resampler | null = null

  constructor (from: number, to: number) {
    this.#from = from
    this.#to = to
  }

  process (samples: Int16Array): Int16Array {
    if (resampling === null) throw new Error('loadFormats() has not been called')
    this.#resampler ??= resampling(this.#from, this.#to)
    return this.#resampler.process(samples)
  }

  flush (): Int16Array {
    const rest = this.#resampler?.flush() ?? new Int16Array(0)
    this.free()
    return rest
  }

  free (): void {
    this.#resampler?.free()
    this.#resampler = null
  }
}

class G711Decoder implements Decoder {
  readonly samplesPerByte = SAMPLE_RATE / TELEPHONE_RATE
  readonly #codec: typeof g711.mulaw
  readonly #resampler = new LazyResampler(TELEPHONE_RATE, SAMPLE_RATE)

  constructor (format: FormatName) {
    this.#codec = codecOf(format)
  }

  decode (bytes: Buffer): Int16Array {
    return this.#resampler.process(this.#codec.decode(bytes))
  }

  flush (): Int16Array {
    return this.#resampler.flush()
  }

  free (): void {
    this.#resampler.free()
  }
}

class G711Encoder implements Encoder {
  readonly #codec: typeof g711.mulaw
  readonly #resampler = new LazyResampler(SAMPLE_RATE, TELEPHONE_RATE)

  constructor (format: FormatName) {
    this.#codec = codecOf(format)
  }

  encode (samples: Int16Array): Buffer {
    return this.#pack(this.#resampler.process(samples))
  }

  flush (): Buffer {
    return this.#pack(this.#resampler.flush())
  }

  free (): void {
    this.#resampler.free()
  }

  #pack (samples: Int16Array): Buffer {
    return Buffer.from(this.#codec.encode(samples).buffer)
  }
}

function codecOf (format: FormatName): typeof g711.mulaw {
  return format === 'audio/pcma' ? g711.alaw : g711.mulaw
}

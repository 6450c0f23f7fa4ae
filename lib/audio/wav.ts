import { fromFloats, toBytes } from './pcm.js'

export interface Wav {
  /** Mono: several channels are mixed. */
  samples: Int16Array
  /** Hz. */
  rate: number
}

const PCM = 1
const FLOAT = 3
const EXTENSIBLE = 0xFFFE

/** Reads a WAV file of 8, 16, 24 or 32 bits, or of floats. Throws an `Error` that says what it is instead. */
export function readWav (file: Buffer): Wav {
  if (file.length < 12 || file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE') throw new Error('it is no WAV file')
  let format: { kind: number, channels: number, rate: number, bits: number } | undefined
  for (let at = 12; at + 8 <= file.length;) {
    const name = file.toString('latin1', at, at + 4)
    const start = at + 8
    // Recorders that stream write the length they never learnt as zero or as all ones.
    const length = Math.min(file.readUInt32LE(at + 4) || Infinity, file.length - start)
    if (name === 'fmt ' && length >= 16) {
      const kind = file.readUInt16LE(start)
      format = {
        kind: kind === EXTENSIBLE && length >= 26 ? file.readUInt16LE(start + 24) : kind,
        channels: file.readUInt16LE(start + 2),
        rate: file.readUInt32LE(start + 4),
        bits: file.readUInt16LE(start + 14)
      }
    }
    if (name === 'data') {
      if (format === undefined) break
      const { kind, channels, rate, bits } = format
      const read = readers[`${kind === FLOAT ? 'f' : kind === PCM ? 'i' : '?'}${bits}`]
      if (read === undefined || channels < 1 || channels > 32 || rate < 1000 || rate > 384_000) throw new Error(`its audio is of a kind that is not read here (format ${kind}, ${bits} bits, ${channels} channels, ${rate} Hz)`)
      return { samples: mix(file.subarray(start, start + length), channels, bits / 8, read), rate }
    }
    at = start + length + length % 2
  }
  throw new Error('it has no audio')
}

const readers: Record<string, (data: Buffer, at: number) => number> = {
  i8: (data, at) => (data.readUInt8(at) - 128) / 128,
  i16: (data, at) => data.readInt16LE(at) / 32768,
  i24: (data, at) => data.readIntLE(at, 3) / 8388608,
  i32: (data, at) => data.readInt32LE(at) / 2147483648,
  f32: (data, at) => data.readFloatLE(at),
  f64: (data, at) => data.readDoubleLE(at)
}

function mix (data: Buffer, channels: number, width: number, read: (data: Buffer, at: number) => number): Int16Array {
  const floats = new Float32Array(Math.floor(data.length / width / channels))
  for (let index = 0; index < floats.length; index++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) sum += read(data, (index * channels + channel) * width)
    floats[index] = sum / channels
  }
  return fromFloats(floats)
}

const HEADER = 44

/** Mono 16-bit samples as a WAV file. */
export function toWav (samples: Int16Array, rate: number): Buffer {
  const file = Buffer.alloc(HEADER + samples.byteLength)
  file.write('RIFF', 0)
  file.writeUInt32LE(HEADER - 8 + samples.byteLength, 4)
  file.write('WAVEfmt ', 8)
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(rate, 24)
  file.writeUInt32LE(rate * 2, 28)
  file.writeUInt16LE(2, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36)
  file.writeUInt32LE(samples.byteLength, 40)
  toBytes(samples).copy(file, HEADER)
  return file
}

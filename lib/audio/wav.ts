import { toBytes } from './pcm.js'

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

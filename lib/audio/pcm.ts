import { SAMPLE_RATE } from '../engines/engine.js'

/** Samples at {@link SAMPLE_RATE} in a time, rounded. */
export function msToSamples (ms: number): number {
  return Math.round(ms * SAMPLE_RATE / 1000)
}

/** Milliseconds that a number of samples at {@link SAMPLE_RATE} lasts, rounded. */
export function samplesToMs (samples: number): number {
  return Math.round(samples * 1000 / SAMPLE_RATE)
}

/**
 * 16-bit little-endian PCM bytes as samples. Shares the bytes' memory unless they start at an odd
 * address (a slice of a larger buffer may); a trailing half sample is left out.
 */
export function toSamples (bytes: Uint8Array): Int16Array {
  const length = bytes.byteLength >> 1
  if (bytes.byteOffset % 2 === 0) return new Int16Array(bytes.buffer, bytes.byteOffset, length)
  return new Int16Array(bytes.slice(0, length * 2).buffer)
}

/** Samples as 16-bit little-endian PCM bytes that share their memory. */
export function toBytes (samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
}

/** -1..1 floats, as recognition models take them. */
export function toFloats (samples: Int16Array): Float32Array {
  const floats = new Float32Array(samples.length)
  for (let i = 0; i < samples.length; i++) floats[i] = samples[i]! / 32768
  return floats
}

/** The reverse of {@link toFloats}; what lies outside of -1..1 is clipped. */
export function fromFloats (floats: Float32Array): Int16Array {
  const samples = new Int16Array(floats.length)
  for (let i = 0; i < floats.length; i++) samples[i] = Math.max(-32768, Math.min(32767, Math.round(floats[i]! * 32768)))
  return samples
}

/** One array of all the parts in order. */
export function concat (parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

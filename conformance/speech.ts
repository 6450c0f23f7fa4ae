import { readFile } from 'node:fs/promises'

const RATE = 24_000

/** A person reading a sentence aloud (about 5 s), as the protocol wants audio: 16-bit mono PCM, 24 kHz. */
export async function readSpeech (): Promise<Buffer> {
  const wav = await readFile(new URL('../test/fixtures/austen-0890.wav', import.meta.url))
  const rate = wav.readUInt32LE(24)
  const count = (wav.length - 44) >> 1
  const samples = Array.from({ length: count }, (_, index) => wav.readInt16LE(44 + index * 2))
  const pcm = Buffer.alloc(Math.floor((count - 1) * RATE / rate) * 2)
  for (let index = 0; index * 2 < pcm.length; index++) {
    // Straight lines between the samples: good enough to be heard as speech.
    const at = index * rate / RATE
    const left = samples[Math.floor(at)]!
    const right = samples[Math.floor(at) + 1]!
    pcm.writeInt16LE(Math.round(left + (right - left) * (at % 1)), index * 2)
  }
  return pcm
}

/** Milliseconds of nothing. */
export function silence (ms: number): Buffer {
  return Buffer.alloc(ms * RATE / 1000 * 2)
}

/** Milliseconds that PCM lasts. */
export function lengthOf (pcm: Buffer): number {
  return pcm.length / 2 / RATE * 1000
}

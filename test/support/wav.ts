import { readFileSync } from 'node:fs'
import { concat, toSamples } from '../../lib/audio/pcm.js'
import { createResampler } from '../../lib/audio/resample.js'
import { SAMPLE_RATE } from '../../lib/engines/engine.js'

/** Samples and rate of a mono 16-bit WAV file with the plain header of 44 bytes. */
export function readWav (path: string | URL): { samples: Int16Array, rate: number } {
  const bytes = readFileSync(path)
  return { samples: toSamples(bytes.subarray(44)), rate: bytes.readUInt32LE(24) }
}

/** A clip of `test/fixtures` such as `austen-0880` at the engines' rate. */
export async function readClip (name: string): Promise<Int16Array> {
  const { samples, rate } = readWav(new URL(`../fixtures/${name}.wav`, import.meta.url))
  const resampler = await createResampler(rate, SAMPLE_RATE)
  const clip = concat([resampler.process(samples), resampler.flush()])
  resampler.free()
  return clip
}

/** The clips and what is said in them. */
export const clips: Readonly<Record<string, string>> = {
  'austen-0880': 'he was not an ill disposed young man',
  'austen-0890': 'unless to be rather cold hearted and rather selfish is to be ill disposed',
  'austen-0930': 'he might even have been made amiable himself'
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concat, toBytes } from '../lib/audio/pcm.js'
import { createResampler } from '../lib/audio/resample.js'
import { readWav } from '../lib/audio/wav.js'
import { SAMPLE_RATE } from '../lib/engines/engine.js'
import { packageRoot } from '../lib/package-root.js'
import { UsageError } from './command.js'

/** A person who reads a short sentence; see test/fixtures/README.md. */
export const packagedSpeech = join(packageRoot, 'test', 'fixtures', 'austen-0880.wav')

/** A WAV file as the protocol wants audio: 16-bit mono at 24 kHz. Throws a {@link UsageError}. */
export async function readSpeech (path: string): Promise<Int16Array> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => { throw new UsageError(`${path} cannot be read: ${error.code === 'ENOENT' ? 'it does not exist' : error.message}.`) })
  let wav
  try {
    wav = readWav(bytes)
  } catch (error) {
    throw new UsageError(`${path} cannot be used: ${(error as Error).message}.`)
  }
  if (wav.samples.length === 0) throw new UsageError(`${path} cannot be used: it has no audio.`)
  if (wav.rate === SAMPLE_RATE) return wav.samples
  const resampler = await createResampler(wav.rate, SAMPLE_RATE)
  const samples = concat([resampler.process(wav.samples), resampler.flush()])
  resampler.free()
  return samples
}

/** Audio as `input_audio_buffer.append` takes it. */
export function toBase64 (samples: Int16Array): string {
  return toBytes(samples).toString('base64')
}

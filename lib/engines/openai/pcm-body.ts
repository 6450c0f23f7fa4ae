import { toSamples } from '../../audio/pcm.js'
import { createResampler } from '../../audio/resample.js'
import { SAMPLE_RATE } from '../engine.js'

const WAV_HEADER = 44

/**
 * The samples of an answer as they stream: 24 kHz PCM as asked for, other rates if the server names one, and the
 * WAV file that some servers send whatever they are asked for.
 *
 * @throws SyntaxError for another format
 */
export async function * readPcm (response: Response): AsyncGenerator<Int16Array, void, undefined> {
  const type = response.headers.get('content-type') ?? ''
  if (/mpeg|mp3|opus|ogg|flac|aac|html|json|text/.test(type)) throw new SyntaxError(`it is ${type}`)
  let rate = Number(/rate=(\d+)/.exec(type)?.[1] ?? SAMPLE_RATE)
  let rest: Uint8Array = new Uint8Array(0)
  let begun = false
  let resampler: Awaited<ReturnType<typeof createResampler>> | undefined

  try {
    for await (const bytes of response.body ?? []) {
      let chunk = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      if (!begun) {
        if (chunk.length < WAV_HEADER) {
          rest = chunk
          continue
        }
        begun = true
        if (Buffer.from(chunk.subarray(0, 4)).toString('latin1') === 'RIFF') {
          const header = Buffer.from(chunk.subarray(0, WAV_HEADER))
          if (header.readUInt16LE(22) !== 1 || header.readUInt16LE(34) !== 16) throw new SyntaxError('it is no mono 16-bit WAV file')
          rate = header.readUInt32LE(24)
          chunk = chunk.subarray(WAV_HEADER)
        }
        if (rate !== SAMPLE_RATE) resampler = await createResampler(rate, SAMPLE_RATE)
      }
      const even = chunk.length - chunk.length % 2
      rest = chunk.slice(even)
      const samples = toSamples(chunk.slice(0, even))
      const audio = resampler === undefined ? samples : resampler.process(samples)
      if (audio.length > 0) yield audio
    }
    const tail = begun ? resampler?.flush() : toSamples(rest.slice(0))
    if (tail !== undefined && tail.length > 0) yield tail
  } finally {
    resampler?.free()
  }
}

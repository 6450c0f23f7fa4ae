import t from 'tap'
import { concat } from '../../lib/audio/pcm.js'
import { createResampler } from '../../lib/audio/resample.js'

function tone (rate: number, hertz: number, seconds: number): Int16Array {
  return Int16Array.from({ length: rate * seconds }, (_, i) => 10_000 * Math.sin(2 * Math.PI * hertz * i / rate))
}

async function resample (samples: Int16Array, from: number, to: number, chunk: number): Promise<Int16Array> {
  const resampler = await createResampler(from, to)
  const parts: Int16Array[] = []
  for (let i = 0; i < samples.length; i += chunk) parts.push(resampler.process(samples.subarray(i, i + chunk)))
  parts.push(resampler.flush())
  resampler.free()
  return concat(parts)
}

for (const [from, to] of [[24_000, 16_000], [16_000, 24_000], [8000, 24_000], [13_760, 24_000]] as const) {
  t.test(`${from} Hz to ${to} Hz gives the exact number of samples`, async (t) => {
    for (const length of [0, 1, 479, 24_001]) {
      const output = await resample(new Int16Array(length), from, to, 480)
      t.equal(output.length, Math.ceil(length * to / from))
    }
  })

  t.test(`${from} Hz to ${to} Hz keeps a tone in its place`, async (t) => {
    const output = await resample(tone(from, 440, 1), from, to, 480)
    const expected = tone(to, 440, 1)
    // The filter needs some samples at both ends.
    const worst = expected.subarray(500, -500).reduce((worst, sample, i) => Math.max(worst, Math.abs(sample - output[i + 500]!)), 0)
    t.ok(worst < 100, `differs by ${worst} of 10000`)
  })
}

t.test('chunks of any length give the same as the whole at once', async (t) => {
  const samples = tone(24_000, 300, 0.5)
  const whole = await resample(samples, 24_000, 16_000, samples.length)
  t.same(await resample(samples, 24_000, 16_000, 7), whole)
  t.same(await resample(samples, 24_000, 16_000, 5000), whole)
})

t.test('two streams do not mix', async (t) => {
  const one = await createResampler(24_000, 16_000)
  const other = await createResampler(24_000, 16_000)
  const loud = tone(24_000, 300, 0.1)
  one.process(loud)
  t.ok(other.process(new Int16Array(2400)).every((sample) => sample === 0))
  one.free()
  other.free()
})

t.test('a freed resampler refuses more', async (t) => {
  const resampler = await createResampler(24_000, 16_000)
  resampler.free()
  resampler.free()
  t.throws(() => resampler.process(new Int16Array(10)), /freed/)
})

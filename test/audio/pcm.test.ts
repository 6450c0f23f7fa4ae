import t from 'tap'
import { concat, fromFloats, msToSamples, samplesToMs, toBytes, toFloats, toSamples } from '../../lib/audio/pcm.js'

t.test('milliseconds and samples convert at 24 kHz', async (t) => {
  t.equal(msToSamples(20), 480)
  t.equal(samplesToMs(24_000), 1000)
})

t.test('samples share the memory of aligned bytes', async (t) => {
  const bytes = new Uint8Array([1, 0, 2, 0])
  const samples = toSamples(bytes)
  bytes[0] = 7
  t.same([...samples], [7, 2])
})

t.test('bytes at an odd address are copied', async (t) => {
  const bytes = new Uint8Array([9, 1, 0, 2, 0]).subarray(1)
  t.same([...toSamples(bytes)], [1, 2])
})

t.test('half a sample at the end is left out', async (t) => {
  t.same([...toSamples(new Uint8Array([1, 0, 2]))], [1])
})

t.test('bytes of a part of an array are that part', async (t) => {
  t.same([...toBytes(Int16Array.of(1, 258, 3).subarray(1, 2))], [2, 1])
})

t.test('floats come back as the same samples', async (t) => {
  const samples = Int16Array.of(0, 1, -1, 32767, -32768)
  t.same(fromFloats(toFloats(samples)), samples)
})

t.test('floats out of range are clipped', async (t) => {
  t.same([...fromFloats(Float32Array.of(1.5, -1.5))], [32767, -32768])
})

t.test('parts are joined in order', async (t) => {
  t.same([...concat([Int16Array.of(1), new Int16Array(0), Int16Array.of(2, 3)])], [1, 2, 3])
})

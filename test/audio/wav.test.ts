import t from 'tap'
import { readWav, toWav } from '../../lib/audio/wav.js'

/** A WAV file of the given samples, -1..1 and interleaved, as another program would write it. */
function encode (kind: number, bits: number, channels: number, values: number[], extra = Buffer.alloc(0)): Buffer {
  const width = bits / 8
  const data = Buffer.alloc(values.length * width)
  values.forEach((value, index) => {
    const at = index * width
    if (kind === 3) bits === 32 ? data.writeFloatLE(value, at) : data.writeDoubleLE(value, at)
    else if (bits === 8) data.writeUInt8(Math.round(value * 127) + 128, at)
    else data.writeIntLE(Math.round(value * (2 ** (bits - 1) - 1)), at, width)
  })
  const format = Buffer.alloc(16)
  format.writeUInt16LE(kind, 0)
  format.writeUInt16LE(channels, 2)
  format.writeUInt32LE(48_000, 4)
  format.writeUInt16LE(bits, 14)
  const chunk = (name: string, body: Buffer) => {
    const head = Buffer.alloc(8)
    head.write(name, 'latin1')
    head.writeUInt32LE(body.length, 4)
    return Buffer.concat([head, body])
  }
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), extra, chunk('fmt ', format), chunk('data', data)])
}

t.test('every usual kind is read as the same samples', async t => {
  for (const [kind, bits] of [[1, 8], [1, 16], [1, 24], [1, 32], [3, 32], [3, 64]] as const) {
    const { samples, rate } = readWav(encode(kind, bits, 1, [0, 0.5, -0.5]))
    t.equal(rate, 48_000)
    for (const [index, expected] of [0, 16384, -16384].entries()) t.ok(Math.abs(samples[index]! - expected) < 260, `${kind}/${bits}: ${samples[index]}`)
  }
})

t.test('several channels are mixed, and chunks that are not known are passed over', async t => {
  const list = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1')
  t.strictSame([...readWav(encode(1, 16, 2, [1, -1, 1, 1], list)).samples], [0, 32767])
})

t.test('what is written is read again', async t => {
  const samples = Int16Array.from([1, -1, 32767, -32768])
  t.strictSame(readWav(toWav(samples, 24_000)), { samples, rate: 24_000 })
})

t.test('a file that is something else says what', async t => {
  t.throws(() => readWav(Buffer.from('hello')), { message: /no WAV/ })
  t.throws(() => readWav(encode(7, 8, 1, [0])), { message: /format 7/ })
  t.throws(() => readWav(Buffer.from('RIFF\0\0\0\0WAVE', 'latin1')), { message: /no audio/ })
  t.throws(() => readWav(encode(1, 16, 1, [0]).subarray(0, 20)), { message: /no audio/ })
})

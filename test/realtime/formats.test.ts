import g711 from 'alawmulaw'
import t, { type Test } from 'tap'
import { createDecoder, createEncoder, decodeWhole, encodeWhole, loadFormats } from '../../lib/audio/formats.js'
import { concat } from '../../lib/audio/pcm.js'
import type { SttEngine } from '../../lib/engines/engine.js'
import { nobody } from '../support/casts.js'
import { base64, cannedEngines } from '../support/engines.js'
import { startServer } from '../support/server.js'

const formats = [['audio/pcmu', g711.mulaw], ['audio/pcma', g711.alaw]] as const

function sine (rate: number, hertz: number, ms: number, level = 8000): Int16Array {
  return Int16Array.from({ length: rate * ms / 1000 }, (_, i) => level * Math.sin(2 * Math.PI * hertz * i / rate))
}

/** Root mean square of the difference, relative to the level of what was wanted. */
function error (given: Int16Array, wanted: Int16Array, skip: number): number {
  let noise = 0
  let signal = 0
  for (let i = skip; i < wanted.length - skip; i++) {
    noise += (given[i]! - wanted[i]!) ** 2
    signal += wanted[i]! ** 2
  }
  return Math.sqrt(noise / signal)
}

/** Keeps what it is given. */
function hearing (): SttEngine & { heard: Int16Array[] } {
  const heard: Int16Array[] = []
  return {
    name: 'hearing',
    heard,
    async * transcribe (audio) {
      const chunks: Int16Array[] = []
      for await (const chunk of audio) chunks.push(chunk)
      heard.push(concat(chunks))
      yield { delta: 'heard' }
    }
  }
}

async function connect (t: Test, session: Record<string, unknown>) {
  const stt = hearing()
  const server = await startServer(t, { ...cannedEngines(), stt, characters: nobody })
  const client = await server.connect()
  const updated = await client.update(session)
  return { client, stt, updated }
}

t.before(loadFormats)

for (const [type, codec] of formats) {
  t.test(`${type} is accepted, shown, and decoded onto the timeline of 24 kHz`, async t => {
    const { client, stt, updated } = await connect(t, { audio: { input: { format: { type }, turn_detection: null }, output: { format: { type } } } })
    t.strictSame(updated.audio.input.format, { type })
    t.strictSame(updated.audio.output.format, { type })
    const bytes = Buffer.from(codec.encode(sine(8000, 440, 500)))
    for (let at = 0; at < bytes.length; at += 37) {
      client.send({ type: 'input_audio_buffer.append', audio: bytes.subarray(at, at + 37).toString('base64') })
    }
    client.send({ type: 'input_audio_buffer.commit' })
    await client.next('conversation.item.done')
    t.equal(await client.ask('?'), 'You said: ?')
    t.equal(stt.heard[0]!.length, 12_000, 'every byte is three samples')
    t.ok(error(stt.heard[0]!, sine(24_000, 440, 500), 500) < 0.05)
  })

  t.test(`an answer in ${type} is one stream without seams, a byte for 125 µs`, async t => {
    const { client } = await connect(t, { audio: { output: { format: { type } } } })
    client.say('How are you today')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.strictSame(response.audio.output.format, { type })
    const bytes = Buffer.concat(client.of('response.output_audio.delta').map(event => Buffer.from(event.delta, 'base64')))
    const text = 'You said: How are you today'
    t.equal(bytes.length, text.length * 160)
    const samples = codec.decode(bytes)
    t.ok(samples.subarray(100, -100).every(sample => Math.abs(sample - 1000) < 40), 'a steady tone stays steady')
  })

  t.test(`an item comes back in ${type}`, async t => {
    const { client } = await connect(t, { audio: { input: { format: { type }, turn_detection: null }, output: { format: { type } } } })
    const bytes = Buffer.from(codec.encode(sine(8000, 300, 200)))
    client.send({ type: 'input_audio_buffer.append', audio: bytes.toString('base64') })
    client.send({ type: 'input_audio_buffer.commit' })
    const { item_id: id } = await client.next('input_audio_buffer.committed')
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    const { item } = await client.next('conversation.item.retrieved')
    const part = item.type === 'message' && item.role === 'user' ? item.content[0]! : null
    const back = Buffer.from(part?.type === 'input_audio' ? part.audio! : '', 'base64')
    t.equal(back.length, bytes.length)
    t.ok(error(codec.decode(back), sine(8000, 300, 200), 100) < 0.06)
  })
}

t.test('exactly 100 ms of telephone audio can be committed', async t => {
  const { client } = await connect(t, { audio: { input: { format: { type: 'audio/pcmu' }, turn_detection: null } } })
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(800, 255).toString('base64') })
  client.send({ type: 'input_audio_buffer.commit' })
  await client.next('input_audio_buffer.committed')
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(799, 255).toString('base64') })
  t.match(await client.fail({ type: 'input_audio_buffer.commit' }), { code: 'input_audio_buffer_commit_empty', message: /99\.88ms/ })
})

t.test('a format that changes in the middle counts for what comes after', async t => {
  const { client, stt } = await connect(t, { audio: { input: { turn_detection: null } } })
  client.append(sine(24_000, 440, 250))
  await client.update({ audio: { input: { format: { type: 'audio/pcma' } } } })
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.from(g711.alaw.encode(sine(8000, 440, 250))).toString('base64') })
  await client.update({ audio: { input: { format: { type: 'audio/pcm', rate: 24_000 } } } })
  client.append(sine(24_000, 440, 250))
  client.send({ type: 'input_audio_buffer.commit' })
  await client.next('conversation.item.done')
  await client.ask('?')
  t.equal(stt.heard[0]!.length, 18_000)
  for (const at of [0, 6000, 12_000]) t.ok(error(stt.heard[0]!.subarray(at, at + 6000), sine(24_000, 440, 250), 500) < 0.05)
})

t.test('an update and audio of the new format may come in one go', async t => {
  const { client } = await connect(t, {})
  client.send({ type: 'session.update', session: { type: 'realtime', audio: { input: { format: { type: 'audio/pcmu' }, turn_detection: null } } } })
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(1600, 255).toString('base64') })
  client.send({ type: 'input_audio_buffer.commit' })
  await client.next('input_audio_buffer.committed')
})

t.test('voice detection hears telephone audio at positions of the session', async t => {
  const { client } = await connect(t, { audio: { input: { format: { type: 'audio/pcmu' }, transcription: { model: 'any' } } } })
  const sound = concat([new Int16Array(8000), sine(8000, 200, 500, 16_000), new Int16Array(8000)])
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.from(g711.mulaw.encode(sound)).toString('base64') })
  const { audio_start_ms: start } = await client.next('input_audio_buffer.speech_started')
  const { audio_end_ms: end } = await client.next('input_audio_buffer.speech_stopped')
  t.ok(Math.abs(start - 700) <= 32, `started at ${start}`)
  t.ok(Math.abs(end - 2000) <= 64, `stopped at ${end}`)
})

t.test('one response may have a format of its own', async t => {
  const { client } = await connect(t, {})
  client.say('hi')
  client.send({ type: 'response.create', response: { audio: { output: { format: { type: 'audio/pcma' } } } } })
  t.strictSame((await client.next('response.done')).response.audio.output.format, { type: 'audio/pcma' })
  t.equal(Buffer.concat(client.of('response.output_audio.delta').map(event => Buffer.from(event.delta, 'base64'))).length, 12 * 160)
})

t.test('what telephones cannot carry is filtered out, not folded back', async t => {
  const whole = decodeWhole(encodeWhole(sine(24_000, 6000, 500), 'audio/pcmu'), 'audio/pcmu')
  t.ok(whole.subarray(1000, -1000).every(sample => Math.abs(sample) < 100))
})

t.test('pieces of any length give the same as the whole', async t => {
  for (const type of ['audio/pcm', 'audio/pcmu', 'audio/pcma'] as const) {
    const samples = sine(24_000, 300, 300)
    const encoder = createEncoder(type)
    const parts: Buffer[] = []
    for (let at = 0; at < samples.length; at += 101) parts.push(Buffer.from(encoder.encode(samples.subarray(at, at + 101))))
    const bytes = Buffer.concat([...parts, encoder.flush()])
    encoder.free()
    t.ok(bytes.equals(encodeWhole(samples, type)), type)

    const decoder = createDecoder(type)
    const back: Int16Array[] = []
    for (let at = 0; at < bytes.length; at += 7) back.push(decoder.decode(bytes.subarray(at, at + 7)))
    back.push(decoder.flush())
    decoder.free()
    t.equal(base64(concat(back)), base64(decodeWhole(bytes, type)), type)
    t.equal(concat(back).length, samples.length)
  }
})

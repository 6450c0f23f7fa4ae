import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { createDemoLlm } from '../../lib/engines/demo/llm.js'
import type { LlmEngine } from '../../lib/engines/engine.js'
import { type TestClient, textOf } from '../support/client.js'
import { hang } from '../support/engines.js'
import { startLocalServer } from '../support/server.js'
import { clips, readClip } from '../support/wav.js'
import { countWrongWords, toWords } from '../support/words.js'

// Human speech in, speech out: everything local and real, the default cast and the demo brain included.

const demo = createDemoLlm()
/** The demo brain, which on one request never stops talking. */
const llm: LlmEngine = {
  name: demo.name,
  model: demo.model,
  async * generate (request, options) {
    if (request.messages.at(-1)?.content !== 'Talk for ever.') return yield * demo.generate(request, options)
    yield { type: 'text', delta: 'Once upon a time there was a lighthouse on a hill. And then ' }
    yield await hang(options.signal)
  }
}

// To talk is to wait: two do it at the same time.
t.jobs = 2
const server = await startLocalServer(t, { llm })
const silence = (ms: number): Int16Array => new Int16Array(ms * 24)
const transcription = { model: 'whisper-1', language: 'en' }

/** Sends audio as a microphone does: chunks of 40 ms, each when it is due. */
async function speak (client: TestClient, samples: Int16Array): Promise<void> {
  const started = performance.now()
  for (let ms = 0; ms * 24 < samples.length; ms += 40) {
    const early = ms - (performance.now() - started)
    if (early > 0) await wait(early)
    client.append(samples.subarray(ms * 24, (ms + 40) * 24))
  }
}

/** What one more session of this server hears in a recording. */
async function hear (samples: Int16Array): Promise<string> {
  const listener = await server.connect()
  await listener.update({ audio: { input: { turn_detection: null, transcription } } })
  listener.append(samples, 1000)
  listener.append(silence(300))
  listener.send({ type: 'input_audio_buffer.commit' })
  const { transcript } = await listener.next('conversation.item.input_audio_transcription.completed')
  await listener.close()
  return transcript
}

t.test('three clips in one conversation: at most 2 of 29 words wrong, each answered aloud', async t => {
  const client = await server.connect()
  await client.update({ audio: { input: { transcription } } })
  let wrong = 0
  let clock = 0
  for (const [name, words] of Object.entries(clips)) {
    const clip = await readClip(name)
    await speak(client, clip)
    await speak(client, silence(800))
    const { response } = await client.next('response.done')
    t.equal(response.status, 'completed')
    t.ok(toWords(textOf(response)).length > 0, textOf(response))
    t.ok(client.audio(response.output[0]!.id).length > 24_000 / 2, 'half a second or more')

    const started = client.of('input_audio_buffer.speech_started').at(-1)!
    const stopped = client.of('input_audio_buffer.speech_stopped').at(-1)!
    const end = clock + clip.length / 24 + 800
    t.ok(started.audio_start_ms >= clock - 300 && stopped.audio_end_ms <= end, `${started.audio_start_ms} to ${stopped.audio_end_ms} ms`)
    clock = end

    const { transcript } = client.of('conversation.item.input_audio_transcription.completed').find(event => event.item_id === started.item_id) ??
      await client.next('conversation.item.input_audio_transcription.completed', event => event.item_id === started.item_id)
    const faults = countWrongWords(transcript, words)
    t.comment(`${faults} wrong: ${transcript}`)
    wrong += faults
  }
  t.equal(client.of('input_audio_buffer.committed').length, 3)
  t.ok(wrong <= 2, `${wrong} of ${Object.values(clips).flatMap(toWords).length} words wrong`)
})

t.test('a clip in one burst is heard as well', async t => {
  const client = await server.connect()
  await client.update({ audio: { input: { transcription } } })
  client.append(await readClip('austen-0890'))
  client.append(silence(1000))
  const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
  t.ok(countWrongWords(transcript, clips['austen-0890']!) <= 2, transcript)
})

t.test('push to talk is heard as well', async t => {
  t.ok(countWrongWords(await hear(await readClip('austen-0880')), clips['austen-0880']!) <= 1)
})

t.test('silence and noise before the speech are no turn', async t => {
  const client = await server.connect()
  client.append(silence(2000))
  client.append(silence(2000).map(() => 300 * (Math.random() - 0.5)))
  client.append(await readClip('austen-0930'))
  client.append(silence(1000))
  await client.next('response.created')
  const [started, ...others] = client.of('input_audio_buffer.speech_started')
  t.same(others, [])
  t.ok(started!.audio_start_ms > 3000, `${started!.audio_start_ms} ms`)
})

t.test('the answer\'s sound is the answer\'s words', async t => {
  const client = await server.connect()
  const words = toWords(await client.ask('Who are you?', {}))
  t.ok(words.length >= 5)
  const heard = new Set(toWords(await hear(client.audio())))
  const found = words.filter(word => heard.has(word))
  t.ok(found.length >= words.length * 0.7, `${found.length} of ${words.length}: ${words.join(' ')} | ${[...heard].join(' ')}`)
})

t.test('characters sound different', async t => {
  const client = await server.connect()
  const answers: Int16Array[] = []
  for (const character of client.of('session.created')[0]!.session.characters.slice(0, 3)) {
    await client.update({ character })
    client.send({ type: 'response.create', response: { conversation: 'none', input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'xyzzy' }] }] } })
    const { response } = await client.next('response.done')
    answers.push(client.audio(response.output[0]!.id))
  }
  t.ok(answers.every(audio => audio.length > 12_000))
  t.equal(new Set(answers.map(audio => Buffer.from(audio.buffer).toString('base64'))).size, 3)
})

t.test('real speech interrupts the answer and is answered itself', async t => {
  const client = await server.connect()
  await client.update({ audio: { input: { transcription } } })
  client.say('Talk for ever.')
  client.send({ type: 'response.create' })
  await client.next('response.output_audio.delta')
  const said = speak(client, Int16Array.from([...silence(200), ...await readClip('austen-0930'), ...silence(900)]))
  await client.next('input_audio_buffer.speech_started')
  const { response } = await client.next('response.done')
  t.match(response, { status: 'cancelled', status_details: { reason: 'turn_detected' }, output: [{ status: 'incomplete' }] })
  const [item] = response.output
  client.send({ type: 'conversation.item.truncate', item_id: item!.id, content_index: 0, audio_end_ms: 700 })
  await client.next('conversation.item.truncated')
  t.match((await client.next('response.done')).response, { status: 'completed' })
  await said
  const { transcript } = client.of('conversation.item.input_audio_transcription.completed')[0]!
  t.ok(countWrongWords(transcript, clips['austen-0930']!) <= 2, transcript)
  client.send({ type: 'conversation.item.retrieve', item_id: item!.id })
  const { item: cut } = await client.next('conversation.item.retrieved')
  t.match(cut, { content: [{ transcript: /^Once upon/ }] })
  t.notMatch(cut, { content: [{ transcript: /hill/ }] })
})

t.test('the threshold decides what counts as speech', async t => {
  const listen = async (threshold: number): Promise<TestClient> => {
    const client = await server.connect()
    await client.update({ audio: { input: { turn_detection: { type: 'server_vad', threshold, create_response: false } } } })
    return client
  }
  const everything = await listen(0)
  everything.append(silence(400))
  await everything.next('input_audio_buffer.speech_started')

  const nothing = await listen(1)
  const usual = await listen(0.5)
  const clip = Int16Array.from([...silence(400), ...await readClip('austen-0930'), ...silence(900)])
  nothing.append(clip)
  // It is with the engine before the other one's.
  await nothing.settle()
  usual.append(clip)
  await usual.next('input_audio_buffer.speech_stopped')
  await nothing.settle()
  t.strictSame(nothing.of('input_audio_buffer.speech_started'), [])
})

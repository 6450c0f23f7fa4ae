import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { concat } from '../../lib/audio/pcm.js'
import type { SttEngine } from '../../lib/engines/engine.js'
import { createKyutaiStt } from '../../lib/engines/kyutai/stt.js'
import { completeness } from '../../lib/realtime/end-of-turn.js'
import { IdleWatch } from '../../lib/realtime/idle-watch.js'
import { nobody } from '../support/casts.js'
import { cannedEngines, tone } from '../support/engines.js'
import { startMoshiServer } from '../support/moshi-server.js'
import { startServer } from '../support/server.js'

/** Says at once, while there is still speech, what it seems to hear. */
function guessing (tentative: string): SttEngine {
  return {
    name: 'guessing',
    async * transcribe (audio, { signal }) {
      for await (const chunk of audio) if (chunk.length > 0) yield { delta: '', tentative }
      signal.throwIfAborted()
      yield { delta: tentative }
    }
  }
}

async function connect (t: Test, detection: Record<string, unknown>, stt: SttEngine = cannedEngines().stt) {
  const engines = { ...cannedEngines(), stt }
  const server = await startServer(t, { ...engines, characters: nobody })
  const client = await server.connect()
  await client.update({ output_modalities: ['text'], audio: { input: { turn_detection: detection } } })
  return { client, engines }
}

const spoken = (pause: number) => concat([tone(500, 0), tone(400), tone(pause, 0)])

/** Milliseconds of pause after which the turn was over; the speech ends at 900. */
async function pauseOf (t: Test, words: string, eagerness: string): Promise<number> {
  const { client } = await connect(t, { type: 'semantic_vad', eagerness }, guessing(words))
  client.append(spoken(9000), 32)
  const { audio_end_ms: end } = await client.next('input_audio_buffer.speech_stopped')
  return end - 900
}

const near = (t: Test, given: number, wanted: number) => t.ok(Math.abs(given - wanted) <= 96, `${given} ms, about ${wanted}`)

t.test('semantic_vad ends a finished sentence soon and waits for one that has to go on', async t => {
  near(t, await pauseOf(t, 'I would like a coffee.', 'medium'), 600)
  near(t, await pauseOf(t, 'I would like a coffee and', 'medium'), 4000)
  near(t, await pauseOf(t, 'I would like a coffee and.', 'medium'), 4000)
  near(t, await pauseOf(t, 'I would like', 'medium'), 1200)
})

t.test('eagerness bounds the wait to 8, 4 or 2 seconds', async t => {
  near(t, await pauseOf(t, 'because', 'low'), 8000)
  near(t, await pauseOf(t, 'because', 'auto'), 4000)
  near(t, await pauseOf(t, 'because', 'high'), 2000)
  near(t, await pauseOf(t, 'Yes.', 'high'), 350)
  near(t, await pauseOf(t, 'Yes.', 'low'), 1000)
})

t.test('semantic_vad without words so far goes by the pause', async t => {
  const { client } = await connect(t, { type: 'semantic_vad', eagerness: 'high' })
  client.append(spoken(1500))
  near(t, (await client.next('input_audio_buffer.speech_stopped')).audio_end_ms - 900, 700)
  await client.next('response.done')
})

t.test('semantic_vad is shown whole, and answers like server_vad', async t => {
  const { client } = await connect(t, { type: 'semantic_vad' }, guessing('Hello.'))
  t.strictSame(client.of('session.updated')[0]!.session.audio.input.turn_detection,
    { type: 'semantic_vad', eagerness: 'auto', create_response: true, interrupt_response: true })
  client.append(spoken(1500))
  await client.next('response.done')
  t.strictSame(client.types(2).slice(0, 6), [
    'input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped', 'input_audio_buffer.committed',
    'conversation.item.added', 'conversation.item.done', 'response.created'
  ])
})

t.test('the last word tells whether something has to follow', async t => {
  for (const words of ['I want the', 'So, um', 'Um.', 'and', 'because.', 'I\'m', 'I’m', 'first,', 'well...', 'It is my']) t.equal(completeness(words, 'en'), 'unfinished', words)
  for (const words of ['Yes.', 'Who are you?', 'Stop!', 'He said "no."', 'It costs 5.']) t.equal(completeness(words, 'en'), 'finished', words)
  for (const words of ['', 'Yes', 'I think so.', 'Where it is.', 'Come in.', 'So']) t.equal(completeness(words, null), 'open', words)
  t.equal(completeness('Ich komme, weil', 'de'), 'unfinished')
  t.equal(completeness('Je viens parce que', 'fr-FR'), 'unfinished')
  t.equal(completeness('Vengo porque', 'es'), 'unfinished')
  t.equal(completeness('The die.', 'de'), 'open')
  t.equal(completeness('そして。', 'ja'), 'finished')
})

t.test('silence after an answer has the model go on, in the order of the protocol', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { client, engines } = await connect(t, { type: 'server_vad', idle_timeout_ms: 5000 })
  await client.update({ output_modalities: ['audio'], audio: { input: { transcription: { model: 'any' } } } })
  client.append(tone(1000, 0))
  client.say('hi')
  client.send({ type: 'response.create' })
  await client.next('rate_limits.updated')
  const from = client.events.length

  // 12 letters are 240 ms of sound, which are played first.
  mock.timers.tick(240)
  client.append(tone(500, 0))
  await client.settle()
  mock.timers.tick(4999)
  await client.settle()
  t.equal(client.events.length, from)
  mock.timers.tick(1)
  const timeout = await client.next('input_audio_buffer.timeout_triggered')
  await client.next('response.done')

  t.match(timeout, { audio_start_ms: 1000, audio_end_ms: 1500 })
  t.strictSame(client.types(from).filter(type => !/transcription|output|content|rate_limits/.test(type)).slice(0, 7), [
    'input_audio_buffer.timeout_triggered', 'conversation.item.added', 'conversation.item.done',
    'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done', 'response.created'
  ])
  const [note, user] = client.of('conversation.item.added').filter(event => client.events.indexOf(event) >= from)
  t.match(note!.item, { type: 'message', role: 'system', content: [{ type: 'input_text' }] })
  t.match(user, { previous_item_id: note!.item.id, item: { id: timeout.item_id, role: 'user', content: [{ type: 'input_audio', transcript: null }] } })
  t.match(client.of('conversation.item.input_audio_transcription.completed').at(-1), { item_id: timeout.item_id, transcript: '', usage: { type: 'duration', seconds: 0 } })
  t.match(engines.llm.requests.at(-1)!.messages.at(-1), { role: 'system', content: /said nothing/ })
})

t.test('who speaks, types or has no idle timeout is not called idle', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { client } = await connect(t, { type: 'server_vad', idle_timeout_ms: 5000 })
  await client.ask('hi')
  client.append(tone(400))
  await client.next('input_audio_buffer.speech_started')
  mock.timers.tick(0)
  mock.timers.tick(10_000)
  client.append(tone(700, 0))
  await client.next('response.done')
  await client.update({ audio: { input: { turn_detection: { type: 'server_vad' } } } })
  mock.timers.tick(0)
  mock.timers.tick(10_000)
  await client.settle()
  t.equal(client.of('input_audio_buffer.timeout_triggered').length, 0)
})

t.test('an idle timeout outside of 5 to 30 seconds is refused', async t => {
  const { client } = await connect(t, { type: 'server_vad' })
  for (const ms of [4999, 30_001]) {
    t.match(await client.fail({ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: { type: 'server_vad', idle_timeout_ms: ms } } } } }),
      { code: 'invalid_value', param: 'session.audio.input.turn_detection.idle_timeout_ms' })
  }
})

t.test('a new wait takes the place of the one before', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const idle: number[][] = []
  const watch = new IdleWatch(() => 7, (...stretch) => idle.push(stretch))
  watch.arm(0, 100)
  watch.arm(50, 100)
  mock.timers.tick(50)
  mock.timers.tick(99)
  t.strictSame(idle, [])
  mock.timers.tick(1)
  t.strictSame(idle, [[7, 7]])
  watch.arm(0, 100)
  watch.disarm()
  mock.timers.tick(1000)
  t.equal(idle.length, 1)
})

t.test('a recogniser that predicts the ends of turns', async t => {
  /** Is as sure as this that the speaker is done, whatever is said. */
  const predicting = (pause: number): SttEngine => ({
    name: 'predicting',
    async * transcribe (audio, { signal }) {
      for await (const chunk of audio) if (chunk.length > 0) yield { delta: '', tentative: 'I think', pause }
      signal.throwIfAborted()
      yield { delta: 'I think so.' }
    }
  })
  const waits: [Record<string, unknown>, number, number][] = [
    [{ type: 'semantic_vad', eagerness: 'auto' }, 0.7, 96],
    [{ type: 'semantic_vad', eagerness: 'auto' }, 0.5, 4000],
    [{ type: 'semantic_vad', eagerness: 'high' }, 0.5, 96],
    [{ type: 'semantic_vad', eagerness: 'low' }, 0.7, 8000],
    [{ type: 'server_vad', silence_duration_ms: 1500 }, 0.7, 96],
    [{ type: 'server_vad', silence_duration_ms: 1500 }, 0.5, 1500]
  ]
  for (const [detection, pause, wanted] of waits) {
    t.test(`at ${pause} ends a turn of ${Object.values(detection).join(' ')} after ${wanted} ms`, async t => {
      const { client } = await connect(t, detection, predicting(pause))
      client.append(spoken(9000), 32)
      near(t, (await client.next('input_audio_buffer.speech_stopped')).audio_end_ms - 900, wanted)
    })
  }

  t.test('on another machine ends the turn as soon as its prediction arrives', async t => {
    const moshi = await startMoshiServer()
    const stt = createKyutaiStt({ baseUrl: moshi.url })
    t.teardown(async () => {
      await stt.close!()
      await moshi.close()
    })
    const { client } = await connect(t, { type: 'server_vad', silence_duration_ms: 10_000, create_response: false }, stt)
    await client.update({ audio: { input: { transcription: { model: 'any' } } } })
    client.append(concat([tone(500, 0), tone(2000)]))
    // As a microphone would go on: its silence is much shorter than the one that would end the turn.
    let silence = 0
    for (; client.of('input_audio_buffer.speech_stopped').length === 0 && silence < 8000; silence += 160) {
      client.append(tone(160, 0))
      await client.settle()
    }
    t.ok(silence < 8000, `${silence} ms of silence`)
    t.match(await client.next('conversation.item.input_audio_transcription.completed'), { transcript: 'word1 word2 word3 word4 word5' })
  })
})

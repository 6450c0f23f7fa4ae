import t from 'tap'
import type { LlmEvent, SttEngine, TtsEngine } from '../../lib/engines/engine.js'
import { nobody } from '../support/casts.js'
import { connect } from '../support/conversing.js'
import { cannedEngines, countingStt, echo, hang, says, scriptedLlm, tone, toneTts } from '../support/engines.js'
import { failing, guarded, request, signal, withModel } from '../support/guarding.js'
import { utterance } from '../support/listening.js'
import { startServer } from '../support/server.js'
import { collect } from '../support/streams.js'
import { latch } from '../support/transcript.js'

// What becomes of an engine that says nothing.

const soon = { firstResultTimeoutMs: 600, stallTimeoutMs: 600 }

t.test('a model that says nothing ends the response, before its first word and in the middle of it', async t => {
  const { chat, client } = await withModel(t, soon)
  chat.script(['stall'], [{ text: 'One' }, 'stall'])
  t.equal(await client.ask('Hi'), '')
  t.equal(await client.ask('Hi'), 'One')
  t.match(client.of('response.done').map(({ response }) => response.status_details), [
    { ...failing, error: { ...failing.error, message: /did not begin to answer within 0.6 s/ } },
    { ...failing, error: { ...failing.error, message: /fell silent in the middle of its answer for 0.6 s/ } }
  ])
  for (const { closed } of chat.requests) t.equal(await closed, 'abandoned')
  t.equal(await client.ask('Hi'), 'Hello there.')
})

t.test('an engine that says nothing and ignores its signal ends it as well', async t => {
  let deaf = true
  const server = await startServer(t, {
    characters: nobody,
    llm: { ...scriptedLlm(), policy: soon, async * generate () { yield * deaf ? [await new Promise<never>(() => {})] : says('Here.') } }
  })
  const client = await server.connect()
  t.equal(await client.ask('Hi'), '')
  t.match(client.of('response.done')[0]!.response.status_details, { error: { code: 'engine_failed', message: 'The language model (scripted) did not begin to answer: nothing came for 0.6 s.' } })
  deaf = false
  t.equal(await client.ask('Hi'), 'Here.')
})

t.test('a recogniser that says nothing fails the answer to that turn', async t => {
  let deaf = true
  const stt: SttEngine = {
    ...countingStt(),
    policy: soon,
    async * transcribe (audio, options) {
      if (deaf) await hang(options.signal)
      yield * countingStt().transcribe(audio, options)
    }
  }
  const { client } = await connect(t, echo, { stt })
  client.append(utterance(0, 300, 1000))
  t.match((await client.next('response.done')).response, { status: 'failed', status_details: { error: { message: /Speech recognition \(counting\) did not begin/ } } })
  deaf = false
  client.append(utterance(0, 300, 1000))
  t.equal((await client.next('response.done')).response.status, 'completed')
})

t.test('a voice that says nothing fails the response, though the model is done', async t => {
  const tts: TtsEngine = { ...toneTts(), policy: soon, async * synthesize (words, { signal }) { yield await hang(signal) } }
  const { client } = await connect(t, echo, { tts })
  client.say('Hi')
  t.match(await client.respond(), { status: 'failed', status_details: { error: { message: /The voice \(tone\) did not begin/ } } })
  t.equal(await client.ask('Hi'), 'You said: Hi')
})

t.test('voice detection that says nothing is opened anew, and the turn goes on', async t => {
  const canned = cannedEngines()
  let opened = 0
  const server = await startServer(t, {
    characters: nobody,
    vad: {
      ...canned.vad,
      policy: soon,
      async * detect (audio, options) {
        const stuck = opened++ === 0
        let frames = 0
        for await (const frame of canned.vad.detect(audio, options)) {
          if (stuck && ++frames > 5) await new Promise(() => {})
          yield frame
        }
      }
    }
  })
  const client = await server.connect()
  client.append(tone(300))
  client.append(tone(1000, 0))
  await client.next('input_audio_buffer.speech_started')
  t.equal((await client.next('response.done')).response.status, 'completed')
  t.equal(client.of('error').length, 0)
  t.equal(opened, 2)
})

t.test('an engine is not overdue while nothing is owed: a model that thinks between two clauses costs no voice', async t => {
  const guard = guarded({ tts: { ...toneTts(), policy: soon } })
  const { opened, open } = latch()
  async function * words (): AsyncGenerator<string> {
    yield 'One, '
    await opened
    yield 'two.'
  }
  const chunks = guard.engines.tts.synthesize(words(), { signal: signal(), voice: 'low' })[Symbol.asyncIterator]()
  t.equal((await chunks.next()).value?.text, 'One, ')
  const second = chunks.next()
  // As long as another stream takes to be overdue.
  await t.rejects(collect(guarded({ llm: { ...scriptedLlm(() => [] as LlmEvent[]), policy: soon, async * generate (r, { signal }) { yield await hang(signal) } } }).engines.llm.generate(request, { signal: signal() })), { code: 'engine_failed' })
  open()
  t.equal((await second).value?.text, 'two.')
  await chunks.return?.()
})

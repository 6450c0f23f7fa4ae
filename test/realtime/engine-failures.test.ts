import t from 'tap'
import { EngineError } from '../../lib/engines/engine.js'
import { aloud, connect, inTurn, text, told } from '../support/conversing.js'
import { countingStt, hang, says, tone, toneTts, type Script } from '../support/engines.js'

// PROTOCOL section 10: engines that break in the middle of a turn.

t.test('failing engines', async t => {
  const next: Script = () => says('Back again.')

  t.test('a model that cannot be reached fails the response with the engine\'s own words', async t => {
    const { client } = await connect(t, inTurn(() => { throw new EngineError('engine_unavailable', 'scripted', 'The language model at http://127.0.0.1:9 cannot be reached.') }, next))
    client.say('hi')
    client.send({ type: 'response.create', response: text })
    const { response } = await client.next('response.done')
    t.match(response, { status: 'failed', output: [] })
    t.strictSame(response.status_details, {
      type: 'failed',
      error: { type: 'server_error', code: 'engine_unavailable', message: 'The language model at http://127.0.0.1:9 cannot be reached.' }
    })
    t.equal(await client.ask('hi'), 'Back again.')
    t.equal(client.of('error').length, 0)
  })

  t.test('a model that breaks in the middle leaves what it said, incomplete', async t => {
    const { client } = await connect(t, inTurn(function * () {
      yield { type: 'text', delta: 'I was' }
      throw new Error('secret inside')
    }, next))
    client.say('hi')
    const from = client.events.length
    client.send({ type: 'response.create', response: text })
    const { response } = await client.next('response.done')
    t.match(response, { status: 'failed', output: [{ status: 'incomplete', content: [{ text: 'I was' }] }] })
    await client.next('rate_limits.updated')
    t.same(client.types(from).slice(-6, -1), ['response.output_text.done', 'response.content_part.done', 'conversation.item.done', 'response.output_item.done', 'response.done'])
    t.notMatch(JSON.stringify(client.events), /secret/)
    t.equal(await client.ask('hi'), 'Back again.')
  })

  t.test('a voice that breaks in the middle fails the response, and the next one speaks', async t => {
    const tts = toneTts()
    let broken = true
    const { client } = await connect(t, () => says('One part, said. Another part.'), {
      tts: {
        ...tts,
        async * synthesize (words, options) {
          for await (const chunk of tts.synthesize(words, options)) {
            yield chunk
            if (broken && client.audio().length >= 0) throw new EngineError('engine_failed', 'tone', 'The voice is hoarse.')
          }
        }
      }
    })
    const item = await aloud(client)
    t.match(client.of('response.done')[0]!.response.status_details, { type: 'failed', error: { code: 'engine_failed', message: 'The voice is hoarse.' } })
    t.match(item, { status: 'incomplete' })
    broken = false
    t.match(await aloud(client), { status: 'completed' })
    t.match(client.of('response.done')[1]!.response, { status: 'completed' })
  })

  t.test('a voice that breaks ends a response whose model goes on for ever', async t => {
    const { client } = await connect(t, async function * (request, signal) {
      yield { type: 'text', delta: 'Hello there. How' }
      yield await hang(signal)
    }, {
      tts: {
        ...toneTts(),
        synthesize: () => { throw new EngineError('engine_failed', 'tone', 'No voice.') }
      }
    })
    client.say('hi')
    client.send({ type: 'response.create' })
    t.match((await client.next('response.done')).response, { status: 'failed', status_details: { error: { code: 'engine_failed' } } })
  })

  t.test('ears that break fail the response to that turn, and not the next', async t => {
    const stt = countingStt()
    let broken = true
    const { client, llm } = await connect(t, next, {
      stt: {
        ...stt,
        async * transcribe (audio, options) {
          if (broken) throw new EngineError('engine_failed', 'counting', 'The ears are shut.')
          yield * stt.transcribe(audio, options)
        }
      }
    })
    await client.update({ audio: { input: { turn_detection: null } } })
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    await client.next('conversation.item.done')
    client.send({ type: 'response.create', response: text })
    t.match((await client.next('response.done')).response, {
      status: 'failed',
      output: [],
      status_details: { type: 'failed', error: { type: 'server_error', code: 'engine_failed', message: 'The ears are shut.' } }
    })

    broken = false
    t.equal(await client.ask('Then in writing.'), 'Back again.')
    t.same(told(llm.requests[0]!), ['user: "Then in writing."'])
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    client.send({ type: 'response.create', response: text })
    t.equal((await client.next('response.done')).response.status, 'completed')
    t.same(told(llm.requests[1]!).slice(-1), ['user: "200 ms of audio"'])
  })

  t.test('words that were not understood are told apart where transcription was asked for', async t => {
    const { client } = await connect(t, next, {
      stt: { name: 'deaf', async * transcribe () { throw new Error('secret inside') } }
    })
    await client.update({ audio: { input: { turn_detection: null, transcription: { model: 'whisper-1' } } } })
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    const { item } = await client.next('conversation.item.done')
    const { type, event_id: id, ...failed } = await client.next('conversation.item.input_audio_transcription.failed')
    t.strictSame(failed, {
      item_id: item.id,
      content_index: 0,
      error: { type: 'server_error', code: 'engine_failed', message: 'The server had an error while listening.', param: null }
    })
  })
})

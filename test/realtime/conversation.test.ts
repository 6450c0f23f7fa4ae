import t, { type Test } from 'tap'
import { EngineError, type LlmEvent, type SttEngine, type TtsEngine } from '../../lib/engines/engine.js'
import type { Item } from '../../lib/realtime/events/items.js'
import { characterSource } from '../support/casts.js'
import { type TestClient, textOf } from '../support/client.js'
import { base64, calls, cannedEngines, countingStt, echo, hang, says, type Script, tone, toneTts } from '../support/engines.js'
import { startServer } from '../support/server.js'
import { latch, transcript } from '../support/transcript.js'

// The events of PROTOCOL section 7, and what the model is told.

const nobody = t.testdir({ 'nobody.ts': characterSource('Nobody') })

/** A client whose model follows a script, in a session without a character. */
async function connect (t: Test, script: Script = echo, engines: { stt?: SttEngine, tts?: TtsEngine } = {}) {
  const canned = { ...cannedEngines(script), ...engines }
  const server = await startServer(t, { ...canned, characters: { directory: nobody, default: null } })
  const client = await server.connect()
  return { client, server, llm: canned.llm }
}

/** A script for each time the model is asked. */
function inTurn (...scripts: Script[]): Script {
  let count = 0
  return (request, signal) => scripts[Math.min(count++, scripts.length - 1)]!(request, signal)
}

const text = { output_modalities: ['text'] }
const tool = (name: string) => ({ type: 'function', name, description: `Does ${name}.`, parameters: { type: 'object', properties: {} } })
const userItem = (words: string, id?: string) => ({ ...id === undefined ? {} : { id }, type: 'message', role: 'user', content: [{ type: 'input_text', text: words }] })
const usage = (input: number, output: number) => ({
  total_tokens: input + output,
  input_tokens: input,
  output_tokens: output,
  input_token_details: {
    text_tokens: input,
    audio_tokens: 0,
    image_tokens: 0,
    cached_tokens: 0,
    cached_tokens_details: { text_tokens: 0, audio_tokens: 0, image_tokens: 0 }
  },
  output_token_details: { text_tokens: output, audio_tokens: 0 }
})
const responseObject = (fields: object) => ({
  object: 'realtime.response',
  id: 'resp_1',
  status: 'in_progress',
  status_details: null,
  output: [],
  conversation_id: 'conv_1',
  output_modalities: ['text'],
  max_output_tokens: 'inf',
  audio: { output: { format: { type: 'audio/pcm', rate: 24000 }, voice: 'alloy' } },
  usage: null,
  metadata: null,
  ...fields
})
const rateLimits = { type: 'rate_limits.updated', rate_limits: [{ name: 'tokens', limit: 1_000_000, remaining: 1_000_000, reset_seconds: 0 }] }

/** What the model was told, without the system prompt. */
const told = (request: { messages: { role: string, content: unknown }[] }) => request.messages.slice(1).map(({ role, content }) => `${role}: ${JSON.stringify(content)}`)

/** Asks for an answer aloud, and gives the item that was said. */
async function aloud (client: TestClient, words = 'hi'): Promise<Item> {
  client.say(words)
  client.send({ type: 'response.create' })
  return (await client.next('response.done')).response.output[0]!
}

t.test('an answer in writing has the events of PROTOCOL 7.1, with all their keys', async t => {
  const { client } = await connect(t, () => says('Hello you.'))
  client.send({ type: 'conversation.item.create', item: userItem('hi', 'greeting') })
  client.send({ type: 'response.create', response: text })
  await client.next('rate_limits.updated')

  const user = { id: 'greeting', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }
  const open = { id: 'item_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] }
  const done = { ...open, status: 'completed', content: [{ type: 'output_text', text: 'Hello you.' }] }
  const of = { response_id: 'resp_1', item_id: 'item_1', output_index: 0, content_index: 0 }
  t.strictSame(transcript(client.events.slice(1)), [
    { type: 'conversation.item.added', previous_item_id: null, item: user },
    { type: 'conversation.item.done', previous_item_id: null, item: user },
    { type: 'response.created', response: responseObject({}) },
    { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
    { type: 'conversation.item.added', previous_item_id: 'greeting', item: open },
    { type: 'response.content_part.added', ...of, part: { type: 'text', text: '' } },
    { type: 'response.output_text.delta', ...of, delta: 'Hello' },
    { type: 'response.output_text.delta', ...of, delta: ' you.' },
    { type: 'response.output_text.done', ...of, text: 'Hello you.' },
    { type: 'response.content_part.done', ...of, part: { type: 'text', text: 'Hello you.' } },
    { type: 'conversation.item.done', previous_item_id: 'greeting', item: done },
    { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done },
    { type: 'response.done', response: responseObject({ status: 'completed', output: [done], usage: usage(7, 3) }) },
    rateLimits
  ])
})

t.test('an answer aloud has the events of PROTOCOL 7.2, with all their keys', async t => {
  const { client } = await connect(t, () => says('Hey.'))
  client.say('hi')
  client.send({ type: 'response.create' })
  await client.next('rate_limits.updated')

  const open = { id: 'item_2', type: 'message', status: 'in_progress', role: 'assistant', content: [] }
  const done = { ...open, status: 'completed', content: [{ type: 'output_audio', transcript: 'Hey.' }] }
  const of = { response_id: 'resp_1', item_id: 'item_2', output_index: 0, content_index: 0 }
  const modalities = { output_modalities: ['audio'] }
  t.strictSame(transcript(client.events).slice(3), [
    { type: 'response.created', response: responseObject(modalities) },
    { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
    { type: 'conversation.item.added', previous_item_id: 'item_1', item: open },
    { type: 'response.content_part.added', ...of, part: { type: 'audio', transcript: '' } },
    { type: 'response.output_audio_transcript.delta', ...of, delta: 'Hey.' },
    { type: 'response.output_audio.delta', ...of, delta: base64(tone(80, 1000)) },
    { type: 'response.output_audio.done', ...of },
    { type: 'response.output_audio_transcript.done', ...of, transcript: 'Hey.' },
    { type: 'response.content_part.done', ...of, part: { type: 'audio', transcript: 'Hey.' } },
    { type: 'conversation.item.done', previous_item_id: 'item_1', item: done },
    { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done },
    { type: 'response.done', response: responseObject({ ...modalities, status: 'completed', output: [done], usage: usage(7, 3) }) },
    rateLimits
  ])
})

t.test('every event has an id of its own', async t => {
  const { client } = await connect(t)
  await client.ask('hi')
  t.equal(new Set(client.events.map(event => event.event_id)).size, client.events.length)
})

t.test('client tools', async t => {
  t.test('a call has the events of PROTOCOL 7.3, with all their keys', async t => {
    const { client, llm } = await connect(t, () => calls('weather', { city: 'Rome' }))
    client.say('How is Rome?')
    client.send({ type: 'response.create', response: { ...text, tools: [tool('weather')] } })
    await client.next('rate_limits.updated')

    const open = { id: 'item_2', type: 'function_call', status: 'in_progress', name: 'weather', call_id: 'call_1', arguments: '' }
    const done = { ...open, status: 'completed', arguments: '{"city":"Rome"}' }
    const of = { response_id: 'resp_1', item_id: 'item_2', output_index: 0, call_id: 'call_1' }
    t.match(llm.requests[0]!.tools, [{ name: 'weather', description: 'Does weather.' }])
    const events = transcript(client.events).slice(3)
    t.match(events.at(-2), { type: 'response.done', response: { status: 'completed', output: [done] } })
    t.strictSame(events.slice(0, -2), [
      { type: 'response.created', response: responseObject({}) },
      { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
      { type: 'conversation.item.added', previous_item_id: 'item_1', item: open },
      { type: 'response.function_call_arguments.delta', ...of, delta: '{"city":"Rome"}' },
      { type: 'response.function_call_arguments.done', ...of, name: 'weather', arguments: '{"city":"Rome"}' },
      { type: 'conversation.item.done', previous_item_id: 'item_1', item: done },
      { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done }
    ])
  })

  t.test('the result of a call is what the model is told in the next response', async t => {
    const { client, llm } = await connect(t, inTurn(() => calls('weather', {}), () => says('It rains.')))
    await client.update({ ...text, tools: [tool('weather')] })
    await client.ask('How is Rome?', {})
    const from = client.events.length
    client.send({ type: 'conversation.item.create', item: { id: 'result', type: 'function_call_output', call_id: 'call_1', output: 'rain' } })
    client.send({ type: 'response.create' })
    t.equal(textOf((await client.next('response.done')).response), 'It rains.')
    t.same(client.types(from).slice(0, 4), ['conversation.item.added', 'conversation.item.done', 'response.created', 'response.output_item.added'])
    t.strictSame(client.events[from]!.type === 'conversation.item.added' && client.events[from]!.item, {
      id: 'result', type: 'function_call_output', call_id: 'call_1', output: 'rain'
    })
    t.same(llm.requests[1]!.messages.slice(1), [
      { role: 'user', content: 'How is Rome?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_1', name: 'weather', arguments: '{}' }] },
      { role: 'tool', callId: 'call_1', content: 'rain' }
    ])
  })

  t.test('a result may come before the response is done', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, async function * () {
      yield * calls('weather', {})
      await opened
    })
    client.say('How is Rome?')
    client.send({ type: 'response.create', response: { ...text, tools: [tool('weather')] } })
    await client.next('response.function_call_arguments.delta')
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_1', output: 'rain' } })
    await client.next('conversation.item.done')
    open()
    t.equal((await client.next('response.done')).response.status, 'completed')
  })

  t.test('several calls are several items of one response', async t => {
    const { client, llm } = await connect(t, inTurn(function * (): Iterable<LlmEvent> {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'one' }
      yield { type: 'tool_arguments', index: 0, delta: '{"n":' }
      yield { type: 'tool_call', index: 1, id: 'b', name: 'two' }
      yield { type: 'tool_arguments', index: 0, delta: '1}' }
      yield { type: 'tool_arguments', index: 1, delta: '{"n":2}' }
      yield { type: 'end', reason: 'tool_calls' }
    }, () => says('Done.')))
    await client.update({ ...text, tools: [tool('one'), tool('two')] })
    client.say('both')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response.output, [
      { type: 'function_call', name: 'one', call_id: 'a', arguments: '{"n":1}', status: 'completed' },
      { type: 'function_call', name: 'two', call_id: 'b', arguments: '{"n":2}', status: 'completed' }
    ])
    t.same(client.of('response.function_call_arguments.done').map(event => [event.output_index, event.call_id, event.arguments]), [[0, 'a', '{"n":1}'], [1, 'b', '{"n":2}']])

    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'b', output: 'B' } })
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'a', output: 'A' } })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.match(llm.requests[1]!.messages.slice(2), [
      { role: 'assistant', toolCalls: [{ id: 'a' }, { id: 'b' }] },
      { role: 'tool', callId: 'a', content: 'A' },
      { role: 'tool', callId: 'b', content: 'B' }
    ])
  })

  t.test('a call without arguments ends with those of an empty object', async t => {
    const { client } = await connect(t, function * (): Iterable<LlmEvent> {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'now' }
      yield { type: 'end', reason: 'tool_calls' }
    })
    await client.ask('When?', { ...text, tools: [tool('now')] })
    t.equal(client.of('response.function_call_arguments.done')[0]!.arguments, '{}')
  })

  const sayAndCall = function * (): Iterable<LlmEvent> {
    yield { type: 'text', delta: 'Let me look.' }
    yield * calls('look', {})
  }

  for (const modality of ['text', 'audio']) {
    t.test(`a message (${modality}) that comes with a call is the first of the two, on the wire and to the model`, async t => {
      const { client, llm } = await connect(t, inTurn(sayAndCall, () => says('Found.')))
      await client.update({ output_modalities: [modality], tools: [tool('look')] })
      client.say('Where?')
      client.send({ type: 'response.create' })
      const { response } = await client.next('response.done')
      t.match(response.output, [{ type: 'message', status: 'completed' }, { type: 'function_call', status: 'completed' }])
      const [message, call] = response.output
      const added = client.of('conversation.item.added')
      t.same(added.slice(1).map(event => [event.item.id, event.previous_item_id]), [[message!.id, added[0]!.item.id], [call!.id, message!.id]])
      t.same(client.of('response.output_item.added').map(event => [event.item.id, event.output_index]), [[message!.id, 0], [call!.id, 1]])

      client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_1', output: 'here' } })
      client.send({ type: 'response.create' })
      await client.next('response.done')
      t.match(llm.requests[1]!.messages.slice(2), [
        { role: 'assistant', content: 'Let me look.', toolCalls: [{ id: 'call_1' }] },
        { role: 'tool', content: 'here' }
      ])
    })
  }
})

t.test('out of band', async t => {
  t.test('a response beside the one in the conversation has response events only (PROTOCOL 7.7)', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, inTurn(async function * () {
      await opened
      yield * says('In the conversation.')
    }, () => says('Aside.')))
    client.say('hi')
    client.send({ type: 'response.create', response: text })
    const { response: active } = await client.next('response.created')
    const from = client.events.length
    client.send({ type: 'response.create', response: { ...text, conversation: 'none', metadata: { topic: 'mood' } } })
    const { response: aside } = await client.next('response.done')
    await client.next('rate_limits.updated')
    t.same(client.types(from), [
      'response.created', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta',
      'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
    ])
    t.match(client.events[from], { response: { id: aside.id, conversation_id: null, metadata: { topic: 'mood' } } })
    t.match(aside, { status: 'completed', conversation_id: null, metadata: { topic: 'mood' } })
    t.not(aside.id, active.id)

    open()
    const { response } = await client.next('response.done')
    t.match(response, { id: active.id, status: 'completed', metadata: null })
    t.type(response.conversation_id, 'string')
  })

  t.test('what was said aside is not part of the conversation', async t => {
    const { client, llm } = await connect(t, () => says('Secret.'))
    await client.ask('hi', { ...text, conversation: 'none' })
    const { response } = client.of('response.done')[0]!
    t.match(await client.fail({ type: 'conversation.item.retrieve', item_id: response.output[0]!.id }), { code: 'item_retrieve_invalid_item_id' })
    await client.ask('And?')
    t.same(told(llm.requests[1]!), ['user: "hi"', 'user: "And?"'])
  })

  t.test('any number may run at once, each cancelled by its id', async t => {
    const { client } = await connect(t, (request, signal) => (async function * () { yield await hang(signal) })())
    for (const n of ['1', '2']) client.send({ type: 'response.create', response: { conversation: 'none', input: [userItem('hi')], metadata: { n } } })
    const ids = [(await client.next('response.created')).response.id, (await client.next('response.created')).response.id]
    for (const id of ids.toReversed()) {
      client.send({ type: 'response.cancel', response_id: id })
      t.match((await client.next('response.done')).response, { id, status: 'cancelled' })
    }
  })

  t.test('without an id there is none to cancel but the one in the conversation', async t => {
    const { client } = await connect(t, (request, signal) => (async function * () { yield await hang(signal) })())
    client.send({ type: 'response.create', response: { conversation: 'none', input: [userItem('hi')] } })
    await client.next('response.created')
    t.match(await client.fail({ type: 'response.cancel' }), { code: 'response_cancel_not_active' })
  })
})

t.test('cancelling', async t => {
  t.test('before anything was said there is nothing between created and done', async t => {
    const { client } = await connect(t, async function * (request, signal) { yield await hang(signal) })
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    const from = client.events.length
    client.send({ type: 'response.cancel' })
    await client.next('rate_limits.updated')
    const events = transcript(client.events.slice(from))
    t.strictSame(events, [
      {
        type: 'response.done',
        response: responseObject({
          status: 'cancelled',
          status_details: { type: 'cancelled', reason: 'client_cancelled' },
          output_modalities: ['audio'],
          usage: usage(0, 0)
        })
      },
      rateLimits
    ])
  })

  t.test('in the middle of a text, what is open ends in order, incomplete, and nothing follows', async t => {
    const { opened, open } = latch()
    const { client, llm } = await connect(t, inTurn(async function * () {
      yield { type: 'text', delta: 'Once upon' }
      await opened
      yield { type: 'text', delta: ' a time' }
    }, () => says('Next.')))
    client.say('Tell me.')
    client.send({ type: 'response.create', response: text })
    await client.next('response.output_text.delta')
    const from = client.events.length
    client.send({ type: 'response.cancel' })
    const { response } = await client.next('response.done')
    open()
    await client.settle()
    t.same(client.types(from), [
      'response.output_text.done', 'response.content_part.done', 'conversation.item.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
    ])
    t.match(response, { status: 'cancelled', status_details: { type: 'cancelled', reason: 'client_cancelled' } })
    t.match(response.output, [{ status: 'incomplete', content: [{ type: 'output_text', text: 'Once upon' }] }])

    t.equal(await client.ask('And then?'), 'Next.')
    t.same(told(llm.requests[1]!), ['user: "Tell me."', 'assistant: "Once upon"', 'user: "And then?"'])
  })

  t.test('in the middle of speech, the transcript holds what was sent, and nothing follows', async t => {
    const { opened, open } = latch()
    const tts = toneTts()
    const { client, llm } = await connect(t, inTurn(() => says('First part, said. Second part, not.'), () => says('Next.')), {
      tts: {
        ...tts,
        async * synthesize (words, options) {
          let count = 0
          for await (const chunk of tts.synthesize(words, options)) {
            if (chunk.text !== '' && count++ === 1) await opened
            yield chunk
          }
        }
      }
    })
    client.say('Tell me.')
    client.send({ type: 'response.create' })
    await client.next('response.output_audio.delta', () => client.audio().length === 17 * 480)
    const from = client.events.length
    client.send({ type: 'response.cancel' })
    const { response } = await client.next('response.done')
    open()
    await client.settle()
    t.same(client.types(from), [
      'response.output_audio.done', 'response.output_audio_transcript.done', 'response.content_part.done',
      'conversation.item.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
    ])
    t.match(response, { status: 'cancelled', output: [{ status: 'incomplete', content: [{ type: 'output_audio', transcript: 'First part, said.' }] }] })
    await client.ask('And then?')
    t.same(told(llm.requests[1]!), ['user: "Tell me."', 'assistant: "First part, said."', 'user: "And then?"'])
  })

  t.test('in the middle of a call, the call is incomplete', async t => {
    const { client } = await connect(t, async function * (request, signal) {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'look' }
      yield { type: 'tool_arguments', index: 0, delta: '{"at":' }
      yield await hang(signal)
    })
    client.say('Where?')
    client.send({ type: 'response.create', response: { ...text, tools: [tool('look')] } })
    await client.next('response.function_call_arguments.delta')
    client.send({ type: 'response.cancel' })
    t.match((await client.next('response.done')).response, { status: 'cancelled', output: [{ type: 'function_call', status: 'incomplete', arguments: '{"at":' }] })
  })

  t.test('ends what the engines do', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, async function * (request, signal) {
      signal.addEventListener('abort', open)
      yield await hang(signal)
    })
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    client.send({ type: 'response.cancel' })
    await opened
    t.pass('the model was told')
  })

  t.test('with nothing to cancel is an error whose message starts as clients expect', async t => {
    const { client } = await connect(t)
    const error = await client.fail({ type: 'response.cancel', event_id: 'mine' })
    t.match(error, { code: 'response_cancel_not_active', param: null, event_id: 'mine' })
    t.ok(error.message.startsWith('Cancellation failed'))
  })

  t.test('a response that is over cannot be cancelled', async t => {
    const { client } = await connect(t)
    await client.ask('hi')
    const { id } = client.of('response.done')[0]!.response
    t.match(await client.fail({ type: 'response.cancel', response_id: id }), { code: 'response_cancel_not_active' })
  })
})

t.test('a second response in the conversation is refused while one is active, and only that', async t => {
  const { opened, open } = latch()
  const { client } = await connect(t, async function * () {
    await opened
    yield * says('Here.')
  })
  client.say('hi')
  client.send({ type: 'response.create', response: text })
  const { response: { id } } = await client.next('response.created')
  const error = await client.fail({ type: 'response.create', event_id: 'second' })
  t.match(error, { type: 'invalid_request_error', code: 'conversation_already_has_active_response', param: null, event_id: 'second' })
  t.ok(error.message.includes(id))
  open()
  t.match((await client.next('response.done')).response, { id, status: 'completed' })
  await client.settle()
  t.equal(client.of('response.created').length, 1)
})

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

t.test('items', async t => {
  const ids = async (client: TestClient, llm: { requests: { messages: { content: unknown }[] }[] }) => {
    await client.ask('end')
    return llm.requests.at(-1)!.messages.slice(1, -1).map(message => message.content)
  }

  t.test('are placed after the item named, first, or last', async t => {
    const { client, llm } = await connect(t)
    const create = async (id: string, after?: string | null) => {
      client.send({ type: 'conversation.item.create', item: userItem(id, id), ...after === undefined ? {} : { previous_item_id: after } })
      const { previous_item_id: added } = await client.next('conversation.item.added')
      const { previous_item_id: done } = await client.next('conversation.item.done')
      t.equal(added, done)
      return added
    }
    t.equal(await create('b'), null)
    t.equal(await create('d'), 'b')
    t.equal(await create('c', 'b'), 'b')
    t.equal(await create('a', 'root'), null)
    t.equal(await create('e', null), 'd')
    t.same(await ids(client, llm), ['a', 'b', 'c', 'd', 'e'])
  })

  t.test('after an unknown one are refused, and not added', async t => {
    const { client, llm } = await connect(t)
    const error = await client.fail({ type: 'conversation.item.create', event_id: 'mine', previous_item_id: 'ghost', item: userItem('a', 'a') })
    t.match(error, { type: 'invalid_request_error', code: 'item_create_invalid_item_id', param: 'previous_item_id', event_id: 'mine' })
    t.match(error.message, /ghost/)
    t.same(await ids(client, llm), [])
  })

  t.test('with an id that is taken are refused, and the first one stays', async t => {
    const { client, llm } = await connect(t)
    client.send({ type: 'conversation.item.create', item: userItem('first', 'a') })
    t.match(await client.fail({ type: 'conversation.item.create', item: userItem('second', 'a') }), { code: 'invalid_value', param: 'item.id' })
    t.same(await ids(client, llm), ['first'])
  })

  t.test('get an id where the client gives none', async t => {
    const { client } = await connect(t)
    client.say('hi')
    t.match((await client.next('conversation.item.added')).item.id, /^item_\w{21}$/)
  })

  t.test('of every kind come back as they were created', async t => {
    const { client } = await connect(t)
    const items = [
      { id: 'a', type: 'message', status: 'completed', role: 'system', content: [{ type: 'input_text', text: 'Be kind.' }] },
      { id: 'b', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: 'Look:' }, { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' }] },
      { id: 'c', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'I see.' }] },
      { id: 'd', type: 'message', status: 'incomplete', role: 'assistant', content: [{ type: 'output_audio', transcript: 'I hea' }] },
      { id: 'e', type: 'function_call', status: 'completed', name: 'look', call_id: 'call', arguments: '{}' },
      { id: 'f', type: 'function_call_output', call_id: 'call', output: 'seen' }
    ]
    for (const item of items) client.send({ type: 'conversation.item.create', item })
    await client.settle()
    t.strictSame(client.of('conversation.item.added').map(event => event.item), items)
    for (const item of items) {
      client.send({ type: 'conversation.item.retrieve', item_id: item.id })
      t.strictSame((await client.next('conversation.item.retrieved')).item, item)
    }
  })

  t.test('that were spoken to are retrieved with their audio', async t => {
    const { client } = await connect(t)
    await client.update({ audio: { input: { turn_detection: null } } })
    const spoken = tone(150, 123)
    client.append(spoken, 40)
    client.send({ type: 'input_audio_buffer.commit' })
    const { item } = await client.next('conversation.item.done')
    t.strictSame(item, { id: item.id, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] })
    client.send({ type: 'conversation.item.retrieve', item_id: item.id })
    t.match((await client.next('conversation.item.retrieved')).item, { id: item.id, content: [{ type: 'input_audio', audio: base64(spoken) }] })
  })

  t.test('that were spoken by the server are retrieved with their audio', async t => {
    const { client } = await connect(t, () => says('A longer answer, in parts.'))
    const { id } = await aloud(client)
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    const { item } = await client.next('conversation.item.retrieved')
    t.strictSame(item, {
      id,
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_audio', transcript: 'A longer answer, in parts.', audio: base64(client.audio(id)) }]
    })
    t.equal(client.audio(id).length, 26 * 480)
  })

  t.test('are deleted, and the model does not hear of them again', async t => {
    const { client, llm } = await connect(t)
    for (const id of ['a', 'b', 'c']) client.send({ type: 'conversation.item.create', item: userItem(id, id) })
    client.send({ type: 'conversation.item.delete', item_id: 'b' })
    t.equal((await client.next('conversation.item.deleted')).item_id, 'b')
    t.match(await client.fail({ type: 'conversation.item.retrieve', item_id: 'b' }), { code: 'item_retrieve_invalid_item_id' })
    t.same(await ids(client, llm), ['a', 'c'])
    t.equal(client.of('conversation.item.added')[3]!.previous_item_id, 'c')
  })

  t.test('that are unknown can be neither retrieved, nor deleted, nor truncated', async t => {
    const { client } = await connect(t)
    for (const action of ['retrieve', 'delete', 'truncate']) {
      const error = await client.fail({ type: `conversation.item.${action}`, event_id: action, item_id: 'ghost', content_index: 0, audio_end_ms: 0 })
      t.match(error, { type: 'invalid_request_error', code: `item_${action}_invalid_item_id`, event_id: action })
      t.match(error.message, /ghost/)
    }
  })
})

t.test('truncating', async t => {
  // 20 ms of sound a letter; spoken in two passages, of 15 and 26 letters.
  const words = 'One two, three. Four five six seven eight.'
  const speaking = async (t: Test) => {
    const session = await connect(t, inTurn(() => says(words), echo))
    const { id } = await aloud(session.client)
    return { ...session, id }
  }
  const truncate = (id: string, end: unknown) => ({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: end })

  t.test('cuts the audio, and the transcript to the words that were heard', async t => {
    const { client, llm, id } = await speaking(t)
    client.send(truncate(id, 480))
    const { type, event_id: eventId, ...truncated } = await client.next('conversation.item.truncated')
    t.strictSame(truncated, { item_id: id, content_index: 0, audio_end_ms: 480 })

    client.send({ type: 'conversation.item.retrieve', item_id: id })
    const { item } = await client.next('conversation.item.retrieved')
    const [part] = item.type === 'message' ? item.content : []
    const heard = part?.type === 'output_audio' ? part.transcript! : ''
    t.ok(words.startsWith(heard) && heard.startsWith('One two, three.') && heard.length < 30, heard)
    t.equal(part?.type === 'output_audio' && part.audio, base64(client.audio(id).slice(0, 480 * 24)))

    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!), ['user: "hi"', `assistant: ${JSON.stringify(heard)}`, 'user: "What did you say?"'])
  })

  t.test('at zero leaves nothing, and the model has not said a word', async t => {
    const { client, llm, id } = await speaking(t)
    client.send(truncate(id, 0))
    await client.next('conversation.item.truncated')
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    t.match((await client.next('conversation.item.retrieved')).item, { content: [{ type: 'output_audio', transcript: '', audio: '' }] })
    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!), ['user: "hi"', 'user: "What did you say?"'])
  })

  t.test('at the very end changes nothing', async t => {
    const { client, llm, id } = await speaking(t)
    client.send(truncate(id, words.length * 20))
    await client.next('conversation.item.truncated')
    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!)[1], `assistant: ${JSON.stringify(words)}`)
  })

  t.test('beyond the end is refused, and changes nothing', async t => {
    const { client, llm, id } = await speaking(t)
    const error = await client.fail(truncate(id, words.length * 20 + 1))
    t.match(error, { code: 'invalid_value', param: 'audio_end_ms' })
    t.match(error.message, /already shorter than/)
    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!)[1], `assistant: ${JSON.stringify(words)}`)
  })

  t.test('a second time may only cut further', async t => {
    const { client, id } = await speaking(t)
    client.send(truncate(id, 400))
    await client.next('conversation.item.truncated')
    t.match(await client.fail(truncate(id, 401)), { code: 'invalid_value' })
    client.send(truncate(id, 100))
    t.equal((await client.next('conversation.item.truncated')).audio_end_ms, 100)
  })

  t.test('takes whole milliseconds only', async t => {
    const { client, id } = await speaking(t)
    t.match(await client.fail(truncate(id, null)), { code: 'invalid_type', param: 'audio_end_ms' })
    t.match(await client.fail(truncate(id, 1.5)), { param: 'audio_end_ms' })
    t.match(await client.fail(truncate(id, -1)), { param: 'audio_end_ms' })
    t.match(await client.fail({ ...truncate(id, 10), content_index: 1 }), { code: 'invalid_value', param: 'content_index' })
  })

  t.test('is for what was spoken by the server', async t => {
    const { client } = await connect(t)
    await client.ask('hi')
    const written = client.of('response.done')[0]!.response.output[0]!.id
    t.match(await client.fail(truncate(written, 0)), { code: 'unsupported_content_type' })
    client.send({ type: 'conversation.item.create', item: userItem('hi', 'user') })
    t.match(await client.fail(truncate('user', 0)), { code: 'unsupported_content_type', message: 'Only model output audio messages can be truncated.' })
  })

  t.test('works on an answer that the user interrupted', async t => {
    const { client, llm } = await connect(t, inTurn(async function * (request, signal) {
      yield { type: 'text', delta: 'One two three. And' }
      yield await hang(signal)
    }, echo))
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.output_audio.delta', () => client.audio().length === 14 * 480)
    client.send({ type: 'response.cancel' })
    const { response } = await client.next('response.done')
    client.send(truncate(response.output[0]!.id, 140))
    await client.next('conversation.item.truncated')
    await client.ask('Go on.')
    t.same(told(llm.requests[1]!)[1], 'assistant: "One"')
  })

  t.test('of an answer that is still being spoken stays', async t => {
    const { opened, open } = latch()
    const { client, llm } = await connect(t, inTurn(async function * () {
      yield { type: 'text', delta: 'One two three. And' }
      await opened
      yield * says(' four five.')
    }, echo))
    client.say('hi')
    client.send({ type: 'response.create' })
    const { item_id: id } = await client.next('response.output_audio.delta', () => client.audio().length === 14 * 480)
    client.send(truncate(id, 140))
    await client.next('conversation.item.truncated')
    open()
    await client.next('response.done')
    await client.ask('Go on.')
    t.same(told(llm.requests[1]!)[1], 'assistant: "One"')
  })
})

t.test('overrides of one response', async t => {
  t.test('hold for that response, and the session keeps its own', async t => {
    const { client, llm } = await connect(t)
    await client.update({ instructions: 'Be long.', tools: [tool('one')], tool_choice: 'auto' })
    await client.ask('hi', {
      ...text,
      instructions: 'Be brief.',
      tools: [tool('two')],
      tool_choice: { type: 'function', name: 'two' },
      max_output_tokens: 17,
      audio: { output: { voice: 'cedar' } },
      metadata: { a: 'b' }
    })
    t.match(llm.requests[0], { tools: [{ name: 'two' }], toolChoice: { name: 'two' }, maxTokens: 17 })
    t.match(llm.requests[0]!.messages[0], { role: 'system', content: 'Be brief.' })
    t.match(client.of('response.created')[0]!.response, {
      output_modalities: ['text'], max_output_tokens: 17, metadata: { a: 'b' }, audio: { output: { voice: 'cedar' } }
    })

    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response, { output_modalities: ['audio'], max_output_tokens: 'inf', metadata: null, audio: { output: { voice: 'alloy' } } })
    t.match(llm.requests[1], { tools: [{ name: 'one' }], toolChoice: 'auto', maxTokens: undefined })
    t.match(llm.requests[1]!.messages[0], { content: 'Be long.' })
  })

  t.test('max_output_tokens makes an answer, and its item, incomplete', async t => {
    for (const modality of ['text', 'audio']) {
      const { client } = await connect(t, function * () {
        yield { type: 'text', delta: 'Once upon a' }
        yield { type: 'end', reason: 'length', usage: { inputTokens: 5, outputTokens: 3 } }
      })
      await client.ask('hi', { output_modalities: [modality], max_output_tokens: 3 })
      t.match(client.of('response.done')[0]!.response, {
        status: 'incomplete',
        status_details: { type: 'incomplete', reason: 'max_output_tokens' },
        output: [{ status: 'incomplete' }]
      })
    }
  })

  t.test('a filtered answer is incomplete', async t => {
    const { client } = await connect(t, function * () {
      yield { type: 'text', delta: 'Well, ' }
      yield { type: 'end', reason: 'content_filter' }
    })
    await client.ask('hi')
    t.match(client.of('response.done')[0]!.response, { status: 'incomplete', status_details: { reason: 'content_filter' } })
  })

  t.test('input replaces the conversation, and may refer to its items', async t => {
    const { client, llm } = await connect(t)
    for (const id of ['a', 'b']) client.send({ type: 'conversation.item.create', item: userItem(id, id) })
    client.send({ type: 'response.create', response: { ...text, input: [{ type: 'item_reference', id: 'b' }, userItem('own')] } })
    await client.next('response.done')
    t.same(told(llm.requests[0]!), ['user: "b"', 'user: "own"'])
    await client.ask('end')
    t.same(told(llm.requests[1]!), ['user: "a"', 'user: "b"', 'assistant: "You said: own"', 'user: "end"'])
  })

  t.test('input may be given again and again with the same ids', async t => {
    const { client } = await connect(t)
    for (let n = 0; n < 2; n++) {
      client.send({ type: 'response.create', response: { ...text, conversation: 'none', input: [userItem('own', 'own')] } })
      t.equal(textOf((await client.next('response.done')).response), 'You said: own')
    }
  })

  t.test('a reference to an unknown item is refused', async t => {
    const { client } = await connect(t)
    t.match(await client.fail({ type: 'response.create', response: { input: [userItem('own'), { type: 'item_reference', id: 'ghost' }] } }), {
      code: 'invalid_value', param: 'response.input[1].id'
    })
    await client.settle()
    t.equal(client.of('response.created').length, 0)
  })

  t.test('empty input is no context at all: the instructions are what to do', async t => {
    const { client, llm } = await connect(t)
    client.say('hi')
    client.send({ type: 'response.create', response: { ...text, conversation: 'none', instructions: 'Name a colour.', input: [] } })
    await client.next('response.done')
    t.match(llm.requests[0]!.messages[0], { role: 'system', content: 'Name a colour.' })
    t.notMatch(JSON.stringify(llm.requests[0]!.messages), /hello/i)
  })
})

t.test('characters', async t => {
  const directory = t.testdir({
    'ada.ts': characterSource('Ada', `
  greeting: 'Good day.',
  examples: [{ user: 'Who are you?', character: 'I am Ada.' }],
  temperature: 0.3,
  tools: [
    { name: 'add', description: 'Adds.', parameters: { type: 'object' }, run: ({ a, b }) => a + b },
    { name: 'fail', description: 'Fails.', parameters: { type: 'object' }, run: () => { throw new Error('no luck') } }
  ]`),
    'silent.ts': characterSource('Silent'),
    'broken.ts': characterSource('Broken').replace('=> instructions.prompt', "=> { throw new Error('no prompt today') }")
  })
  const cast = async (t: Test, script?: Script, query = '?character=Ada') => {
    const engines = cannedEngines(script)
    const server = await startServer(t, { ...engines, characters: { directory } })
    return { client: await server.connect(query), llm: engines.llm }
  }
  const adding = () => inTurn(() => calls('add', { a: 2, b: 3 }), () => says('Five.'))

  t.test('their prompt comes first, then their examples, then the client\'s instructions', async t => {
    const { client, llm } = await cast(t)
    await client.update({ instructions: 'Be brief.' })
    await client.ask('hi')
    const prompt = llm.requests[0]!.messages[0]!.content
    t.match(prompt, /^You are Ada\.\n\n[^]*User: Who are you\?\nAda: I am Ada\.\n\nBe brief\.$/)
    t.match(llm.requests[0], { temperature: 0.3, character: { name: 'Ada', greeting: 'Good day.' } })
  })

  t.test('their tools are run by the server, unseen by the client', async t => {
    const { client, llm } = await cast(t, adding())
    await client.update({ tools: [tool('look')] })
    t.equal(await client.ask('2 and 3?'), 'Five.')
    t.same(llm.requests[0]!.tools.map(({ name }) => name), ['look', 'add', 'fail'])
    t.match(llm.requests[1]!.messages.slice(2), [
      { role: 'assistant', toolCalls: [{ name: 'add', arguments: '{"a":2,"b":3}' }] },
      { role: 'tool', content: '5' }
    ])
    const { response } = client.of('response.done')[0]!
    t.match(response.output, [{ type: 'message' }])
    t.equal(response.output.length, 1)
    t.notMatch(JSON.stringify(client.events), /mcp_call|"add"/)
    const said = client.of('conversation.item.added')
    t.equal(said[1]!.previous_item_id, said[0]!.item.id)

    await client.ask('And?')
    t.match(llm.requests[2]!.messages.slice(2, 5), [{ toolCalls: [{ name: 'add' }] }, { role: 'tool', content: '5' }, { role: 'assistant', content: 'Five.' }])
  })

  t.test('their tools are mcp_call items where the session wants to see them', async t => {
    const { client } = await cast(t, adding())
    await client.update({ ...text, character_tools: 'visible' })
    client.say('2 and 3?')
    const from = client.events.length
    client.send({ type: 'response.create' })
    await client.next('response.done')
    const args = '{"a":2,"b":3}'
    const open = { id: 'item_1', type: 'mcp_call', server_label: 'character', name: 'add', arguments: args, output: null, error: null }
    const done = { ...open, output: '5' }
    const events = transcript(client.events.slice(from).filter(({ type }) => !type.startsWith('conversation.item.')))
    t.strictSame(events.slice(1, 7), [
      { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
      { type: 'response.mcp_call_arguments.delta', response_id: 'resp_1', item_id: 'item_1', output_index: 0, delta: args, obfuscation: '' },
      { type: 'response.mcp_call_arguments.done', response_id: 'resp_1', item_id: 'item_1', output_index: 0, arguments: args },
      { type: 'response.mcp_call.in_progress', item_id: 'item_1', output_index: 0 },
      { type: 'response.mcp_call.completed', item_id: 'item_1', output_index: 0 },
      { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done }
    ])
    t.match(client.of('response.done')[0]!.response.output, [{ type: 'mcp_call', output: '5' }, { type: 'message' }])
  })

  t.test('what is said before a tool runs comes before it in the history, also when spoken', async t => {
    const { client, llm } = await cast(t, inTurn(function * (): Iterable<LlmEvent> {
      yield { type: 'text', delta: 'Let me see.' }
      yield * calls('add', { a: 2, b: 3 })
    }, () => says('Five.')))
    await client.update({ character_tools: 'visible' })
    client.say('2 and 3?')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.same(response.output.map(item => item.type === 'message' && item.role === 'assistant' ? textOf({ ...response, output: [item] }) : item.type), ['Let me see.', 'mcp_call', 'Five.'])
    await client.ask('And?')
    t.match(llm.requests[2]!.messages.slice(2, 5), [
      { role: 'assistant', content: 'Let me see.', toolCalls: [{ name: 'add' }] }, { role: 'tool', content: '5' }, { role: 'assistant', content: 'Five.' }
    ])
  })

  t.test('a tool that throws is told to the model, and the answer goes on', async t => {
    const { client, llm } = await cast(t, inTurn(() => calls('fail', {}), () => says('I could not.')))
    await client.update({ character_tools: 'visible' })
    t.equal(await client.ask('Try.'), 'I could not.')
    t.match(llm.requests[1]!.messages.at(-1), { role: 'tool', content: 'Error: no luck' })
    t.match(client.of('response.done')[0]!.response, {
      status: 'completed', output: [{ type: 'mcp_call', output: null, error: { type: 'tool_execution_error', message: /no luck/ } }, { type: 'message' }]
    })
    t.equal(client.of('response.mcp_call.failed').length, 1)
  })

  t.test('a tool that the client insists on is called once, not for ever', async t => {
    const { client, llm } = await cast(t, request => request.toolChoice === 'auto' ? says('Five.') : calls('add', { a: 2, b: 3 }))
    t.equal(await client.ask('2 and 3?', { ...text, tool_choice: 'required' }), 'Five.')
    t.equal(llm.requests.length, 2)
    t.equal(await client.ask('2 and 3?', { ...text, tool_choice: { type: 'function', name: 'add' } }), 'Five.')
    t.equal(llm.requests.length, 4)
  })

  t.test('a model that calls for ever has to answer in the end', async t => {
    const { client } = await cast(t, request => request.tools.length === 0 ? says('Enough.') : calls('add', { a: 1, b: 1 }))
    t.equal(await client.ask('Count.'), 'Enough.')
  })

  t.test('a prompt that throws fails the response and says where', async t => {
    const { client } = await cast(t, echo, '?character=Broken')
    client.say('hi')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response, { status: 'failed', output: [], status_details: { error: { type: 'invalid_request_error', code: 'execution_error', message: /broken\.ts:\d+:\d+: .*no prompt today/ } } })
    await client.update({ character: 'Silent' })
    t.equal(await client.ask('hi'), 'You said: hi')
  })

  t.test('the greeting answers an empty conversation, without the model', async t => {
    const { client, llm } = await cast(t)
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response, { status: 'completed', output: [{ type: 'message', content: [{ type: 'output_audio', transcript: 'Good day.' }] }] })
    t.equal(llm.requests.length, 0)
    await client.ask('hi')
    t.same(told(llm.requests[0]!), ['assistant: "Good day."', 'user: "hi"'])
  })

  t.test('one without a greeting is asked to open the conversation', async t => {
    const { client, llm } = await cast(t, () => says('Hello.'), '?character=Silent')
    client.send({ type: 'response.create', response: text })
    t.equal(textOf((await client.next('response.done')).response), 'Hello.')
    t.match(told(llm.requests[0]!), [/user: ".*begins now/])
  })

  t.test('empty input is no empty conversation: nobody is greeted', async t => {
    const { client, llm } = await cast(t, () => says('Blue.'))
    client.send({ type: 'response.create', response: { ...text, conversation: 'none', input: [], instructions: 'Name a colour.' } })
    t.equal(textOf((await client.next('response.done')).response), 'Blue.')
    t.match(llm.requests[0]!.messages[0]!.content, /Name a colour\.$/)
  })
})

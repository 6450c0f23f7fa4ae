import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import type { SttEngine } from '../../lib/engines/engine.js'
import { asksForBeta } from '../../lib/realtime/dialects/beta.js'
import { connectBeta, dialBeta } from '../support/beta-client.js'
import { characterSource, nobody } from '../support/casts.js'
import { startChatServer } from '../support/chat-server.js'
import { userItem } from '../support/conversing.js'
import { base64, calls, cannedEngines, says, tone } from '../support/engines.js'
import { startServer } from '../support/server.js'

async function connect (t: Test, options: DramatisOptions = {}, query?: string) {
  return await connectBeta(t, await startServer(t, { characters: nobody, ...options }), query)
}

t.test('beta is asked for by header or subprotocol, and only `realtime` is echoed', async t => {
  t.ok(asksForBeta({ 'openai-beta': 'assistants=v2, realtime=v1' }))
  t.notOk(asksForBeta({ 'openai-beta': 'assistants=v2' }))
  t.notOk(asksForBeta({}))
  const client = await dialBeta(t, await startServer(t, { characters: nobody }), { protocols: ['realtime', 'openai-insecure-api-key.k', 'openai-beta.realtime-v1'], headers: {} })
  t.equal(client.socket.protocol, 'realtime')
  await client.next('conversation.created')
})

t.test('a beta session is flat, and is followed by its conversation', async t => {
  const client = await connect(t)
  const { session, conversation } = client
  t.match(session, {
    object: 'realtime.session',
    model: 'm',
    modalities: ['text', 'audio'],
    voice: 'alloy',
    input_audio_format: 'pcm16',
    output_audio_format: 'pcm16',
    input_audio_transcription: null,
    input_audio_noise_reduction: null,
    turn_detection: { type: 'server_vad', create_response: true },
    tools: [],
    tool_choice: 'auto',
    temperature: 0.8,
    max_response_output_tokens: 'inf',
    speed: 1,
    tracing: null,
    client_secret: null,
    character: null
  })
  for (const key of ['type', 'audio', 'output_modalities', 'max_output_tokens']) t.notOk(key in session, key)
  t.equal(conversation.object, 'realtime.conversation')

  client.send({ type: 'response.create', response: { modalities: ['text'] } })
  t.equal((await client.next('response.created')).response.conversation_id, conversation.id)
})

t.test('session.update takes every beta field, and they come back', async t => {
  const client = await connect(t)
  const session = {
    modalities: ['text'],
    instructions: 'Be brief.',
    voice: 'verse',
    input_audio_format: 'pcm16',
    output_audio_format: 'pcm16',
    input_audio_transcription: { model: 'whisper-1', language: 'en', prompt: 'names' },
    input_audio_noise_reduction: { type: 'near_field' },
    turn_detection: { type: 'semantic_vad', eagerness: 'high', create_response: false, interrupt_response: false },
    tools: [{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object' } }],
    tool_choice: 'required',
    temperature: 0.6,
    max_response_output_tokens: 100,
    speed: 1.25,
    tracing: 'auto'
  }
  const updated = await client.update({ ...session, client_secret: { expires_after: { seconds: 60 } } })
  t.match(updated, session)
  t.equal(updated.client_secret, null)

  t.match(await client.update({ turn_detection: null, tools: [{ name: 'g' }] }), { ...session, turn_detection: null, tools: [{ type: 'function', name: 'g' }] })
})

t.test('a text turn has the events of beta, in its order', async t => {
  const client = await connect(t, cannedEngines(() => says('Good evening to you')))
  client.send({ type: 'conversation.item.create', item: userItem('Hello') })
  const from = client.inbox.events.length
  client.send({ type: 'response.create', response: { modalities: ['text'], temperature: 0.7, max_response_output_tokens: 50, metadata: { a: 'b' } } })
  const { response } = await client.next('response.done')
  await client.next('rate_limits.updated')

  t.same(client.inbox.types(from), [
    'conversation.item.created',
    'response.created', 'response.output_item.added', 'conversation.item.created', 'response.content_part.added',
    'response.text.delta', 'response.text.done', 'response.content_part.done', 'response.output_item.done', 'response.done',
    'rate_limits.updated'
  ])
  const [asked, answered] = client.inbox.of('conversation.item.created')
  t.match(asked!.item, { object: 'realtime.item', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] })
  t.equal(answered!.previous_item_id, asked!.item.id)
  t.match(response, {
    object: 'realtime.response',
    status: 'completed',
    modalities: ['text'],
    voice: 'alloy',
    output_audio_format: 'pcm16',
    temperature: 0.7,
    max_output_tokens: 50,
    metadata: { a: 'b' },
    output: [{ object: 'realtime.item', role: 'assistant', content: [{ type: 'text', text: 'Good evening to you' }] }]
  })
  t.notOk('audio' in response)
  t.notOk('output_modalities' in response)

  client.send({ type: 'response.create' })
  t.equal((await client.next('response.created')).response.temperature, 0.8, 'the next response has the session\'s again')
})

t.test('a transcript has log probabilities where the session includes them', async t => {
  const sure = { token: 'Hi', logprob: -0.5, bytes: [72, 105] }
  const stt: SttEngine = { name: 'sure', async * transcribe (audio, { logprobs }) { yield { delta: 'Hi', ...logprobs ? { logprobs: [sure] } : {} } } }
  const client = await connect(t, { ...cannedEngines(), stt })
  for (const include of [undefined, ['item.input_audio_transcription.logprobs']]) {
    await client.update({ input_audio_transcription: { model: 'whisper-1' }, turn_detection: null, ...include && { include } })
    client.send({ type: 'input_audio_buffer.append', audio: base64(tone(200)) })
    client.send({ type: 'input_audio_buffer.commit' })
    for (const end of ['delta', 'completed']) {
      t.strictSame((await client.next(`conversation.item.input_audio_transcription.${end}`)).logprobs, include && [sure])
    }
  }
})

t.test('a spoken turn has the events of beta', async t => {
  const client = await connect(t)
  await client.update({ input_audio_transcription: { model: 'whisper-1' } })
  const from = client.inbox.events.length
  client.send({ type: 'input_audio_buffer.append', audio: base64(tone(500)) })
  client.send({ type: 'input_audio_buffer.append', audio: base64(tone(1000, 0)) })
  const { response } = await client.next('response.done')
  await client.next('rate_limits.updated')

  const types = client.inbox.types(from).filter(type => !type.startsWith('conversation.item.input_audio_transcription'))
  t.same(types.slice(0, 8), [
    'input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped', 'input_audio_buffer.committed', 'conversation.item.created',
    'response.created', 'response.output_item.added', 'conversation.item.created', 'response.content_part.added'
  ])
  t.same(types.slice(-6), [
    'response.audio.done', 'response.audio_transcript.done', 'response.content_part.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
  ])
  const audio = Buffer.concat(client.inbox.of('response.audio.delta').map(event => Buffer.from(event.delta, 'base64')))
  t.ok(audio.length > 0)
  t.match(client.inbox.of('response.content_part.added')[0]!.part, { type: 'audio', transcript: '' })
  const [item] = response.output
  t.match(item.content, [{ type: 'audio', transcript: client.inbox.of('response.audio_transcript.done')[0]!.transcript }])

  client.send({ type: 'conversation.item.retrieve', item_id: item.id })
  const retrieved = await client.next('conversation.item.retrieved')
  t.match(retrieved.item, { object: 'realtime.item', content: [{ type: 'audio', audio: audio.toString('base64') }] })
})

t.test('items and response inputs of beta reach the model', async t => {
  const engines = cannedEngines()
  const client = await connect(t, engines)
  client.send({ type: 'conversation.item.create', item: { id: 'told', object: 'realtime.item', type: 'message', role: 'assistant', content: [{ type: 'text', text: 'I was here before' }] } })
  client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'text', text: 'So I see' }] } })
  client.send({ type: 'response.create', response: { modalities: ['text'], instructions: 'One.' } })
  await client.next('response.done')
  t.same(engines.llm.requests[0]!.messages.slice(-2).map(({ role, content }) => [role, content]), [['assistant', 'I was here before'], ['user', 'So I see']])

  client.send({
    type: 'response.create',
    response: {
      conversation: 'none',
      modalities: ['text'],
      tools: [{ name: 'f', parameters: { type: 'object' } }],
      input: [{ type: 'item_reference', id: 'told' }, { type: 'message', role: 'assistant', content: [{ type: 'text', text: 'and before' }] }]
    }
  })
  const { response } = await client.next('response.done')
  t.equal(response.conversation_id, null)
  t.same(engines.llm.requests[1]!.messages.slice(-2).map(({ content }) => content), ['I was here before', 'and before'])
  t.equal(engines.llm.requests[1]!.tools?.[0]?.name, 'f')
})

t.test('function calls have the names of beta', async t => {
  const client = await connect(t, cannedEngines(() => calls('f', { a: 1 })))
  client.send({ type: 'session.update', session: { tools: [{ type: 'function', name: 'f' }] } })
  client.send({ type: 'response.create' })
  const created = await client.next('conversation.item.created')
  t.match(created.item, { object: 'realtime.item', type: 'function_call', name: 'f', arguments: '', status: 'in_progress' })
  t.match(await client.next('response.function_call_arguments.done'), { arguments: '{"a":1}' })
  t.match((await client.next('response.output_item.done')).item, { object: 'realtime.item', status: 'completed', arguments: '{"a":1}' })
})

t.test('an error names the field that the client wrote', async t => {
  const client = await connect(t)
  const update = (session: object) => client.fail({ type: 'session.update', event_id: 'e1', session })

  const format = await update({ input_audio_format: 'mp3' })
  t.match(format, { code: 'invalid_value', param: 'session.input_audio_format', event_id: 'e1' })
  t.match(format.message, /'mp3'.*'pcm16'/)
  t.notMatch(format.message, 'audio/')
  t.match(await update({ modalities: 'text' }), { code: 'invalid_type', param: 'session.modalities', message: /'session\.modalities'/ })
  t.match(await update({ voice: 'nobody' }), { param: 'session.voice' })
  t.match(await update({ speed: 9 }), { param: 'session.speed' })
  t.match(await update({ turn_detection: { type: 'server_vad', threshold: 'loud' } }), { param: 'session.turn_detection.threshold' })
  t.match(await update({ max_response_output_tokens: 'many' }), { param: 'session.max_response_output_tokens' })
  t.match(await update({ input_audio_transcription: 1 }), { param: 'session.input_audio_transcription' })
  t.match(await update({ tools: [{ name: 1 }] }), { param: 'session.tools[0].name' })
  t.match(await update({ temperature: 0.7, voice: 1 }), { param: 'session.voice' })
  t.match(await client.fail({ type: 'session.update' }), { code: 'missing_required_parameter', param: 'session' })
  t.match(await client.fail({ type: 'response.create', response: { voice: 'nobody' } }), { param: 'response.voice' })
  t.match(await client.fail({ type: 'response.create', response: { modalities: [1] } }), { param: 'response.modalities[0]' })
  t.match(await client.fail({ type: 'response.create', response: 1 }), { param: 'response' })
  const part = await client.fail({ type: 'conversation.item.create', item: { type: 'message', role: 'assistant', content: [{ type: 'image' }] } })
  t.match(part, { param: 'item.content[0].type', message: 'Invalid value: \'image\'. Supported values are: \'text\', \'audio\'.' })
  t.match(await client.fail({ type: 'conversation.item.create', item: 1 }), { param: 'item' })
  t.match(await client.fail({ type: 'response.cancel' }), { code: 'response_cancel_not_active', param: null })

  t.equal((await client.update({})).temperature, 0.8, 'a refused update leaves no temperature behind')
})

t.test('a session that only transcribes has events of its own', async t => {
  const client = await dialBeta(t, await startServer(t, { characters: nobody }), { query: '?intent=transcription' })
  const { session } = await client.next('transcription_session.created')
  t.match(session, { object: 'realtime.transcription_session', input_audio_format: 'pcm16', input_audio_transcription: null, client_secret: null })
  for (const key of ['modalities', 'voice', 'temperature']) t.notOk(key in session, key)
  const update = {
    input_audio_format: 'g711_ulaw',
    input_audio_transcription: { model: 'gpt-4o-transcribe', language: 'en' },
    input_audio_noise_reduction: { type: 'near_field' },
    turn_detection: null
  }
  client.send({ type: 'transcription_session.update', session: update })
  t.match((await client.next('transcription_session.updated')).session, update)
  t.match(await client.fail({ type: 'transcription_session.update', session: { input_audio_format: 'mp3' } }), { param: 'session.input_audio_format' })

  client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(2400, 0x80).toString('base64') })
  client.send({ type: 'input_audio_buffer.commit' })
  t.equal((await client.next('conversation.item.input_audio_transcription.completed')).transcript, '300 ms of audio')
  t.notOk(client.inbox.types().includes('conversation.created'))
})

t.test('what the beta knows is nothing unknown to a strict server', async t => {
  const client = await connect(t, { strict: true })
  t.match(await client.update({ modalities: ['text'], temperature: 0.7, max_response_output_tokens: 10, input_audio_format: 'g711_alaw' }), { temperature: 0.7, input_audio_format: 'g711_alaw' })
  client.send({ type: 'conversation.item.create', item: { object: 'realtime.item', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] } })
  client.send({ type: 'response.create', response: { modalities: ['text'], temperature: 0.9 } })
  t.equal((await client.next('response.done')).response.temperature, 0.9)
  t.match(await client.fail({ type: 'session.update', session: { nonsense: 1 } }), { code: 'unknown_parameter', param: 'session.nonsense' })
})

t.test('the extension is the same in beta', async t => {
  const client = await connect(t, { characters: {} })
  const { session } = client
  t.equal(session.voice, session.character)
  const other = session.characters[1]
  client.send({ type: 'session.characters.list', event_id: 'list' })
  t.match(await client.next('session.characters.listed'), { request_event_id: 'list', character_count: session.characters.length })
  t.match(await client.update({ voice: other }), { voice: other, character: other })
})

t.test('a beta client does not change what a GA client meets on the same server', async t => {
  const server = await startServer(t, { characters: nobody })
  const client = await server.connect()
  t.equal(await client.ask('Hello'), 'You said: Hello')
  t.notOk(client.types().includes('conversation.created'))
})

t.test('an item that is none at all is told as such', async t => {
  const client = await connect(t)
  for (const role of [{ toString: 1, valueOf: 1 }, '__proto__', 'constructor', ['user'], null]) {
    t.match(await client.fail({ type: 'conversation.item.create', item: { type: 'message', role, content: [{ type: 'constructor', text: 'x' }] } }), { param: 'item.role' })
  }
  t.match(await client.fail({ type: 'session.update', session: { input_audio_format: 'constructor' } }), { code: 'invalid_value', param: 'session.input_audio_format' })
})

t.test('temperature', async t => {
  const directory = t.testdir({ 'cool.ts': characterSource('Cool', 'temperature: 0.3,') })
  const asked = async (t: Test, query = '?model=m') => {
    const chat = await startChatServer()
    t.teardown(() => chat.close())
    const client = await connect(t, { characters: { directory, default: null }, llm: { baseUrl: chat.url, model: 'test-model' } }, query)
    /** What the response shows, and what the model server was sent. */
    const answer = async (response: object = {}) => {
      client.send({ type: 'response.create', response: { modalities: ['text'], ...response } })
      const shown = [(await client.next('response.created')).response.temperature, (await client.next('response.done')).response.temperature]
      return { shown, sent: chat.requests.at(-1)!.body.temperature }
    }
    return { ...client, answer }
  }

  t.test('that nobody set is the model\'s own', async t => {
    const { answer } = await asked(t)
    t.strictSame(await answer(), { shown: [0.8, 0.8], sent: undefined })
  })

  t.test('of the session reaches the model, and that of one response for that one', async t => {
    const { answer, update } = await asked(t)
    t.equal((await update({ temperature: 0.6 })).temperature, 0.6)
    t.strictSame(await answer(), { shown: [0.6, 0.6], sent: 0.6 })
    t.strictSame(await answer({ temperature: 1.1 }), { shown: [1.1, 1.1], sent: 1.1 })
    t.strictSame(await answer(), { shown: [0.6, 0.6], sent: 0.6 })
    t.equal((await update({ instructions: 'Be brief.' })).temperature, 0.6)
    t.strictSame(await answer({ conversation: 'none', temperature: 0 }), { shown: [0, 0], sent: 0 })
  })

  t.test('of the client goes before the character\'s', async t => {
    const { answer, update } = await asked(t, '?model=m&character=Cool')
    t.strictSame((await answer()).sent, 0.3)
    t.strictSame((await answer({ temperature: 0.9 })).sent, 0.9)
    await update({ temperature: 1.2 })
    t.strictSame((await answer()).sent, 1.2)
  })

  t.test('that is none is refused, with the event that had it', async t => {
    const { answer, fail, update } = await asked(t)
    await update({ temperature: 0.7 })
    t.match(await fail({ type: 'session.update', event_id: 'a', session: { temperature: 2.5, voice: 'verse' } }),
      { type: 'invalid_request_error', code: 'invalid_value', param: 'session.temperature', event_id: 'a' })
    t.match(await fail({ type: 'session.update', event_id: 'b', session: { temperature: 'hot' } }), { code: 'invalid_type', param: 'session.temperature', event_id: 'b' })
    t.match(await fail({ type: 'response.create', event_id: 'c', response: { temperature: -1 } }), { code: 'invalid_value', param: 'response.temperature', event_id: 'c' })
    t.match(await fail({ type: 'session.update', session: { temperature: 1.4, voice: 'no such voice' } }), { code: 'invalid_value', param: 'session.voice' })
    t.strictSame(await answer(), { shown: [0.7, 0.7], sent: 0.7 }, 'nothing of a refused event counts')
  })
})

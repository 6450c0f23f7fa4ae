import type { Socket } from 'node:net'
import { initializeLogger, llm } from '@livekit/agents'
import { realtime } from '@livekit/agents-plugin-openai'
import { AudioFrame } from '@livekit/rtc-node'
import t, { type Test } from 'tap'
import { nobody } from '../support/casts.js'
import { calls, cannedEngines, echo, endless, says, tone, type Script } from '../support/engines.js'
import { Inbox } from '../support/inbox.js'
import { startServer } from '../support/server.js'

// The realtime model of LiveKit's agents, without a room: the session that such an agent drives. It waits for
// every item to be acknowledged under its own id, and finds its responses by their metadata.

initializeLogger({ pretty: false, level: 'silent' })

async function connect (t: Test, script: Script = echo, options: object = {}) {
  const engines = cannedEngines(script)
  const server = await startServer(t, { apiKeys: ['sk-test'], characters: nobody, ...engines })
  const connections = new Set<Socket>()
  server.app.server.on('connection', connection => connections.add(connection))
  const model = new realtime.RealtimeModel({ baseURL: `http://127.0.0.1:${server.port}/v1`, apiKey: 'sk-test', model: 'gpt-realtime', ...options })
  const session = model.session()
  const inbox = new Inbox()
  const on = (name: string, take: (event: any) => void) => (session as unknown as NodeJS.EventEmitter).on(name, take)
  on('openai_server_event_received', event => inbox.push(event.type === 'error' ? { ...event, type: 'server error' } : event))
  for (const name of ['generation_created', 'input_speech_started', 'metrics_collected', 'session_reconnected']) {
    on(name, event => inbox.push({ ...event, type: name }))
  }
  on('error', ({ error }) => inbox.push({ type: 'reported', message: error.message }))
  t.teardown(() => session.close())
  await inbox.next('session.updated')
  return { session, inbox, next: inbox.next.bind(inbox), requests: engines.llm.requests, connections }
}

/** Reads a generation to its end. */
async function read (generation: llm.GenerationCreatedEvent) {
  const messages: { id: string, text: string, modalities: readonly string[], samples: number }[] = []
  const functions: { name: string, args: string, callId: string }[] = []
  for await (const message of generation.messageStream) {
    const drain = async () => {
      let samples = 0
      for await (const frame of message.audioStream) samples += frame.samplesPerChannel
      return samples
    }
    const text = async () => {
      let words = ''
      for await (const piece of message.textStream) words += typeof piece === 'string' ? piece : piece.text
      return words
    }
    const [samples, words] = await Promise.all([drain(), text()])
    messages.push({ id: message.messageId, text: words, modalities: await message.modalities ?? [], samples })
  }
  for await (const { name, args, callId } of generation.functionStream) functions.push({ name, args, callId })
  return { messages, functions }
}

const message = (id: string, role: 'user' | 'assistant' | 'system', text: string) => llm.ChatMessage.create({ id, role, content: [text] })
const frame = (samples: Int16Array) => new AudioFrame(samples, 24000, 1, samples.length)

t.test('its settings are taken, and a reply is found by its metadata', async t => {
  const { session, inbox, next } = await connect(t)
  t.match(inbox.of('session.updated')[0]!.session, { audio: { input: { turn_detection: { type: 'semantic_vad', eagerness: 'medium' } }, output: { voice: 'marin' } } })
  const generation = await session.generateReply('Say hello.')
  t.equal(generation.userInitiated, true)
  const [created] = inbox.of('response.created')
  t.match(created!.response.metadata.client_event_id, /^response_create_/)
  const { messages } = await read(generation)
  t.match(messages, [{ text: 'You said: ', modalities: ['audio', 'text'] }])
  t.ok(messages[0]!.samples > 0)
  t.match(await next('metrics_collected'), { cancelled: false, inputTokens: 7, outputTokens: 3 })
  t.same(inbox.of('reported'), [])
})

t.test('a context is replayed under its own ids, changed and cut', async t => {
  const { session, inbox, requests } = await connect(t)
  const context = new llm.ChatContext([
    message('m_system', 'system', 'You are in Rome.'),
    message('m_user', 'user', 'Where am I?'),
    llm.FunctionCall.create({ id: 'f_call', callId: 'call_1', name: 'locate', args: '{}' }),
    llm.FunctionCallOutput.create({ id: 'f_out', callId: 'call_1', output: 'Rome', isError: false }),
    message('m_assistant', 'assistant', 'In Rome.')
  ])
  await session.updateChatCtx(context)
  const ids = () => session.chatCtx.items.map(item => item.id)
  t.same(ids(), ['m_system', 'm_user', 'f_call', 'f_out', 'm_assistant'])

  const edited = context.copy()
  edited.items = edited.items.filter(item => item.id !== 'm_system')
  edited.items.splice(1, 0, message('m_between', 'user', 'And where are you?'))
  await session.updateChatCtx(edited)
  t.same(ids(), ['m_user', 'm_between', 'f_call', 'f_out', 'm_assistant'])
  t.equal((await inbox.first('conversation.item.deleted')).item_id, 'm_system')
  t.equal((await inbox.first('conversation.item.added', event => event.item.id === 'm_between')).previous_item_id, 'm_user')

  await read(await session.generateReply())
  t.same(requests[0]!.messages.filter(message => message.role !== 'system').map(({ role, content }) => [role, content]), [
    ['user', 'Where am I?'], ['user', 'And where are you?'], ['assistant', ''], ['tool', 'Rome'], ['assistant', 'In Rome.']
  ])
  t.same(inbox.of('server error'), [])
})

t.test('when the connection breaks, the conversation goes on in another session', async t => {
  const { session, inbox, next, requests, connections } = await connect(t)
  await session.updateChatCtx(new llm.ChatContext([message('m_1', 'user', 'Remember me'), message('m_2', 'assistant', 'I will')]))
  const [before] = inbox.of('session.updated')
  for (const connection of connections) connection.destroy()
  await next('session_reconnected')
  t.not((await next('session.updated')).session.id, before!.session.id)
  await next('conversation.item.done', event => event.item.id === 'm_2')
  // The library's loop for the lost connection still takes one event: something that will not be missed.
  await session.clearAudio()
  await read(await session.generateReply())
  t.same(requests.at(-1)!.messages.slice(-2).map(message => message.content), ['Remember me', 'I will'])
  t.same(inbox.of('server error'), [])
})

t.test('its tools are called, and a second reply follows their output', async t => {
  const { session, next } = await connect(t, ({ messages }) => {
    const result = messages.findLast(message => message.role === 'tool')
    return result === undefined ? calls('weather', {}, 'call_w') : says(`It is ${result.content}.`)
  })
  await session.updateTools(new llm.ToolContext([
    llm.tool({ name: 'weather', description: 'The weather.', parameters: { type: 'object', properties: {} }, execute: async () => 'sunny' })
  ]))
  t.match((await next('session.updated')).session.tools, [{ type: 'function', name: 'weather' }])
  const { functions } = await read(await session.generateReply())
  t.match(functions, [{ name: 'weather', args: '{}', callId: 'call_w' }])
  const context = session.chatCtx.copy()
  context.items.push(llm.FunctionCallOutput.create({ id: 'f_out', callId: 'call_w', output: 'sunny', isError: false }))
  await session.updateChatCtx(context)
  t.match((await read(await session.generateReply())).messages, [{ text: 'It is sunny.' }])
})

t.test('a reply beside another is refused at once', async t => {
  const { session, inbox, next } = await connect(t, endless)
  await session.generateReply('Tell me a story')
  await t.rejects(session.generateReply('And another'), { message: /active response/ })
  t.match(inbox.of('server error')[0]!.error, { code: 'conversation_already_has_active_response', event_id: /^response_create_/ })
  await session.interrupt()
  t.match((await next('response.done')).response.status_details, { reason: 'client_cancelled' })
})

t.test('the user speaks into an answer; what was heard of it stays', async t => {
  const { session, inbox, next } = await connect(t, endless, { turnDetection: { type: 'server_vad', create_response: false, interrupt_response: true } })
  const generation = await session.generateReply('Tell me a story')
  await next('response.output_audio.delta', () => inbox.of('response.output_audio.delta').length === 4)
  session.pushAudio(frame(tone(500)))
  await next('input_speech_started')
  const { messages: [cut] } = await read(generation)
  t.match((await inbox.first('response.done')).response.status_details, { reason: 'turn_detected' })

  await session.truncate({ messageId: cut!.id, audioEndMs: 400, modalities: ['audio'], audioTranscript: 'This is' })
  t.match(await next('conversation.item.truncated'), { item_id: cut!.id, audio_end_ms: 400 })
  // Nothing was heard: it deletes the item instead.
  await session.truncate({ messageId: cut!.id, audioEndMs: 0, modalities: ['audio'] })
  t.equal((await next('conversation.item.deleted')).item_id, cut!.id)
  t.same(inbox.of('server error'), [])
})

t.test('push to talk: audio is committed by the client', async t => {
  const { session, next } = await connect(t, echo, { turnDetection: null })
  session.pushAudio(frame(tone(300)))
  await session.commitAudio()
  t.match(await next('conversation.item.input_audio_transcription.completed'), { transcript: '300 ms of audio' })
  t.match((await read(await session.generateReply())).messages, [{ text: 'You said: 300 ms of audio' }])
})

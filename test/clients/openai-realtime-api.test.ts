import { RealtimeClient } from 'openai-realtime-api'
import t, { type Test } from 'tap'
import { nobody } from '../support/casts.js'
import { calls, cannedEngines, echo, endless, says, tone, type Script } from '../support/engines.js'
import { Inbox } from '../support/inbox.js'
import { startServer } from '../support/server.js'

// A client of the beta that keeps the conversation itself and relies on the order of events: an item it does
// not know makes it lose what comes after. It offers subprotocols where there is a native WebSocket.

async function connect (t: Test, script: Script = echo, sessionConfig: object = {}) {
  const server = await startServer(t, { apiKeys: ['sk-test'], characters: nobody, ...cannedEngines(script) })
  const client = new RealtimeClient({ url: `ws://127.0.0.1:${server.port}/v1/realtime`, apiKey: 'sk-test', sessionConfig })
  const inbox = new Inbox()
  client.realtime.on('server.*', event => inbox.push(event as { type: string }))
  // What it makes of the events, after the events themselves.
  client.on('conversation.item.completed', event => inbox.push({ type: 'completed', item: event.item }))
  client.on('conversation.interrupted', () => inbox.push({ type: 'interrupted' }))
  t.teardown(() => client.disconnect())
  await client.connect()
  await inbox.next('session.updated')
  return { client, inbox, next: inbox.next.bind(inbox) }
}

/** The texts of the conversation as the library composed it. */
const said = (client: RealtimeClient) => client.conversation.getItems().map(item => `${(item as { role?: string }).role}: ${item.formatted.text || item.formatted.transcript}`)

t.test('it configures the session in full, and is told what is in effect', async t => {
  const { inbox } = await connect(t, echo, { instructions: 'Be kind.', voice: 'verse' })
  t.same(inbox.types().slice(0, 2), ['session.created', 'conversation.created'])
  t.match(inbox.of('session.updated')[0]!.session, {
    modalities: ['text', 'audio'],
    voice: 'verse',
    instructions: 'Be kind.',
    input_audio_format: 'pcm16',
    output_audio_format: 'pcm16',
    input_audio_transcription: { model: 'whisper-1' },
    turn_detection: null,
    tools: [],
    tool_choice: 'auto',
    temperature: 0.8,
    max_response_output_tokens: 4096
  })
})

t.test('a question in writing is answered aloud, and composed from its events', async t => {
  const { client, inbox, next } = await connect(t)
  client.sendUserMessageContent([{ type: 'input_text', text: 'Hello' }])
  const { item } = await next('completed', event => event.item.role === 'assistant')
  t.same(said(client), ['user: Hello', 'assistant: You said: Hello'])
  const sent = Buffer.concat(inbox.of('response.audio.delta').map(event => Buffer.from(event.delta, 'base64')))
  t.equal(item.formatted.audio.length, sent.length / 2, 'every delta was taken')
  t.ok(item.formatted.audio.length > 0)
})

t.test('a question in writing is answered in writing', async t => {
  const { client, next } = await connect(t, echo, { modalities: ['text'] })
  client.sendUserMessageContent([{ type: 'input_text', text: 'Hello' }])
  const { item } = await next('completed', event => event.item.role === 'assistant')
  t.match(item.content, [{ type: 'text', text: 'You said: Hello' }])
})

t.test('its tool is called, and the model told', async t => {
  const { client, next } = await connect(t, ({ messages }) => {
    const result = messages.findLast(message => message.role === 'tool')
    return result === undefined ? calls('weather', { city: 'Rome' }) : says(`It is ${result.content}.`)
  }, { modalities: ['text'] })
  client.addTool(
    { name: 'weather', description: 'The weather of a city.', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
    async ({ city }: { city: string }) => ({ [city]: 'sunny' })
  )
  await next('session.updated')
  client.sendUserMessageContent([{ type: 'input_text', text: 'The weather in Rome?' }])
  const { item } = await next('completed', event => event.item.role === 'assistant')
  t.equal(item.formatted.text, 'It is {"Rome":"sunny"}.')
  t.match(client.conversation.getItems().map(item => item.type), ['message', 'function_call', 'function_call_output', 'message'])
})

t.test('push to talk: audio is committed and answered', async t => {
  const { client, inbox, next } = await connect(t, () => says('I heard you.'))
  client.appendInputAudio(tone(300))
  client.createResponse()
  await next('completed', event => event.item.role === 'assistant')
  await inbox.first('conversation.item.input_audio_transcription.completed')
  t.match(said(client), ['user: 300 ms of audio', 'assistant: I heard you.'])
})

t.test('the user speaks into an answer', async t => {
  const { client, next } = await connect(t, endless, { turn_detection: { type: 'server_vad' } })
  client.sendUserMessageContent([{ type: 'input_text', text: 'Tell me a story' }])
  await next('response.audio.delta')
  client.appendInputAudio(tone(300))
  await next('interrupted')
  const { response } = await next('response.done')
  t.match(response, { status: 'cancelled', status_details: { reason: 'turn_detected' } })

  const [item] = response.output
  client.realtime.send('conversation.item.truncate', { item_id: item.id, content_index: 0, audio_end_ms: 20 })
  await next('conversation.item.truncated')
  t.equal(client.conversation.getItem(item.id)!.formatted.audio!.length, 480)
  client.deleteItem(item.id)
  await next('conversation.item.deleted')
  t.equal(client.conversation.getItem(item.id), undefined)
})

t.test('an answer is cancelled by the application', async t => {
  const { client, next } = await connect(t, endless)
  client.sendUserMessageContent([{ type: 'input_text', text: 'Tell me a story' }])
  const { item_id: id } = await next('response.audio.delta')
  client.cancelResponse(id, 480)
  t.match((await next('response.done')).response.status_details, { reason: 'client_cancelled' })
  t.equal((await next('conversation.item.truncated')).audio_end_ms, 20)
})

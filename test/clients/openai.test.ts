import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import OpenAI6 from 'openai'
import { OpenAIRealtimeWS as Beta6 } from 'openai/beta/realtime/ws'
import { OpenAIRealtimeWS as Ga6 } from 'openai/realtime/ws'
import OpenAI7 from 'openai-7'
import { OpenAIRealtimeWebSocket as BetaNative } from 'openai-7/beta/realtime/websocket'
import { OpenAIRealtimeWS as Beta7 } from 'openai-7/beta/realtime/ws'
import { OpenAIRealtimeWebSocket as GaNative } from 'openai-7/realtime/websocket'
import { OpenAIRealtimeWS as Ga7 } from 'openai-7/realtime/ws'
import t, { type Test } from 'tap'
import * as undici from 'undici'
import { nobody } from '../support/casts.js'
import { base64, calls, cannedEngines, echo, endless, says, tone, type Script } from '../support/engines.js'
import { Inbox } from '../support/inbox.js'
import { startLocalServer, startServer } from '../support/server.js'
import { readClip } from '../support/wav.js'
import { countWrongWords } from '../support/words.js'

// The library dials wss only: a plain connection is put under it, or `ws` in place of `wss`.
const plain = (port: number) => ({ createConnection: () => connectTcp({ host: '127.0.0.1', port }) }) as object

// Patched once for the file: the classes look the constructor up when they connect.
globalThis.WebSocket = class extends undici.WebSocket {
  constructor (url: string | URL, protocols?: string | string[]) { super(String(url).replace(/^wss:/, 'ws:'), protocols) }
} as unknown as typeof WebSocket

const key = 'sk-test'
const clients = [
  { version: '6.34', Client: OpenAI6, Ga: Ga6, Beta: Beta6 },
  { version: '7.57', Client: OpenAI7 as unknown as typeof OpenAI6, Ga: Ga7 as unknown as typeof Ga6, Beta: Beta7 as unknown as typeof Beta6 }
]

/** Any of the library's classes. */
interface Realtime {
  on (event: 'event', listener: (event: any) => void): unknown
  on (event: 'error', listener: (error: any) => void): unknown
  send (event: any): void
  close (): void
}

/** Everything the library emits; a fault that is not an event of the server fails whoever waits. */
function drive<R extends Realtime> (t: Test, rt: R) {
  const inbox = new Inbox()
  rt.on('event', inbox.push)
  rt.on('error', error => { if (error.error === undefined) inbox.push({ type: 'error', error: error.message }) })
  t.teardown(() => rt.close())
  return { inbox, next: inbox.next.bind(inbox), send: (event: Record<string, unknown>) => rt.send(event), rt }
}

const baseURL = (port: number) => `http://localhost:${port}/v1`
const user = (text: string) => ({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })

/** Calls the client's tool, then tells what it returned. */
const weather: Script = request => {
  const result = request.messages.findLast(message => message.role === 'tool')
  if (result !== undefined) return says(`It is ${result.content} there.`)
  return request.tools?.some(tool => tool.name === 'weather') ? calls('weather', { city: 'Rome' }) : echo(request, new AbortController().signal)
}

for (const { version, Client, Ga, Beta } of clients) {
  t.test(`openai ${version}: a conversation in writing, aloud, with a tool and the extension`, async t => {
    const server = await startServer(t, { apiKeys: [key], characters: nobody, ...cannedEngines(weather) })
    const client = new Client({ apiKey: key, baseURL: baseURL(server.port) })
    const { inbox, next, send, rt } = drive(t, new Ga({ model: 'gpt-realtime', options: plain(server.port) }, client))
    t.equal((await next('session.created')).session.model, 'gpt-realtime')

    send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be kind.', output_modalities: ['text'] } })
    t.match((await next('session.updated')).session, { instructions: 'Be kind.', output_modalities: ['text'] })

    send(user('Hello'))
    send({ type: 'response.create' })
    t.match((await next('response.done')).response, { status: 'completed', output: [{ content: [{ type: 'output_text', text: 'You said: Hello' }] }] })
    t.equal(inbox.of('response.output_text.delta').map(event => event.delta).join(''), 'You said: Hello')

    send(user('Aloud'))
    send({ type: 'response.create', response: { output_modalities: ['audio'] } })
    const spoken = (await next('response.done')).response
    t.match(spoken.output, [{ content: [{ type: 'output_audio', transcript: 'You said: Aloud' }] }])
    const audio = Buffer.concat(inbox.of('response.output_audio.delta').map(event => Buffer.from(event.delta, 'base64')))
    t.ok(audio.length > 24000 * 2 / 10, 'there is sound')
    send({ type: 'conversation.item.retrieve', item_id: spoken.output[0].id })
    t.equal((await next('conversation.item.retrieved')).item.content[0].audio, audio.toString('base64'))

    send({ type: 'session.update', session: { type: 'realtime', tools: [{ type: 'function', name: 'weather', parameters: { type: 'object' } }] } })
    send(user('And the weather?'))
    send({ type: 'response.create' })
    const call = await next('response.function_call_arguments.done')
    t.match(call, { name: 'weather', arguments: '{"city":"Rome"}' })
    await next('response.done')
    send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: call.call_id, output: 'sunny' } })
    send({ type: 'response.create' })
    t.match((await next('response.done')).response.output, [{ content: [{ text: 'It is sunny there.' }] }])

    send({ type: 'session.characters.list', event_id: 'mine' })
    t.match(await next('session.characters.listed'), { request_event_id: 'mine', directory: 'default' })

    send({ type: 'response.cancel', event_id: 'nothing' })
    t.match(await next('error'), { error: { code: 'response_cancel_not_active', event_id: 'nothing' } })

    const closed = once(rt.socket, 'close')
    rt.close()
    t.equal((await closed)[0], 1000)
  })

  t.test(`openai ${version}: a spoken turn, cut short by the next`, async t => {
    const server = await startServer(t, { characters: nobody, ...cannedEngines(endless) })
    const { next, send } = drive(t, new Ga({ model: 'm', options: plain(server.port) }, new Client({ apiKey: key, baseURL: baseURL(server.port) })))
    await next('session.created')
    send({ type: 'session.update', session: { type: 'realtime', audio: { input: { transcription: { model: 'whisper-1' } } } } })
    await next('session.updated')
    const say = () => {
      send({ type: 'input_audio_buffer.append', audio: base64(tone(400)) })
      send({ type: 'input_audio_buffer.append', audio: base64(tone(900, 0)) })
    }
    say()
    const { item_id: heard } = await next('input_audio_buffer.speech_started')
    t.equal((await next('conversation.item.done')).item.id, heard)
    await next('response.output_audio.delta')
    send({ type: 'input_audio_buffer.append', audio: base64(tone(400)) })
    const { response } = await next('response.done')
    t.match(response, { status: 'cancelled', status_details: { reason: 'turn_detected' } })
    const [item] = response.output
    send({ type: 'conversation.item.truncate', item_id: item.id, content_index: 0, audio_end_ms: 20 })
    t.equal((await next('conversation.item.truncated')).audio_end_ms, 20)
  })

  t.test(`openai ${version}: the class of the beta`, async t => {
    const server = await startServer(t, { apiKeys: [key], characters: nobody, ...cannedEngines(weather) })
    const { inbox, next, send } = drive(t, new Beta({ model: 'gpt-4o-realtime-preview', options: plain(server.port) }, new Client({ apiKey: key, baseURL: baseURL(server.port) })))
    t.match((await next('session.created')).session, { modalities: ['text', 'audio'], input_audio_format: 'pcm16' })
    await next('conversation.created')
    send({ type: 'session.update', session: { modalities: ['text'], tools: [{ type: 'function', name: 'weather', parameters: {} }] } })
    send(user('The weather, please'))
    send({ type: 'response.create' })
    const call = await next('response.function_call_arguments.done')
    await next('response.done')
    send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: call.call_id, output: 'rainy' } })
    send({ type: 'response.create' })
    t.match((await next('response.done')).response.output, [{ content: [{ type: 'text', text: 'It is rainy there.' }] }])
    t.equal(inbox.of('response.text.delta').map(event => event.delta).join(''), 'It is rainy there.')
    t.same(inbox.events.filter(event => /output_text|output_audio|item\.(added|done)$/.test(event.type) && !event.type.startsWith('response.output_item')), [])
  })
}

t.test('the native class shows its key as browsers do, in GA and beta', async t => {
  const server = await startServer(t, { apiKeys: [key], characters: nobody })
  const client = new OpenAI7({ apiKey: key, baseURL: baseURL(server.port) })
  const ga = drive(t, new GaNative({ model: 'm' }, client))
  await ga.next('session.created')
  ga.send(user('Hello'))
  ga.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  t.match((await ga.next('response.done')).response.output, [{ content: [{ text: 'You said: Hello' }] }])
  t.equal(ga.rt.socket.protocol, 'realtime')

  const beta = drive(t, new BetaNative({ model: 'm' }, client))
  await beta.next('conversation.created')
  t.equal(beta.rt.socket.protocol, 'realtime')

  const stranger = drive(t, new GaNative({ model: 'm' }, new OpenAI7({ apiKey: 'sk-wrong', baseURL: baseURL(server.port) })))
  await stranger.next('error')
  t.same(stranger.inbox.of('session.created'), [])
})

t.test('ephemeral keys, made on a server and used in a browser', async t => {
  const server = await startServer(t, { apiKeys: [key], characters: nobody })
  const owner = new OpenAI7({ apiKey: key, baseURL: baseURL(server.port) })
  const secret = await owner.realtime.clientSecrets.create({ session: { type: 'realtime', instructions: 'Be brief.', output_modalities: ['text'] } })
  t.match(secret, { value: /^ek_/, session: { type: 'realtime', instructions: 'Be brief.' } })
  const ga = drive(t, new GaNative({ model: 'm' }, new OpenAI7({ apiKey: secret.value, baseURL: baseURL(server.port) })))
  t.match((await ga.next('session.created')).session, { instructions: 'Be brief.', output_modalities: ['text'] })

  const session = await owner.beta.realtime.sessions.create({ instructions: 'Be long.', modalities: ['text'] })
  t.match(session, { instructions: 'Be long.', modalities: ['text'], client_secret: { value: /^ek_/ } })
  const beta = drive(t, new BetaNative({ model: 'm' }, new OpenAI7({ apiKey: session.client_secret.value, baseURL: baseURL(server.port) })))
  t.match((await beta.next('session.created')).session, { instructions: 'Be long.', modalities: ['text'] })

  const captions = await owner.beta.realtime.transcriptionSessions.create({ input_audio_transcription: { model: 'whisper-1' } })
  t.match(captions, { client_secret: { value: /^ek_/ }, input_audio_format: 'pcm16' })
  await t.rejects(new OpenAI7({ apiKey: 'sk-wrong', baseURL: baseURL(server.port) }).realtime.clientSecrets.create({}), { message: /^401/ })
})

t.test('a dropped connection is taken up again: by the library itself, and with a query of one\'s own', async t => {
  const server = await startServer(t, { apiKeys: [key], characters: nobody })
  const client = new OpenAI7({ apiKey: key, baseURL: baseURL(server.port) })
  let token = 'new'
  const { next, send, rt } = drive(t, new Ga7({
    model: 'm',
    reconnect: true,
    reconnectInitialDelay: 1,
    buildRealtimeURL: () => new URL(`wss://localhost:${server.port}/v1/realtime?model=m&resume=${token}`),
    options: plain(server.port)
  }, client))
  rt.on('session.created', ({ session }) => { token = (session as unknown as { resume: { token: string } }).resume.token })
  const { session } = await next('session.created')
  send(user('Hello'))
  send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await next('response.done')
  rt.socket.terminate()
  const again = (await next('session.created')).session
  t.match(again, { id: session.id, resume: { resumed: true, item_count: 2 } })
  rt.close()

  const ga = drive(t, new GaNative({ model: 'm', onURL: url => url.searchParams.set('resume', 'new') }, client))
  t.match((await ga.next('session.created')).session, { resume: { resumed: false, token: /^resume_/ } })
})

t.test('a session that only transcribes', async t => {
  const server = await startServer(t)
  const { next, send } = drive(t, new Ga7({ intent: 'transcription', options: plain(server.port) }, new OpenAI7({ apiKey: key, baseURL: baseURL(server.port) })))
  t.equal((await next('session.created')).session.type, 'transcription')
  send({ type: 'session.update', session: { type: 'transcription', audio: { input: { transcription: { model: 'whisper-1' }, turn_detection: null } } } })
  await next('session.updated')
  send({ type: 'input_audio_buffer.append', audio: base64(tone(300)) })
  send({ type: 'input_audio_buffer.commit' })
  t.equal((await next('conversation.item.input_audio_transcription.completed')).transcript, '300 ms of audio')
})

t.test('a spoken turn through the local engines', async t => {
  const server = await startLocalServer(t)
  const { inbox, next, send } = drive(t, new Ga7({ model: 'gpt-realtime', options: plain(server.port) }, new OpenAI7({ apiKey: key, baseURL: baseURL(server.port) })))
  await next('session.created')
  send({ type: 'session.update', session: { type: 'realtime', audio: { input: { transcription: { model: 'whisper-1' } } } } })
  await next('session.updated')
  const clip = await readClip('austen-0880')
  for (let at = 0; at < clip.length; at += 2400) send({ type: 'input_audio_buffer.append', audio: base64(clip.slice(at, at + 2400)) })
  send({ type: 'input_audio_buffer.append', audio: base64(new Int16Array(24000 * 1.5)) })

  const { response } = await next('response.done')
  const [heard] = inbox.of('conversation.item.input_audio_transcription.completed')
  t.ok(countWrongWords(heard!.transcript, 'he was not an ill disposed young man') <= 2, heard!.transcript)
  t.equal(response.status, 'completed')
  t.ok(response.output[0].content[0].transcript.length > 0)
  const bytes = inbox.of('response.output_audio.delta').reduce((sum, event) => sum + Buffer.from(event.delta, 'base64').length, 0)
  t.ok(bytes > 24000, 'an answer is heard')
})

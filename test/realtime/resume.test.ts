import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { DramatisOptions } from '../../app.js'
import type { ServerEvent } from '../../lib/realtime/events/server.js'
import { characterSource } from '../support/casts.js'
import type { TestClient } from '../support/client.js'
import { cannedEngines, endless, hang, tone, toneTts } from '../support/engines.js'
import { Inbox } from '../support/inbox.js'
import { refusal } from '../support/refusal.js'
import { samplesOf } from '../support/prometheus.js'
import { startServer, type TestServer } from '../support/server.js'

const written = { output_modalities: ['text'] }

/** What a session's client was told at first. */
function created (client: TestClient) {
  return (client.events.find(event => event.type === 'session.created') as Extract<ServerEvent, { type: 'session.created' }>).session
}

const tokenOf = (client: TestClient) => created(client).resume!.token

/** The network is gone: neither side says goodbye. */
async function cut (client: TestClient): Promise<void> {
  client.socket.terminate()
  await client.closed
}

/** The items that a session has, as its client reads them. */
async function items (server: TestServer, token: string, query = '') {
  const client = await server.connect(`?resume=${token}&replay=true${query}`)
  await client.settle()
  return { client, items: client.of('conversation.item.done').map(({ item }) => item) }
}

async function sessions (server: TestServer): Promise<{ id: string }[]> {
  return (await (await fetch(`${server.http}/v1/sessions`)).json() as { data: { id: string }[] }).data
}

async function checkpoints (server: TestServer): Promise<number> {
  const samples = samplesOf(await (await fetch(`${server.http}/metrics`)).text())
  return samples.find(({ name, labels }) => name === 'dramatis_checkpoints_total' && labels.outcome === 'written')!.value
}

async function connect (t: Test, options: DramatisOptions = {}) {
  const server = await startServer(t, { characters: { default: null }, ...options })
  return { server, client: await server.connect('?resume=new') }
}

t.test('who does not ask for it is told nothing of it', async t => {
  const server = await startServer(t)
  t.notOk('resume' in created(await server.connect()))
})

t.test('a client that comes back finds its conversation, its settings and its character', async t => {
  const server = await startServer(t)
  const client = await server.connect('?resume=new&model=mine')
  t.match(created(client).resume, { token: /^resume_\w{32}$/, expires_in_seconds: 120, resumed: false, item_count: 0 })
  const before = await client.update({
    character: created(client).characters[2],
    instructions: 'Be kind.',
    user_name: 'Ada',
    output_modalities: ['text'],
    audio: { input: { format: { type: 'audio/pcmu' }, turn_detection: { type: 'semantic_vad', eagerness: 'low' } }, output: { voice: 'low' } }
  })
  t.equal(await client.ask('Hello', {}), 'You said: Hello')
  await cut(client)

  const again = await server.connect(`?resume=${tokenOf(client)}&model=another`)
  const { resume, expires_at: expiresAt, ...after } = created(again)
  t.match(resume, { resumed: true, item_count: 2 })
  t.not(resume!.token, tokenOf(client), 'the token is a new one')
  const { expires_at: expiredAt, ...same } = before
  t.strictSame(after, same)
  t.equal(after.id, created(client).id)
  t.strictSame(again.types(), ['session.created'], 'nothing is told that was not asked for')
  t.equal(await again.ask('And?', {}), 'You said: And?')
  t.equal((await sessions(server)).length, 1)
})

t.test('items come back in their order, deleted ones stay away, and the model reads them', async t => {
  const engines = cannedEngines()
  const { server, client } = await connect(t, engines)
  await client.ask('One')
  client.send({ type: 'conversation.item.create', previous_item_id: 'root', item: { id: 'first', type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Zero' }] } })
  client.send({ type: 'conversation.item.create', item: { id: 'gone', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Forget me' }] } })
  client.send({ type: 'conversation.item.create', item: { id: 'call', type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{}' } })
  client.send({ type: 'conversation.item.create', item: { id: 'output', type: 'function_call_output', call_id: 'call_1', output: 'Rain' } })
  client.send({ type: 'conversation.item.delete', item_id: 'gone' })
  await client.next('conversation.item.deleted')
  await cut(client)
  const again = await items(server, tokenOf(client))
  t.match(again.items, [
    { id: 'first', role: 'system' },
    { role: 'user', content: [{ type: 'input_text', text: 'One' }] },
    { role: 'assistant', content: [{ type: 'output_text', text: 'You said: One' }] },
    { id: 'call', name: 'weather' },
    { id: 'output', output: 'Rain' }
  ])
  t.equal(again.items.length, 5)
  t.equal(again.client.of('conversation.item.added')[4]!.previous_item_id, 'call')
  again.client.send({ type: 'conversation.item.retrieve', item_id: 'first' })
  t.match((await again.client.next('conversation.item.retrieved')).item, { content: [{ text: 'Zero' }] })

  again.client.send({ type: 'response.create', response: written })
  await again.client.next('response.done')
  t.strictSame(engines.llm.requests.at(-1)!.messages.slice(1).map(({ content }) => content), ['Zero', 'One', 'You said: One', 'Rain'])
})

t.test('a token works once, and the new one as often as it is needed', async t => {
  const { server, client } = await connect(t)
  const url = `ws://127.0.0.1:${server.port}/v1/realtime?resume=`
  const tokens = [tokenOf(client)]
  let current = client
  for (let round = 0; round < 3; round++) {
    await current.ask(`Round ${round}`)
    await cut(current)
    current = await server.connect(`?resume=${tokens.at(-1)}`)
    t.equal(created(current).resume!.item_count, 2 * round + 2)
    tokens.push(tokenOf(current))
  }
  for (const used of tokens.slice(0, -1)) {
    t.match(await refusal(url + used), { status: 404, body: { error: { code: 'resume_not_found', param: 'resume' } } })
  }
  t.equal((await sessions(server)).length, 1, 'and nobody was disturbed')
})

t.test('a token that is unknown, expired or of another key is refused with one code', async t => {
  const server = await startServer(t, { apiKeys: ['mine', 'theirs'], limits: { resumeSeconds: 0.2 } })
  const mine = { authorization: 'Bearer mine' }
  const theirs = { authorization: 'Bearer theirs' }
  const url = (token: string) => `ws://127.0.0.1:${server.port}/v1/realtime?resume=${token}`
  const client = await server.connect('?resume=new', [], mine)
  const refused = { status: 404, body: { error: { code: 'resume_not_found', param: 'resume' } } }
  t.match(await refusal(url('resume_never'), mine), refused, 'unknown')
  t.match(await refusal(url(tokenOf(client)), theirs), refused, 'foreign, and its owner still has it')
  t.equal(client.socket.readyState, client.socket.OPEN)
  await cut(client)
  await setTimeout(300)
  t.match(await refusal(url(tokenOf(client)), mine), refused, 'expired')
})

t.test('who hangs up, and whom an operator closes, does not come back', async t => {
  const { server, client } = await connect(t)
  const url = `ws://127.0.0.1:${server.port}/v1/realtime?resume=`
  await client.ask('Hello')
  await client.close()
  while ((await sessions(server)).length > 0);
  t.match(await refusal(url + tokenOf(client)), { status: 404 })

  const closed = await server.connect('?resume=')
  await fetch(`${server.http}/v1/sessions/${created(closed).id}/close`, { method: 'POST' })
  t.match(await closed.closed, { code: 1001 })
  t.match(await refusal(url + tokenOf(closed)), { status: 404 })
})

t.test('a session that is over because of its length can be taken up', async t => {
  const { server, client } = await connect(t, { limits: { sessionSeconds: 1 } })
  await client.ask('Hello')
  t.strictSame(await client.closed, { code: 1000, reason: 'session_expired' })
  t.match(created(await server.connect(`?resume=${tokenOf(client)}`)).resume, { resumed: true, item_count: 2 })
})

t.test('an answer that is cut off keeps what was sent of it', async t => {
  const { server, client } = await connect(t, { ...cannedEngines(endless) })
  client.say('Hello')
  client.send({ type: 'response.create' })
  await client.next('response.output_audio_transcript.delta')
  await client.settle()
  const sent = client.of('response.output_audio_transcript.delta').map(({ delta }) => delta).join('')
  await cut(client)
  const again = await items(server, tokenOf(client))
  t.match(again.items, [{ role: 'user' }, { role: 'assistant', status: 'incomplete', content: [{ type: 'output_audio', transcript: sent }] }])
  t.match(sent, /^This is the first sentence/)
})

t.test('a client that knows how much of an answer it played can still truncate it', async t => {
  const { server, client } = await connect(t, { ...cannedEngines(), tts: toneTts() })
  client.say('one two three four')
  client.send({ type: 'response.create' })
  const { id } = (await client.next('response.done')).response.output[0]!
  await cut(client)
  const { client: again } = await items(server, tokenOf(client))
  again.send({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: 200 })
  t.equal((await again.next('conversation.item.truncated')).audio_end_ms, 200)
  await cut(again)
  const { items: [, answer] } = await items(server, tokenOf(again))
  t.match(answer, { content: [{ transcript: 'You said:' }] })
})

t.test('what was spoken comes back in words, without its sound', async t => {
  const { server, client } = await connect(t)
  await client.update({ audio: { input: { turn_detection: null } } })
  client.append(tone(500))
  client.send({ type: 'input_audio_buffer.commit' })
  client.send({ type: 'response.create', response: written })
  await client.next('response.done')
  await cut(client)
  const { client: again, items: [spoken] } = await items(server, tokenOf(client))
  t.match(spoken, { content: [{ type: 'input_audio', transcript: '500 ms of audio' }] })
  again.send({ type: 'conversation.item.retrieve', item_id: spoken!.id })
  t.notOk(JSON.stringify((await again.next('conversation.item.retrieved')).item).includes('"audio":'))
})

t.test('a connection that still looks alive is closed, keeps what it said, and gives its place to the new one', async t => {
  const { server, client } = await connect(t, { ...cannedEngines(endless), limits: { sessions: 1 } })
  client.say('Hello')
  client.send({ type: 'response.create', response: written })
  await client.next('response.output_text.delta')
  // It neither reads nor answers: so does one whose network is gone.
  client.socket.pause()
  const { client: again, items: [, answer] } = await items(server, tokenOf(client))
  t.match(answer, { status: 'incomplete', content: [{ text: /^This is the first/ }] })
  client.socket.resume()
  t.strictSame(await client.closed, { code: 1000, reason: 'session resumed on another connection' })
  t.equal(again.socket.readyState, again.socket.OPEN)
})

t.test('a cast comes back from where it was loaded, in its version', async t => {
  const team = t.testdir({ winter: { 'a.ts': characterSource('Frost'), 'b.ts': characterSource('Snow') } })
  const server = await startServer(t, { characters: { roots: { team } } })
  const client = await server.connect('?resume=new')
  client.send({ type: 'session.characters.reload', directory: 'team/winter' })
  const { version } = await client.next('session.characters.reloaded')
  await client.update({ character: 'Snow' })
  await cut(client)
  const again = await server.connect(`?resume=${tokenOf(client)}`)
  t.match(created(again), { characters: ['Frost', 'Snow'], character: 'Snow' })
  again.send({ type: 'session.characters.list' })
  t.match(await again.next('session.characters.listed'), { directory: 'team/winter', version })

  again.send({ type: 'session.characters.reload', characters: [{ name: 'Mine', instructions: { prompt: 'You are mine.', language: 'en' } }] })
  await again.next('session.characters.reloaded')
  await cut(again)
  const last = await server.connect(`?resume=${tokenOf(again)}`)
  t.strictSame(created(last).characters, ['Mine'])
})

t.test('files that changed meanwhile do not change the cast that comes back, if it is still kept', async t => {
  const team = t.testdir({ winter: { 'a.ts': characterSource('Frost') } })
  const server = await startServer(t, { characters: { roots: { team } } })
  const client = await server.connect('?resume=new&characters=team/winter')
  await cut(client)
  await writeFile(join(team, 'winter', 'a.ts'), characterSource('Thaw'))
  t.strictSame(created(await server.connect('?characters=team/winter')).characters, ['Thaw'])
  t.strictSame(created(await server.connect(`?resume=${tokenOf(client)}`)).characters, ['Frost'])
})

t.test('a session whose cast is not there is refused, and can be taken up once it is', async t => {
  const team = t.testdir({ winter: { 'a.ts': characterSource('Frost') } })
  const server = await startServer(t, { characters: { roots: { team } } })
  const client = await server.connect('?resume=new&characters=team/winter')
  await cut(client)
  await rename(join(team, 'winter'), join(team, 'away'))
  const url = `ws://127.0.0.1:${server.port}/v1/realtime?resume=${tokenOf(client)}`
  for (let again = 0; again < 2; again++) t.match(await refusal(url), { status: 400, body: { error: { code: 'directory_not_found', param: 'resume' } } })
  await rename(join(team, 'away'), join(team, 'winter'))
  t.strictSame(created(await server.connect(`?resume=${tokenOf(client)}`)).characters, ['Frost'])
})

t.test('of a long conversation the newest items are kept', async t => {
  const { server, client } = await connect(t, { limits: { resumeBytes: 8 * 1024 } })
  for (let count = 0; count < 20; count++) client.say(`${count}: ${'x'.repeat(1000)}`)
  await client.settle()
  await cut(client)
  const again = await items(server, tokenOf(client))
  t.equal(again.items.length, 7)
  t.match(again.items.at(-1), { content: [{ text: /^19: / }] })
})

t.test('one command is written for each finished item, and none for what else happens', async t => {
  const { server, client } = await connect(t)
  const plain = await server.connect()
  await client.settle()
  t.equal(await checkpoints(server), 1, 'at the beginning')
  await client.update({ instructions: 'Be kind.' })
  client.append(tone(200, 0))
  await client.settle()
  await plain.ask('Hello')
  t.equal(await checkpoints(server), 1)
  for (let turn = 0; turn < 3; turn++) await client.ask('Hello')
  await client.settle()
  t.equal(await checkpoints(server), 7)
  await cut(client)
  const { client: again } = await items(server, tokenOf(client))
  await again.settle()
  t.equal(await checkpoints(server), 9, 'at the end, and at the new beginning')
})

t.test('where nothing is to be kept nobody is promised anything', async t => {
  const { server, client } = await connect(t, { limits: { resumeSeconds: 0 } })
  t.notOk('resume' in created(client))
  t.match(await refusal(`ws://127.0.0.1:${server.port}/v1/realtime?resume=resume_x`), { status: 404, body: { error: { code: 'resume_not_found' } } })
})

t.test('a speaker who was not understood yet does not keep the conversation from coming back', async t => {
  const { server, client } = await connect(t, {
    ...cannedEngines(),
    stt: { name: 'deaf', async * transcribe (audio, { signal }) { await hang(signal) } }
  })
  await client.update({ audio: { input: { turn_detection: null } } })
  client.say('Hello')
  client.append(tone(500))
  client.send({ type: 'input_audio_buffer.commit' })
  await client.next('input_audio_buffer.committed')
  await client.settle()
  await cut(client)
  const again = await items(server, tokenOf(client))
  t.match(again.items, [{ content: [{ text: 'Hello' }] }, { content: [{ type: 'input_audio', transcript: null }] }])
})

t.test('a client of the beta comes back in its dialect, with its temperature', async t => {
  const engines = cannedEngines()
  const server = await startServer(t, { characters: { default: null }, ...engines })
  const dial = async (query: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/realtime?${query}`, { headers: { 'OpenAI-Beta': 'realtime=v1' } })
    t.teardown(() => socket.terminate())
    const inbox = new Inbox()
    socket.on('message', data => inbox.push(JSON.parse(String(data))))
    await once(socket, 'open')
    return { socket, inbox, session: (await inbox.next('session.created')).session, send: (event: object) => socket.send(JSON.stringify(event)) }
  }
  const client = await dial('resume=new')
  const conversation = await client.inbox.next('conversation.created')
  client.send({ type: 'session.update', session: { temperature: 0.7, modalities: ['text'] } })
  client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] } })
  client.send({ type: 'response.create' })
  await client.inbox.next('response.done')
  client.socket.terminate()
  await once(client.socket, 'close')

  const again = await dial(`resume=${client.session.resume.token}&replay=true`)
  t.match(again.session, { id: client.session.id, temperature: 0.7, modalities: ['text'], resume: { resumed: true, item_count: 2 } })
  t.strictSame((await again.inbox.next('conversation.created')).conversation, conversation.conversation)
  t.match((await again.inbox.next('conversation.item.created')).item, { role: 'user', object: 'realtime.item' })
  t.match((await again.inbox.next('conversation.item.created')).item, { role: 'assistant', content: [{ type: 'text', text: 'You said: Hello' }] })
  again.send({ type: 'response.create' })
  await again.inbox.next('response.done')
  t.equal(engines.llm.requests.at(-1)!.temperature, 0.7)
})

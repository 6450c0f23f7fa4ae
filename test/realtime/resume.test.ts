import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { connectBeta } from '../support/beta-client.js'
import { nobody } from '../support/casts.js'
import { userItem } from '../support/conversing.js'
import { cannedEngines, endless, hang, tone, toneTts } from '../support/engines.js'
import { samplesOf } from '../support/prometheus.js'
import { refusal } from '../support/refusal.js'
import { created, cut, tokenOf } from '../support/resuming.js'
import { startServer, type TestServer } from '../support/server.js'

const written = { output_modalities: ['text'] }

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
  const server = await startServer(t, { characters: nobody, ...options })
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
  client.send({ type: 'conversation.item.create', previous_item_id: 'root', item: { ...userItem('Zero', 'first'), role: 'system' } })
  for (const item of [
    userItem('Forget me', 'gone'),
    { id: 'call', type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{}' },
    { id: 'output', type: 'function_call_output', call_id: 'call_1', output: 'Rain' }
  ]) client.send({ type: 'conversation.item.create', item })
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
  t.match(await again.client.retrieve('first'), { content: [{ text: 'Zero' }] })

  await again.client.respond(written)
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
  const { id } = (await client.respond()).output[0]!
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
  await client.respond(written)
  await cut(client)
  const { client: again, items: [spoken] } = await items(server, tokenOf(client))
  t.match(spoken, { content: [{ type: 'input_audio', transcript: '500 ms of audio' }] })
  t.notOk(JSON.stringify(await again.retrieve(spoken!.id!)).includes('"audio":'))
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
  const server = await startServer(t, { characters: nobody, ...engines })
  const client = await connectBeta(t, server, '?resume=new')
  await client.update({ temperature: 0.7, modalities: ['text'] })
  client.send({ type: 'conversation.item.create', item: userItem('Hello') })
  client.send({ type: 'response.create' })
  await client.next('response.done')
  client.socket.terminate()
  await once(client.socket, 'close')

  const again = await connectBeta(t, server, `?resume=${client.session.resume.token}&replay=true`)
  t.match(again.session, { id: client.session.id, temperature: 0.7, modalities: ['text'], resume: { resumed: true, item_count: 2 } })
  t.strictSame(again.conversation, client.conversation)
  t.match((await again.next('conversation.item.created')).item, { role: 'user', object: 'realtime.item' })
  t.match((await again.next('conversation.item.created')).item, { role: 'assistant', content: [{ type: 'text', text: 'You said: Hello' }] })
  again.send({ type: 'response.create' })
  await again.next('response.done')
  t.equal(engines.llm.requests.at(-1)!.temperature, 0.7)
})

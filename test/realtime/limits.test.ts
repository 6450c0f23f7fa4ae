import t from 'tap'
import { castOf, characterSource } from '../support/casts.js'
import { base64, cannedEngines, endless, says, tone, toneTts } from '../support/engines.js'
import { RawClient } from '../support/raw-client.js'
import { refusal } from '../support/refusal.js'
import { startServer } from '../support/server.js'
import { until } from '../support/until.js'

// What a client can make larger is bounded (docs/limits.md); the bounds are told, and the session goes on.

const directory = t.testdir(castOf('Ada'))
const characters = { directory }
const text = { output_modalities: ['text'] }

t.test('a conversation takes so many items, typed, spoken or answered, and more when some are deleted', async t => {
  const server = await startServer(t, { characters, limits: { conversationItems: 3 } })
  const client = await server.connect()
  await client.update({ audio: { input: { turn_detection: null } } })
  for (let n = 0; n < 3; n++) client.say('Hello')
  const [first] = [await client.next('conversation.item.done')]
  t.match(await client.fail({ type: 'conversation.item.create', event_id: 'mine', item: { type: 'message', role: 'user', content: [] } }), { code: 'conversation_full', event_id: 'mine' })
  t.match(await client.fail({ type: 'response.create' }), { code: 'conversation_full' })
  client.append(tone(200))
  t.match(await client.fail({ type: 'input_audio_buffer.commit', event_id: 'spoken' }), { code: 'conversation_full', event_id: 'spoken' })
  t.match(await client.fail({ type: 'input_audio_buffer.commit' }), { code: 'input_audio_buffer_commit_empty' }, 'what was spoken is dropped')
  client.send({ type: 'response.create', response: { conversation: 'none', ...text } })
  await client.next('response.done')
  client.send({ type: 'conversation.item.delete', item_id: first.item.id })
  client.send({ type: 'response.create', response: text })
  t.equal((await client.next('response.done')).response.status, 'completed')
})

t.test('a turn that voice detection ends in a full conversation is told and dropped', async t => {
  const server = await startServer(t, { characters, limits: { conversationItems: 1 } })
  const client = await server.connect()
  client.say('Hello')
  client.append(tone(500))
  client.append(new Int16Array(24_000))
  t.match((await client.next('error')).error, { code: 'conversation_full', event_id: null })
  t.equal(client.of('input_audio_buffer.speech_stopped').length, 1)
  t.equal(client.of('input_audio_buffer.committed').length, 0)
  await client.settle()
})

t.test('a conversation takes so many bytes of a client, and more when some are deleted', async t => {
  const server = await startServer(t, { characters, limits: { conversationBytes: 4096 } })
  const client = await server.connect()
  const item = (content: object) => ({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [content] } })
  client.send(item({ type: 'input_text', text: 'x'.repeat(3000) }))
  const { item: { id } } = await client.next('conversation.item.done')
  t.match(await client.fail(item({ type: 'input_image', image_url: `data:image/png;base64,${'A'.repeat(1000)}` })), { code: 'conversation_full' })
  client.send({ type: 'conversation.item.delete', item_id: id })
  client.send(item({ type: 'input_text', text: 'y'.repeat(3000) }))
  await client.next('conversation.item.done')
})

t.test('there are so many responses outside of the conversation at a time', async t => {
  const server = await startServer(t, { characters, ...cannedEngines(endless), limits: { outOfBandResponses: 2 } })
  const client = await server.connect()
  const aside = { type: 'response.create', response: { conversation: 'none', ...text } }
  client.send(aside)
  client.send(aside)
  t.match(await client.fail({ ...aside, event_id: 'third' }), { code: 'rate_limit_exceeded', event_id: 'third' })
  client.send({ type: 'response.cancel', response_id: client.of('response.created')[0]!.response.id })
  await client.next('response.done')
  client.send(aside)
  await client.next('response.created')
})

t.test('so many reloads wait for the one under way, and each is answered', async t => {
  const slow = t.testdir({ 'slow.ts': `await new Promise(resolve => setTimeout(resolve, 500))\n${characterSource('Slow')}` })
  const server = await startServer(t, { characters: { directory, roots: { slow } }, limits: { waitingReloads: 1 } })
  const client = await server.connect()
  for (const id of ['one', 'two', 'three']) client.send({ type: 'session.characters.reload', directory: 'slow', event_id: id })
  t.match((await client.next('error')).error, { code: 'rate_limit_exceeded', event_id: 'three' })
  for (const id of ['one', 'two']) await client.next('session.characters.reloaded', event => event.request_event_id === id)
  client.send({ type: 'session.characters.reload', directory: 'default' })
  await client.next('session.characters.reloaded')
})

t.test('instructions, tools and the other settings have a length', async t => {
  const server = await startServer(t, { characters, limits: { instructionsLength: 100, toolsLength: 200 } })
  const client = await server.connect()
  const tools = [{ type: 'function', name: 'one', description: 'd'.repeat(200) }]
  const long = 'i'.repeat(101)
  const update = (session: object) => client.fail({ type: 'session.update', session: { type: 'realtime', ...session } })
  t.match(await update({ instructions: long }), { code: 'string_above_max_length', param: 'session.instructions' })
  t.match(await update({ tools }), { code: 'string_above_max_length', param: 'session.tools' })
  t.match(await update({ tracing: { metadata: 'm'.repeat(70_000) } }), { code: 'string_above_max_length', param: 'session' })
  t.match(await client.fail({ type: 'response.create', response: { instructions: long } }), { code: 'string_above_max_length', param: 'response.instructions' })
  t.match(await client.fail({ type: 'response.create', response: { tools } }), { code: 'string_above_max_length', param: 'response.tools' })
  t.equal((await client.update({ instructions: 'i'.repeat(100) })).instructions.length, 100)
  const response = await fetch(`${server.http}/v1/realtime/client_secrets`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session: { type: 'realtime', instructions: long } })
  })
  t.match(await response.json(), { error: { code: 'string_above_max_length', param: 'session.instructions' } })
})

t.test('uncommitted audio has a length, in one piece or in thousands of tiny ones', async t => {
  const server = await startServer(t, { characters, limits: { uncommittedSeconds: 1 } })
  const client = await server.connect()
  await client.update({ audio: { input: { turn_detection: null } } })
  client.append(tone(900))
  t.match(await client.fail({ type: 'input_audio_buffer.append', event_id: 'more', audio: base64(tone(101)) }), { code: 'input_audio_buffer_full', event_id: 'more', param: 'audio' })
  t.match(await client.fail({ type: 'input_audio_buffer.append', audio: base64(tone(101)), event_id: 'after' }), { code: 'input_audio_buffer_full', event_id: 'after' })
  t.match(await client.fail({ type: 'input_audio_buffer.append', audio: base64(tone(101)) }), { code: 'input_audio_buffer_full', event_id: null })
  for (let n = 0; n < 2400; n++) client.append(new Int16Array([n]))
  t.match(await client.fail({ type: 'input_audio_buffer.append', audio: base64(tone(1)) }), { code: 'input_audio_buffer_full' })
  client.send({ type: 'input_audio_buffer.commit' })
  const { item_id: id } = await client.next('input_audio_buffer.committed')
  client.send({ type: 'conversation.item.retrieve', item_id: id })
  const { item } = await client.next('conversation.item.retrieved')
  const audio = Buffer.from((item as any).content[0].audio, 'base64')
  t.equal(audio.length, 48_000)
  t.strictSame([...Array(2400).keys()].map(n => audio.readInt16LE((21_600 + n) * 2)), [...Array(2400).keys()])
})

t.test('a spoken turn that never ends is ended', async t => {
  const server = await startServer(t, { characters, limits: { uncommittedSeconds: 4 } })
  const client = await server.connect()
  client.append(tone(3900), 100)
  await client.next('input_audio_buffer.speech_started')
  client.append(tone(300), 100)
  await client.next('input_audio_buffer.speech_stopped')
  await client.next('response.created')
})

t.test('a recording that is longer than what is kept is not kept, and an answer can still be cut by its length', async t => {
  const server = await startServer(t, { characters, limits: { audioHistorySeconds: 1 } })
  const client = await server.connect()
  await client.ask('x'.repeat(100), { output_modalities: ['audio'] })
  const [{ item }] = client.of('response.output_item.done') as [any]
  client.send({ type: 'conversation.item.retrieve', item_id: item.id })
  t.notOk(((await client.next('conversation.item.retrieved')).item as any).content[0].audio)
  client.send({ type: 'conversation.item.truncate', item_id: item.id, content_index: 0, audio_end_ms: 1500 })
  await client.next('conversation.item.truncated')
})

t.test('events faster than they may come are read more slowly; the client is told, and each is answered', async t => {
  const server = await startServer(t, { characters, limits: { eventsPerSecond: 300 } })
  const client = await server.connect()
  for (let n = 0; n < 1200; n++) client.send({ type: 'session.characters.list', event_id: String(n) })
  await until(() => client.of('session.characters.listed').length === 1200)
  const errors = client.of('error')
  t.ok(errors.length >= 1)
  t.ok(errors.every(({ error }) => error.code === 'rate_limit_exceeded' && error.event_id === null))
  t.equal(client.of('session.characters.listed').at(-1)!.request_event_id, '1199')
})

t.test('sound is made so far ahead of what can have been played', async t => {
  const began = performance.now()
  let made = 0
  let most = 0
  const tts = toneTts()
  const server = await startServer(t, {
    characters,
    ...cannedEngines(() => says('x'.repeat(100))),
    tts: {
      ...tts,
      async * synthesize (words, options) {
        for await (const chunk of tts.synthesize(words, options)) {
          most = Math.max(most, made / 24_000 - (performance.now() - began) / 1000)
          made += chunk.audio.length
          yield chunk
        }
      }
    },
    limits: { aheadSeconds: 0.5 }
  })
  const client = await server.connect()
  await client.ask('Speak', { output_modalities: ['audio'] })
  t.equal(made, 48_000, 'all of it is said')
  t.ok(most <= 0.5 + 0.2, `${most} s ahead`)
})

t.test('one address has so many sessions at a time', async t => {
  const server = await startServer(t, { characters, limits: { sessionsPerAddress: 1 } })
  const url = `ws://127.0.0.1:${server.port}/v1/realtime`
  const client = await server.connect()
  t.match(await refusal(url), { status: 429, body: { error: { code: 'rate_limit_exceeded' } } })
  await client.close()
  let again
  do again = await refusal(url).catch(() => null)
  while (again?.status === 429)
})

t.test('who is gone without a word is cut off, who is only silent is not', async t => {
  const server = await startServer(t, { characters, limits: { pingSeconds: 0.5 } })
  const silent = await server.connect()
  const gone = await RawClient.connect(server.port)
  t.teardown(() => gone.end())
  for await (const { type } of gone.read()) t.equal(type, 'session.created')
  t.equal(gone.closeCode, null)
  await silent.settle()
})

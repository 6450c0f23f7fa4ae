import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createOpenAiLlm } from '../../lib/engines/openai/llm.js'
import { cardFields, contain, picture, text, v2, v3 } from '../support/cards.js'
import { startChatServer } from '../support/chat-server.js'
import { textOf } from '../support/client.js'
import { startServer } from '../support/server.js'

// Cards on the wire: what a model server is sent of them, and what clients are shown.

async function start (t: Test, files: Record<string, string | Buffer>) {
  const directory = t.testdir({})
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory, name), bytes)
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const server = await startServer(t, { characters: { directory }, llm: createOpenAiLlm({ baseUrl: chat.url, model: 'test-model' }) })
  const client = await server.connect()
  await client.update({ output_modalities: ['text'] })
  return { chat, server, client }
}

t.test('the card comes first, its lorebook when a word of it is said, its last rules after the conversation', async t => {
  const { chat, client } = await start(t, { 'keeper.png': contain(v2('Keeper'), 'png').bytes as Buffer })
  await client.update({ user_name: 'Sam', character: 'Keeper', instructions: 'Be brief.' })
  await client.ask('Good evening.')
  await client.ask('Is the LAMP lit?')
  const [first, second] = chat.requests.map(({ body }) => body.messages as { role: string, content: string }[])
  t.match(first![0], { role: 'system', content: /^Be Keeper\. You are Keeper, talking with Sam\.[^]*Keeper keeps a lighthouse with Sam\.[^]*User: Is it late\?\nKeeper: Late enough\.\n\nBe brief\.$/ })
  t.notMatch(first![0]!.content, 'whale oil')
  t.match(second![0]!.content, 'The lamp burns whale oil.')
  t.strictSame(second!.slice(1).map(({ role }) => role), ['user', 'assistant', 'user', 'system'])
  t.strictSame(second!.at(-1), { role: 'system', content: 'Never leave the tower.' })
})

t.test('an entry with a depth stands in the conversation', async t => {
  const entries = [{ keys: ['secret'], content: '@@depth 1\n@@role user\nThe secret is out.', enabled: true, insertion_order: 1, extensions: {} }]
  const { chat, client } = await start(t, { 'a.json': JSON.stringify(v3('A', { character_book: { entries, extensions: {} }, post_history_instructions: '' })) })
  await client.ask('One secret.')
  await client.ask('Two.')
  t.strictSame(chat.requests[1]!.body.messages.slice(1).map(({ content }: { content: string }) => content), ['One secret.', 'Hello there.', 'The secret is out.', 'Two.'])
})

t.test('what SillyTavern exported says what it says there: its words, its note on the character, its places', async t => {
  const entries = [
    { keys: ['Secret'], secondary_keys: [], content: 'The secret is out.', constant: false, selective: true, insertion_order: 100, enabled: true, position: 'after_char', use_regex: true, extensions: { position: 1, display_index: 0, selectiveLogic: 0, depth: 4 } },
    { keys: [], secondary_keys: [], content: 'It rains.', constant: true, selective: true, insertion_order: 100, enabled: true, position: 'after_char', use_regex: true, extensions: { position: 4, display_index: 1, selectiveLogic: 0, depth: 1, role: 0 } }
  ]
  const extensions = { depth_prompt: { prompt: '{{char}} is tired.', depth: 0, role: 'assistant' }, talkativeness: '0.5', fav: false, world: 'Sea' }
  const { chat, client } = await start(t, { 'a.png': contain(v3('A', { character_book: { name: 'Sea', entries }, extensions, post_history_instructions: '' }), 'png').bytes as Buffer })
  await client.ask('A secret?')
  t.match(chat.requests[0]!.body.messages, [{ content: /The secret is out\./ }, { role: 'system', content: 'It rains.' }, { role: 'user', content: 'A secret?' }, { role: 'assistant', content: 'A is tired.' }])
})

t.test('a session begins with the first greeting, and another one can be asked for', async t => {
  const { client, chat } = await start(t, { 'a.json': JSON.stringify(v2('A')) })
  client.send({ type: 'response.create' })
  t.equal(textOf((await client.next('response.done')).response), 'I am A.')
  client.send({ type: 'response.create', response: { greeting: 2 } })
  t.equal(textOf((await client.next('response.done')).response), 'Mind the stairs.')
  t.equal(chat.requests.length, 0)
  t.match(await client.fail({ type: 'response.create', response: { greeting: 3 } }), { code: 'invalid_value', param: 'response.greeting', message: /'A' has 3 greetings/ })
})

t.test('the user\'s name shows in the session once it is known, and can be taken back', async t => {
  const { client } = await start(t, { 'a.json': JSON.stringify(v2('A')) })
  t.notOk('user_name' in await client.update({}))
  t.equal((await client.update({ user_name: 'Sam' })).user_name, 'Sam')
  t.notOk('user_name' in await client.update({ user_name: null }))
})

t.test('GET /v1/voices shows a card\'s picture, and its path answers it', async t => {
  const bytes = picture(text(v2('Old Keeper')))
  const { server } = await start(t, { 'keeper.png': bytes, 'plain.json': JSON.stringify(v2('Plain')), 'hidden.png': picture(text(v2('Hidden', { extensions: { dramatis: { good: false } } }))) })
  const voices = await (await fetch(`${server.http}/v1/voices`)).json() as { name: string, picture?: string }[]
  t.match(voices, [{ name: 'Old Keeper', picture: '/v1/voices/Old%20Keeper/picture', metadata: { comment: 'Made for a test.' } }, { name: 'Plain', picture: undefined }])
  t.equal(voices.length, 2)
  const response = await fetch(server.http + voices[0]!.picture!)
  t.equal(response.headers.get('content-type'), 'image/png')
  t.equal(response.headers.get('x-content-type-options'), 'nosniff')
  t.ok(Buffer.from(await response.arrayBuffer()).equals(bytes))
  for (const name of ['Plain', 'Hidden', 'Nobody']) t.equal((await fetch(`${server.http}/v1/voices/${name}/picture`)).status, 404)
})

t.test('a picture that is none of those that browsers draw is not answered', async t => {
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>').toString('base64')
  const fields = cardFields('A', { assets: [{ type: 'icon', uri: `data:image/png;base64,${svg}`, name: 'main', ext: 'png' }] })
  const { server } = await start(t, { 'a.json': JSON.stringify({ spec: 'chara_card_v3', spec_version: '3.0', data: fields }) })
  t.equal((await fetch(`${server.http}/v1/voices/A/picture`)).status, 404)
})

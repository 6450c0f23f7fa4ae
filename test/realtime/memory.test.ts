import t from 'tap'
import { text, told, userItem } from '../support/conversing.js'
import { calls, hang, says, tone, type Script } from '../support/engines.js'
import { askAs, cast, connect, heard, own, signed } from '../support/several-characters.js'
import { latch } from '../support/transcript.js'

// What each of several characters in one conversation remembers (docs/several-characters.md).

t.test('a session shows its memory, shared unless the client says otherwise', async t => {
  const { client } = await connect(t)
  t.match(client.of('session.created')[0]!.session, { memory: 'shared', hand_over: false })
  t.match(await client.update({ memory: 'own', hand_over: ['Bob'] }), { memory: 'own', hand_over: ['Bob'] })
  t.match(await client.fail({ type: 'session.update', session: { type: 'realtime', memory: 'none' } }), { code: 'invalid_value', param: 'session.memory' })
})

t.test('shared: another character goes on where the first one was', async t => {
  const { client, llm } = await connect(t)
  await client.ask('one')
  await askAs(client, 'Cleo', 'two')
  t.same(told(llm.requests[1]!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "two"'])
})

for (const [who, name] of [['each', 'Cleo'], ['also nobody', null]] as const) {
  t.test(`own: ${who} has its own history, and has it again when it is selected again`, async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    await askAs(client, name, 'two')
    await askAs(client, 'Ada', 'three')
    await askAs(client, name, 'four')
    t.same(told(llm.requests[1]!), ['user: "two"'])
    t.same(told(llm.requests[2]!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "three"'])
    t.same(told(llm.requests[3]!).filter(line => line.startsWith('user')), ['user: "two"', 'user: "four"'])
  })
}

t.test('own: who meets the user for the first time says its greeting', async t => {
  const { client, llm } = await connect(t, signed, own)
  await client.ask('one')
  await client.update({ character: 'Bob' })
  t.match((await client.respond()).output, [{ content: [{ text: 'Bob here.' }] }])
  t.equal(llm.requests.length, 1)
})

t.test('own, then shared: what was private stays so, and what is said from then on is known to all', async t => {
  const { client, llm } = await connect(t, signed, own)
  await client.ask('private')
  await client.update({ memory: 'shared' })
  await client.ask('public')
  await askAs(client, 'Cleo', 'three')
  t.same(told(llm.requests[2]!), ['user: "public"', 'assistant: "Ada hears public."', 'user: "three"'])
})

t.test('own: what is spoken belongs to who was selected when it was said', async t => {
  const { client, llm } = await connect(t, signed, own)
  client.append(tone(600))
  client.append(tone(1000, 0), 100)
  await client.next('response.done')
  await askAs(client, 'Cleo', 'two')
  t.match(told(llm.requests[0]!), [/^user: ".* ms of audio"$/])
  t.same(told(llm.requests[1]!), ['user: "two"'])
})

t.test('own: a character\'s hidden calls are its own, the result of a client\'s call is of who made the call', async t => {
  const script: Script = request => {
    const { messages, character } = request
    if (messages.at(-1)!.role !== 'user' || heard(messages) !== 'call') return signed(request, new AbortController().signal)
    return calls(character?.name === 'Bob' ? 'secret' : 'look', {}, character?.name)
  }
  const look = { type: 'function', name: 'look', parameters: { type: 'object' } }
  const { client, llm } = await connect(t, script, { ...own, tools: [look], character: 'Bob' })
  await client.ask('call')
  await askAs(client, 'Ada', 'call')
  await client.update({ character: 'Cleo' })
  client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'Ada', output: 'adas-result' } })
  await client.ask('two')
  t.same(told(llm.requests.at(-1)!), ['user: "two"'])
  await askAs(client, 'Ada', 'three')
  t.match(llm.requests.at(-1)!.messages.slice(1), [{ role: 'user', content: 'call' }, { role: 'assistant' }, { role: 'tool', content: 'adas-result' }, { content: 'three' }])
  await askAs(client, 'Bob', 'four')
  t.match(llm.requests.at(-1)!.messages.slice(1), [{ content: 'call' }, { role: 'assistant' }, { role: 'tool', content: 'bobs-result' }, { role: 'assistant' }, { content: 'four' }])
})

t.test('own: the client sees and deletes everybody\'s items', async t => {
  const { client, llm } = await connect(t, signed, own)
  client.send({ type: 'conversation.item.create', item: userItem('forget this', 'item_secret') })
  await client.ask('one')
  await client.update({ character: 'Cleo' })
  t.match(await client.retrieve('item_secret'), { content: [{ text: 'forget this' }] })
  client.send({ type: 'conversation.item.delete', item_id: 'item_secret' })
  await client.next('conversation.item.deleted')
  await askAs(client, 'Ada', 'two')
  t.same(told(llm.requests.at(-1)!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "two"'])
})

t.test('own: a reload keeps each its history by its name, unless the conversation is reset', async t => {
  const { client, llm } = await connect(t, signed, own)
  await client.ask('one')
  await askAs(client, 'Cleo', 'two')
  await client.reload({ directory: cast })
  await askAs(client, 'Ada', 'three')
  t.same(told(llm.requests.at(-1)!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "three"'])
  await client.reload({ directory: cast, conversation: 'reset' })
  await client.ask('four')
  t.same(told(llm.requests.at(-1)!), ['user: "four"'])
})

t.test('own: responses outside of the conversation read what their character knows, and no other\'s items', async t => {
  const { client, llm } = await connect(t, signed, own)
  client.send({ type: 'conversation.item.create', item: userItem('adas', 'item_adas') })
  await client.respond()
  await askAs(client, 'Cleo', 'cleos')
  await client.respond({ conversation: 'none' })
  t.same(told(llm.requests.at(-1)!), ['user: "cleos"', 'assistant: "Cleo hears cleos."'])
  const error = await client.fail({ type: 'response.create', response: { conversation: 'none', input: [{ type: 'item_reference', id: 'item_adas' }] } })
  t.match(error, { code: 'invalid_value', param: 'response.input[0].id' })
  await client.respond({ character: 'Ada', conversation: 'none', input: [{ type: 'item_reference', id: 'item_adas' }] })
  t.same(told(llm.requests.at(-1)!), ['user: "adas"'])
})

t.test('own: the window cuts each history for itself', async t => {
  const { client, llm } = await connect(t, signed, { ...own, truncation: { type: 'retention_ratio', retention_ratio: 0.8, token_limits: { post_instructions: 60 } } })
  for (let turn = 0; turn < 8; turn++) {
    const name = turn % 2 === 0 ? 'Ada' : 'Cleo'
    await askAs(client, name, `${name[0]}${turn} ${'long '.repeat(8)}`)
  }
  for (const { messages, character } of llm.requests) {
    const letter = character!.name[0]!
    for (const { content } of messages.slice(1)) t.match(String(content), new RegExp(`\\b${letter}\\d`))
  }
  t.ok(llm.requests.at(-1)!.messages.length < 8, 'the oldest are left out')
})

t.test('three characters with own memories over 100 turns: each prompt has what its character may know, all of it and no more', async t => {
  // Every line has a mark of its own; the answers carry theirs.
  const marks = (of: unknown) => JSON.stringify(of).match(/<\w+ \d+>/g) ?? []
  let answers = 0
  // As they were sent: a request's messages grow when the answer goes on.
  const prompts: { who: string, system: string, marks: string[] }[] = []
  const script: Script = ({ messages, character }) => {
    prompts.push({ who: character!.name, system: String(messages[0]!.content), marks: marks(messages.slice(1)) })
    const [, turn, to] = /^<user (\d+)> pass to (\w+)$/.exec(heard(messages) ?? '') ?? []
    return to === undefined
      ? says(`<${character!.name} ${++answers}>`)
      : calls('hand_over', { to, message: `<told ${turn}>` }, `call_${turn}`)
  }
  const { client } = await connect(t, script, { ...own, hand_over: true })
  const names = ['Ada', 'Bob', 'Cleo']
  const known = new Map(names.map(name => [name, [] as string[]]))
  let checked = 0
  const tell = (mark: string, ...whom: string[]) => { for (const name of whom) known.get(name)!.push(mark) }
  /** Somebody was asked, who read what it may know, and from now on knows what it said. */
  const answered = (who: string, { output }: { output: unknown[] }, remembers = true) => {
    const prompt = prompts[checked++]!
    t.equal(prompt.who, who)
    t.match(prompt.system, new RegExp(`^You are ${who}\\.`))
    t.same(prompt.marks, known.get(who), `what ${who} may know`)
    if (remembers) for (const mark of marks(output)) tell(mark, who)
  }

  let selected = 'Ada'
  for (let turn = 0; turn < 100; turn++) {
    if (turn % 5 === 1) {
      selected = names[(names.indexOf(selected) + 1 + turn % 2) % 3]!
      await client.update({ character: selected })
    }
    const line = `<user ${turn}>`
    const [guest, heir] = names.filter(name => name !== selected) as [string, string]
    const kind = (['plain', 'plain', 'plain', 'guest', 'plain', 'hand-over', 'aside'] as const)[turn % 7]
    client.say(kind === 'hand-over' ? `${line} pass to ${heir}` : line)
    const who = kind === 'guest' ? guest : selected
    tell(line, who)
    if (kind === 'aside') answered(who, await client.respond({ conversation: 'none' }), false)
    answered(who, await client.respond(kind === 'guest' ? { character: guest } : {}))
    if (kind === 'hand-over') {
      tell(`<told ${turn}>`, who, heir)
      answered(heir, (await client.next('response.done')).response)
      selected = heir
    }
  }
  t.equal(checked, prompts.length)
  t.ok(names.every(name => known.get(name)!.length > 30), 'each had its share')
})

t.test('own memories outlive the connection', async t => {
  const { client, server, llm } = await connect(t)
  const first = await server.connect('?character=Ada&resume=new')
  await first.update({ ...text, ...own })
  await first.ask('one')
  await askAs(first, 'Cleo', 'two')
  first.socket.terminate()
  await first.closed
  const { resume } = first.of('session.created')[0]!.session
  const again = await server.connect(`?resume=${resume!.token}`)
  await again.ask('three')
  t.same(told(llm.requests.at(-1)!), ['user: "two"', 'assistant: "Cleo hears two."', 'user: "three"'])
  await askAs(again, 'Ada', 'four')
  t.same(told(llm.requests.at(-1)!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "four"'])
  t.equal(await client.ask('five'), 'Ada hears five.')
})

t.test('what is said to one while a response may not be interrupted is answered by that one', async t => {
  const { opened, open } = latch()
  const script: Script = async function * (request, signal) {
    if (heard(request.messages) === 'one') await Promise.race([opened, hang(signal)])
    yield * signed(request, signal) as Iterable<never>
  }
  const detection = { type: 'server_vad', interrupt_response: false }
  const { client, llm } = await connect(t, script, { ...own, audio: { input: { turn_detection: detection } } })
  client.say('one')
  client.send({ type: 'response.create' })
  await client.next('response.created')
  client.append(tone(600))
  client.append(tone(1000, 0), 100)
  await client.next('input_audio_buffer.committed')
  await client.update({ character: 'Cleo' })
  open()
  await client.next('response.done')
  t.match((await client.next('response.done')).response, { audio: { output: { voice: 'Ada' } } })
  t.match(told(llm.requests[1]!), ['user: "one"', /ms of audio/, 'assistant: "Ada hears one."'])
  t.equal((await client.update({})).character, 'Cleo')
})

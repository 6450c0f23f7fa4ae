import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import type { LlmMessage, LlmRequest } from '../../lib/engines/engine.js'
import { castOf, characterSource } from '../support/casts.js'
import { calls, cannedEngines, hang, says, tone, type Script } from '../support/engines.js'
import { startServer } from '../support/server.js'
import { text, told, userItem } from '../support/conversing.js'

// Several characters in one conversation (docs/several-characters.md).

const cast = t.testdir({
  ...castOf('Ada', 'Cleo'),
  'bob.ts': characterSource('Bob', `
  greeting: 'Bob here.',
  llm: { model: 'bobs-model' },
  tts: { voice: 'high' },
  tools: [{ name: 'secret', description: 'Tells it.', parameters: { type: 'object' }, run: () => 'bobs-result' }]`)
})

/** Answers with who speaks and how often the model was asked. */
const signed: Script = ({ character, messages }) => says(`${character?.name ?? 'Nobody'} hears ${heard(messages)}.`)

const heard = (messages: readonly LlmMessage[]) => messages.filter(({ role }) => role === 'user').map(({ content }) => String(content)).at(-1)

/** Hands over when the user says `to NAME`, with a message after a colon. */
const handing: Script = function * (request, signal) {
  const { messages, tools } = request
  const [, to, message] = /^to (\w+)(?:: (.+))?$/.exec(heard(messages) ?? '') ?? []
  if (to === undefined || messages.at(-1)!.role === 'tool' || !tools.some(({ name }) => name === 'hand_over')) return yield * signed(request, signal) as Iterable<never>
  yield { type: 'text', delta: `Ask ${to}.` }
  yield * calls('hand_over', { to, ...message === undefined ? {} : { message } })
}

async function connect (t: Test, script: Script = signed, settings: Record<string, unknown> = {}, options: DramatisOptions = {}) {
  const engines = cannedEngines(script)
  const server = await startServer(t, { ...engines, ...options, characters: { directory: cast } })
  const client = await server.connect('?character=Ada')
  await client.update({ ...text, ...settings })
  return { client, server, llm: engines.llm }
}

const own = { memory: 'own' }
const offers = ({ tools }: LlmRequest) => tools.find(({ name }) => name === 'hand_over')

t.test('a session shows its memory, shared unless the client says otherwise', async t => {
  const { client } = await connect(t)
  t.match(client.of('session.created')[0]!.session, { memory: 'shared', hand_over: false })
  t.match(await client.update({ memory: 'own', hand_over: ['Bob'] }), { memory: 'own', hand_over: ['Bob'] })
  t.match(await client.fail({ type: 'session.update', session: { type: 'realtime', memory: 'none' } }), { code: 'invalid_value', param: 'session.memory' })
})

t.test('memory', async t => {
  t.test('shared: another character goes on where the first one was', async t => {
    const { client, llm } = await connect(t)
    await client.ask('one')
    await client.update({ character: 'Cleo' })
    await client.ask('two')
    t.same(told(llm.requests[1]!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "two"'])
  })

  t.test('own: each has its own history, and has it again when it is selected again', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    await client.update({ character: 'Cleo' })
    await client.ask('two')
    await client.update({ character: 'Ada' })
    await client.ask('three')
    t.same(told(llm.requests[1]!), ['user: "two"'])
    t.same(told(llm.requests[2]!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "three"'])
  })

  t.test('own: who meets the user for the first time says its greeting', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    await client.update({ character: 'Bob' })
    client.send({ type: 'response.create' })
    t.match((await client.next('response.done')).response.output, [{ content: [{ text: 'Bob here.' }] }])
    t.equal(llm.requests.length, 1)
  })

  t.test('own, then shared: what was private stays so, and what is said from then on is known to all', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('private')
    await client.update({ memory: 'shared' })
    await client.ask('public')
    await client.update({ character: 'Cleo' })
    await client.ask('three')
    t.same(told(llm.requests[2]!), ['user: "public"', 'assistant: "Ada hears public."', 'user: "three"'])
  })

  t.test('own: nobody is a participant too', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    await client.update({ character: null })
    await client.ask('two')
    await client.update({ character: 'Ada' })
    await client.ask('three')
    t.same(told(llm.requests[1]!), ['user: "two"'])
    t.same(told(llm.requests[2]!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "three"'])
  })

  t.test('own: what is spoken belongs to who was selected when it was said', async t => {
    const { client, llm } = await connect(t, signed, own)
    client.append(tone(600))
    client.append(tone(1000, 0), 100)
    await client.next('response.done')
    await client.update({ character: 'Cleo' })
    await client.ask('two')
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
    await client.update({ character: 'Ada' })
    await client.ask('call')
    await client.update({ character: 'Cleo' })
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'Ada', output: 'adas-result' } })
    await client.ask('two')
    t.same(told(llm.requests.at(-1)!), ['user: "two"'])
    await client.update({ character: 'Ada' })
    await client.ask('three')
    t.match(llm.requests.at(-1)!.messages.slice(1), [{ role: 'user', content: 'call' }, { role: 'assistant' }, { role: 'tool', content: 'adas-result' }, { content: 'three' }])
    await client.update({ character: 'Bob' })
    await client.ask('four')
    t.match(llm.requests.at(-1)!.messages.slice(1), [{ content: 'call' }, { role: 'assistant' }, { role: 'tool', content: 'bobs-result' }, { role: 'assistant' }, { content: 'four' }])
  })

  t.test('own: the client sees and deletes everybody\'s items', async t => {
    const { client, llm } = await connect(t, signed, own)
    client.send({ type: 'conversation.item.create', item: userItem('forget this', 'item_secret') })
    await client.ask('one')
    await client.update({ character: 'Cleo' })
    client.send({ type: 'conversation.item.retrieve', item_id: 'item_secret' })
    t.match((await client.next('conversation.item.retrieved')).item, { content: [{ text: 'forget this' }] })
    client.send({ type: 'conversation.item.delete', item_id: 'item_secret' })
    await client.next('conversation.item.deleted')
    await client.update({ character: 'Ada' })
    await client.ask('two')
    t.same(told(llm.requests.at(-1)!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "two"'])
  })

  t.test('own: a reload keeps each its history by its name, unless the conversation is reset', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    await client.update({ character: 'Cleo' })
    await client.ask('two')
    client.send({ type: 'session.characters.reload', directory: cast })
    await client.next('session.updated')
    await client.update({ character: 'Ada' })
    await client.ask('three')
    t.same(told(llm.requests.at(-1)!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "three"'])
    client.send({ type: 'session.characters.reload', directory: cast, conversation: 'reset' })
    await client.next('session.updated')
    await client.ask('four')
    t.same(told(llm.requests.at(-1)!), ['user: "four"'])
  })

  t.test('own: responses outside of the conversation read what their character knows, and no other\'s items', async t => {
    const { client, llm } = await connect(t, signed, own)
    client.send({ type: 'conversation.item.create', item: userItem('adas', 'item_adas') })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    await client.update({ character: 'Cleo' })
    await client.ask('cleos')
    client.send({ type: 'response.create', response: { conversation: 'none' } })
    await client.next('response.done')
    t.same(told(llm.requests.at(-1)!), ['user: "cleos"', 'assistant: "Cleo hears cleos."'])
    const error = await client.fail({ type: 'response.create', response: { conversation: 'none', input: [{ type: 'item_reference', id: 'item_adas' }] } })
    t.match(error, { code: 'invalid_value', param: 'response.input[0].id' })
    client.send({ type: 'response.create', response: { character: 'Ada', conversation: 'none', input: [{ type: 'item_reference', id: 'item_adas' }] } })
    await client.next('response.done')
    t.same(told(llm.requests.at(-1)!), ['user: "adas"'])
  })

  t.test('own: the window cuts each history for itself', async t => {
    const { client, llm } = await connect(t, signed, { ...own, truncation: { type: 'retention_ratio', retention_ratio: 0.8, token_limits: { post_instructions: 60 } } })
    for (let turn = 0; turn < 8; turn++) {
      await client.update({ character: turn % 2 === 0 ? 'Ada' : 'Cleo' })
      await client.ask(`${turn % 2 === 0 ? 'A' : 'C'}${turn} ${'long '.repeat(8)}`)
    }
    for (const { messages, character } of llm.requests) {
      const letter = character!.name[0]!
      for (const { content } of messages.slice(1)) t.match(String(content), new RegExp(`\\b${letter}\\d`))
    }
    t.ok(llm.requests.at(-1)!.messages.length < 8, 'the oldest are left out')
  })
})

t.test('response.character', async t => {
  t.test('lets one answer a single turn with its prompt, tools, model and voice', async t => {
    const { client, llm } = await connect(t)
    client.say('one')
    client.send({ type: 'response.create', response: { character: 'Bob', output_modalities: ['audio'] } })
    const { response } = await client.next('response.done')
    t.match(response, { audio: { output: { voice: 'Bob' } }, output: [{ content: [{ transcript: 'Bob hears one.' }] }] })
    t.match(llm.requests[0], { model: 'bobs-model', messages: [{ content: /You are Bob\./ }], tools: [{ name: 'secret' }] })
    t.equal((await client.update({})).character, 'Ada')
    t.equal(await client.ask('two'), 'Ada hears two.')
    t.match(llm.requests[1]!.messages[0], { content: /You are Ada\./ })
  })

  t.test('null: nobody in particular answers', async t => {
    const { client, llm } = await connect(t)
    t.equal(await client.ask('one', { character: null }), 'Nobody hears one.')
    t.notMatch(llm.requests[0]!.messages[0]!.content, /Ada/)
  })

  t.test('names who is in the cast', async t => {
    const { client } = await connect(t)
    const error = await client.fail({ type: 'response.create', response: { character: 'Zoe' } })
    t.match(error, { code: 'invalid_value', param: 'response.character', message: /'Ada', 'Bob', 'Cleo'/ })
  })

  t.test('own memory: the turn is between the user and the one who answers it', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    await client.ask('two', { character: 'Cleo' })
    await client.ask('three')
    await client.ask('four', { character: 'Cleo' })
    t.same(told(llm.requests[1]!), ['user: "two"'])
    t.same(told(llm.requests[2]!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "three"'])
    t.same(told(llm.requests[3]!), ['user: "two"', 'assistant: "Cleo hears two."', 'user: "four"'])
  })

  t.test('own memory: a turn that was answered, and what a character alone was told, stay its own', async t => {
    const { client, llm } = await connect(t, signed, own)
    await client.ask('one')
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'You did it.' }] } })
    client.say('two')
    client.send({ type: 'response.create', response: { character: 'Cleo' } })
    await client.next('response.done')
    t.same(told(llm.requests[1]!), ['user: "two"'])
    client.send({ type: 'response.create', response: { character: 'Bob', greeting: 0 } })
    await client.next('response.done')
    client.send({ type: 'response.create', response: { character: 'Bob' } })
    await client.next('response.done')
    t.same(told(llm.requests[2]!), ['assistant: "Bob here."'])
  })

  t.test('own memory: outside of the conversation the turn is read, and stays whose it was', async t => {
    const { client, llm } = await connect(t, signed, own)
    client.say('one')
    client.send({ type: 'response.create', response: { character: 'Cleo', conversation: 'none' } })
    await client.next('response.done')
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.same(llm.requests.map(told), [['user: "one"'], ['user: "one"']])
  })
})

t.test('hand_over', async t => {
  t.test('is offered only where the client allows it and there are others', async t => {
    const { client, llm } = await connect(t)
    await client.ask('one')
    t.equal(offers(llm.requests[0]!), undefined)
    await client.update({ hand_over: true })
    await client.ask('two')
    t.match(offers(llm.requests[1]!)?.parameters, { properties: { to: { enum: ['Bob', 'Cleo'] } } })
    await client.update({ hand_over: ['Cleo', 'Zoe', 'Ada'] })
    await client.ask('three')
    t.match(offers(llm.requests[2]!)?.parameters, { properties: { to: { enum: ['Cleo'] } } })
    for (const session of [{ hand_over: ['Ada'] }, { hand_over: [] }, { hand_over: true, character: null }]) {
      await client.update(session)
      await client.ask('four')
      t.equal(offers(llm.requests.at(-1)!), undefined)
    }
    await client.update({ character: 'Ada', tools: [{ type: 'function', name: 'hand_over' }] })
    await client.ask('five')
    t.equal(offers(llm.requests.at(-1)!)?.parameters, undefined, 'a tool of the client\'s own of this name is that one')
  })

  t.test('the other one speaks at once, in its own voice, and is selected', async t => {
    const { client, llm } = await connect(t, handing, { hand_over: true, output_modalities: ['audio'] })
    client.forget()
    client.say('to Bob: the lamp is out')
    client.send({ type: 'response.create' })
    const first = await client.next('response.done')
    const updated = await client.next('session.updated')
    const second = await client.next('response.done')
    t.match(first.response, { status: 'completed', audio: { output: { voice: 'Ada' } }, output: [{ content: [{ transcript: 'Ask Bob.' }] }] })
    t.equal(first.response.output.length, 1)
    t.match(updated.session, { character: 'Bob', audio: { output: { voice: 'Bob' } } })
    t.match(second.response, { status: 'completed', audio: { output: { voice: 'Bob' } } })
    t.same(client.types().filter(type => /^(session|response)\.(updated|created|done)$|^rate/.test(type)),
      ['response.created', 'response.done', 'rate_limits.updated', 'session.updated', 'response.created', 'response.done', 'rate_limits.updated'])
    t.match(llm.requests[1], { model: 'bobs-model', messages: [{ content: /You are Bob\./ }] })
    t.same(told(llm.requests[1]!), [
      'user: "to Bob: the lamp is out"',
      'assistant: "Ask Bob."',
      'user: "[Ada hands the conversation over to you, Bob. Ada tells you: \\"the lamp is out\\" Go on now.]"'
    ])
    t.equal(llm.requests.length, 2, 'the one who handed over is not asked again')
  })

  t.test('own memory: the other one knows what it is told, and nothing else', async t => {
    const { client, llm } = await connect(t, handing, { ...own, hand_over: true })
    await client.ask('one')
    client.say('to Bob: the lamp is out')
    client.send({ type: 'response.create' })
    await client.next('response.done')
    await client.next('response.done')
    t.same(told(llm.requests[2]!), ['user: "[Ada hands the conversation over to you, Bob. Ada tells you: \\"the lamp is out\\" Go on now.]"'])
    await client.update({ character: 'Ada' })
    await client.ask('two')
    t.match(llm.requests[3]!.messages.slice(1), [
      { content: 'one' }, { content: 'Ada hears one.' }, { content: 'to Bob: the lamp is out' },
      { content: 'Ask Bob.', toolCalls: [{ name: 'hand_over' }] }, { role: 'tool', content: 'Bob goes on.' }, { content: 'two' }
    ])
    t.equal(llm.requests[3]!.messages.length, 7)
  })

  t.test('shows as a call where the client wants to see them', async t => {
    const { client } = await connect(t, handing, { hand_over: true, character_tools: 'visible' })
    client.say('to Bob')
    client.send({ type: 'response.create' })
    t.match((await client.next('response.done')).response.output, [{ type: 'message' }, { type: 'mcp_call', name: 'hand_over', output: 'Bob goes on.' }])
    await client.next('response.done')
  })

  t.test('what the client asked of the response holds for the other one too, but for what was about one character', async t => {
    const { client, llm } = await connect(t, handing, { hand_over: true, output_modalities: ['audio'] })
    client.say('to Bob')
    client.send({ type: 'response.create', response: { ...text, instructions: 'Be brief.', metadata: { turn: '1' }, tool_choice: 'required', audio: { output: { voice: 'Cleo' } } } })
    t.match((await client.next('response.done')).response, { audio: { output: { voice: 'Cleo' } } })
    t.match((await client.next('response.done')).response, { output_modalities: ['text'], metadata: { turn: '1' }, audio: { output: { voice: 'Bob' } } })
    t.match(llm.requests[1], { toolChoice: 'auto', messages: [{ content: /Be brief\.$/ }] })
  })

  t.test('by a guest is to another guest: the selected one stays', async t => {
    const { client } = await connect(t, handing, { hand_over: true })
    client.say('to Bob')
    client.send({ type: 'response.create', response: { character: 'Cleo' } })
    await client.next('response.done')
    t.match((await client.next('response.done')).response, { audio: { output: { voice: 'Bob' } } })
    t.equal((await client.update({})).character, 'Ada')
  })

  t.test('to who is not there is told to the model, which goes on itself', async t => {
    const { client, llm } = await connect(t, handing, { hand_over: ['Bob'] })
    t.match(await client.ask('to Cleo'), /Ada hears/)
    t.match(llm.requests[1]!.messages.at(-1), { role: 'tool', content: 'Error: \'to\' must be one of \'Bob\'.' })
    await client.settle()
    t.equal(client.of('response.created').length, 1)
  })

  t.test('beside a call of the client\'s own waits for that one\'s result', async t => {
    const both: Script = function * (request, signal) {
      if (request.messages.at(-1)!.role === 'tool') return yield * signed(request, signal) as Iterable<never>
      yield { type: 'tool_call', index: 0, id: 'call_look', name: 'look' }
      yield { type: 'tool_call', index: 1, id: 'call_hand', name: 'hand_over' }
      yield { type: 'tool_arguments', index: 1, delta: '{"to":"Bob"}' }
      yield { type: 'end', reason: 'tool_calls' }
    }
    const { client, llm } = await connect(t, both, { hand_over: true, tools: [{ type: 'function', name: 'look' }] })
    await client.ask('one')
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_look', output: 'seen' } })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.equal(llm.requests[1]!.character!.name, 'Ada')
    t.match(llm.requests[1]!.messages.filter(({ role }) => role === 'tool'), [{ content: 'seen' }, { content: /^Error: wait for the results/ }])
  })

  t.test('in a circle ends: after four in a row the tool is not offered', async t => {
    const circle: Script = request => offers(request) === undefined
      ? says('Enough.')
      : calls('hand_over', { to: request.character!.name === 'Ada' ? 'Bob' : 'Ada' })
    const { client, llm } = await connect(t, circle, { hand_over: true })
    client.say('one')
    client.send({ type: 'response.create' })
    await client.next('response.done', ({ response }) => response.output.length > 0)
    t.same(llm.requests.map(({ character }) => character!.name), ['Ada', 'Bob', 'Ada', 'Bob', 'Ada'])
    await client.settle()
    t.equal(client.of('response.created').length, 5)
    await client.ask('two')
    t.not(offers(llm.requests[5]!), undefined, 'the user\'s turn allows it again')
  })

  t.test('of a response that is cancelled does not happen', async t => {
    const slow: Script = async function * (request, signal) {
      if (request.character!.name === 'Bob' || heard(request.messages) === 'two') return yield * signed(request, signal) as Iterable<never>
      yield { type: 'text', delta: 'Ask Bob. ' }
      yield { type: 'tool_call', index: 0, id: 'call_1', name: 'hand_over' }
      yield { type: 'tool_arguments', index: 0, delta: '{"to":"Bob"}' }
      await hang(signal)
    }
    const { client } = await connect(t, slow, { hand_over: true })
    client.say('one')
    client.send({ type: 'response.create' })
    await client.next('response.output_text.delta')
    client.send({ type: 'response.cancel' })
    t.equal((await client.next('response.done')).response.status, 'cancelled')
    t.equal(await client.ask('two'), 'Ada hears two.')
  })
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
  let selected = 'Ada'
  let checked = 0
  const check = (who: string) => {
    const prompt = prompts[checked++]!
    t.equal(prompt.who, who)
    t.match(prompt.system, new RegExp(`^You are ${who}\\.`))
    t.same(prompt.marks, known.get(who), `what ${who} may know`)
  }
  const answer = async () => marks((await client.next('response.done')).response.output)
  for (let turn = 0; turn < 100; turn++) {
    const line = `<user ${turn}>`
    const other = names[(names.indexOf(selected) + 1 + turn % 2) % 3]!
    if (turn % 5 === 1) {
      await client.update({ character: other })
      selected = other
    }
    const kind = turn % 7
    if (kind === 3) {
      // A guest takes the turn.
      const guest = names.find(name => name !== selected)!
      client.say(line)
      client.send({ type: 'response.create', response: { character: guest } })
      known.get(guest)!.push(line)
      const said = await answer()
      check(guest)
      known.get(guest)!.push(...said)
    } else if (kind === 5) {
      const to = names.findLast(name => name !== selected)!
      client.say(`${line} pass to ${to}`)
      client.send({ type: 'response.create' })
      known.get(selected)!.push(line)
      await answer()
      check(selected)
      known.get(selected)!.push(`<told ${turn}>`)
      known.get(to)!.push(`<told ${turn}>`)
      const said = await answer()
      check(to)
      known.get(to)!.push(...said)
      selected = to
    } else {
      client.say(line)
      // Aside: it leaves no trace.
      if (kind === 6) client.send({ type: 'response.create', response: { conversation: 'none', metadata: { aside: 'yes' } } })
      known.get(selected)!.push(line)
      if (kind === 6) {
        await answer()
        check(selected)
      }
      client.send({ type: 'response.create' })
      const said = await answer()
      check(selected)
      known.get(selected)!.push(...said)
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
  await first.update({ character: 'Cleo' })
  await first.ask('two')
  first.socket.terminate()
  await first.closed
  const { resume } = first.of('session.created')[0]!.session
  const again = await server.connect(`?resume=${resume!.token}`)
  await again.ask('three')
  t.same(told(llm.requests.at(-1)!), ['user: "two"', 'assistant: "Cleo hears two."', 'user: "three"'])
  await again.update({ character: 'Ada' })
  await again.ask('four')
  t.same(told(llm.requests.at(-1)!), ['user: "one"', 'assistant: "Ada hears one."', 'user: "four"'])
  t.equal(await client.ask('five'), 'Ada hears five.')
})

t.test('what is said to one while a response may not be interrupted is answered by that one', async t => {
  let goOn = () => {}
  const held = new Promise<void>(resolve => { goOn = resolve })
  const script: Script = async function * (request, signal) {
    if (heard(request.messages) === 'one') await Promise.race([held, hang(signal)])
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
  goOn()
  await client.next('response.done')
  t.match((await client.next('response.done')).response, { audio: { output: { voice: 'Ada' } } })
  t.match(told(llm.requests[1]!), ['user: "one"', /ms of audio/, 'assistant: "Ada hears one."'])
  t.equal((await client.update({})).character, 'Cleo')
})

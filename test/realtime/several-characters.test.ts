import t from 'tap'
import type { LlmRequest } from '../../lib/engines/engine.js'
import { text, told } from '../support/conversing.js'
import { calls, hang, says, type Script } from '../support/engines.js'
import { connect, heard, own, signed } from '../support/several-characters.js'

// A character that answers for one turn, and one that hands the conversation over (docs/several-characters.md).

/** Hands over when the user says `to NAME`, with a message after a colon. */
const handing: Script = function * (request, signal) {
  const { messages, tools } = request
  const [, to, message] = /^to (\w+)(?:: (.+))?$/.exec(heard(messages) ?? '') ?? []
  if (to === undefined || messages.at(-1)!.role === 'tool' || !tools.some(({ name }) => name === 'hand_over')) return yield * signed(request, signal) as Iterable<never>
  yield { type: 'text', delta: `Ask ${to}.` }
  yield * calls('hand_over', { to, ...message === undefined ? {} : { message } })
}

const offers = ({ tools }: LlmRequest) => tools.find(({ name }) => name === 'hand_over')

t.test('response.character', async t => {
  t.test('lets one answer a single turn with its prompt, tools, model and voice', async t => {
    const { client, llm } = await connect(t)
    client.say('one')
    const response = await client.respond({ character: 'Bob', output_modalities: ['audio'] })
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
    await client.respond({ character: 'Cleo' })
    t.same(told(llm.requests[1]!), ['user: "two"'])
    await client.respond({ character: 'Bob', greeting: 0 })
    await client.respond({ character: 'Bob' })
    t.same(told(llm.requests[2]!), ['assistant: "Bob here."'])
  })

  t.test('own memory: outside of the conversation the turn is read, and stays whose it was', async t => {
    const { client, llm } = await connect(t, signed, own)
    client.say('one')
    await client.respond({ character: 'Cleo', conversation: 'none' })
    await client.respond()
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
    await client.respond()
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
    t.match((await client.respond()).output, [{ type: 'message' }, { type: 'mcp_call', name: 'hand_over', output: 'Bob goes on.' }])
    await client.next('response.done')
  })

  t.test('what the client asked of the response holds for the other one too, but for what was about one character', async t => {
    const { client, llm } = await connect(t, handing, { hand_over: true, output_modalities: ['audio'] })
    client.say('to Bob')
    t.match(await client.respond({ ...text, instructions: 'Be brief.', metadata: { turn: '1' }, tool_choice: 'required', audio: { output: { voice: 'Cleo' } } }), { audio: { output: { voice: 'Cleo' } } })
    t.match((await client.next('response.done')).response, { output_modalities: ['text'], metadata: { turn: '1' }, audio: { output: { voice: 'Bob' } } })
    t.match(llm.requests[1], { toolChoice: 'auto', messages: [{ content: /Be brief\.$/ }] })
  })

  t.test('by a guest is to another guest: the selected one stays', async t => {
    const { client } = await connect(t, handing, { hand_over: true })
    client.say('to Bob')
    await client.respond({ character: 'Cleo' })
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
    await client.respond()
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

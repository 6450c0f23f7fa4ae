import t, { type Test } from 'tap'
import type { LlmEvent } from '../../lib/engines/engine.js'
import { characterSource } from '../support/casts.js'
import { textOf } from '../support/client.js'
import { inTurn, text, told, tool } from '../support/conversing.js'
import { calls, cannedEngines, echo, says, type Script } from '../support/engines.js'
import { startServer } from '../support/server.js'
import { transcript } from '../support/transcript.js'

// What characters change in an answer, and what the model is told of them.

t.test('characters', async t => {
  const directory = t.testdir({
    'ada.ts': characterSource('Ada', `
  greeting: 'Good day.',
  examples: [{ user: 'Who are you?', character: 'I am Ada.' }],
  temperature: 0.3,
  tools: [
    { name: 'add', description: 'Adds.', parameters: { type: 'object' }, run: ({ a, b }) => a + b },
    { name: 'fail', description: 'Fails.', parameters: { type: 'object' }, run: () => { throw new Error('no luck') } }
  ]`),
    'silent.ts': characterSource('Silent'),
    'broken.ts': characterSource('Broken').replace('=> instructions.prompt', "=> { throw new Error('no prompt today') }")
  })
  const cast = async (t: Test, script?: Script, query = '?character=Ada') => {
    const engines = cannedEngines(script)
    const server = await startServer(t, { ...engines, characters: { directory } })
    return { client: await server.connect(query), llm: engines.llm }
  }
  const adding = () => inTurn(() => calls('add', { a: 2, b: 3 }), () => says('Five.'))

  t.test('their prompt comes first, then their examples, then the client\'s instructions', async t => {
    const { client, llm } = await cast(t)
    await client.update({ instructions: 'Be brief.' })
    await client.ask('hi')
    const prompt = llm.requests[0]!.messages[0]!.content
    t.match(prompt, /^You are Ada\.\n\n[^]*User: Who are you\?\nAda: I am Ada\.\n\nBe brief\.$/)
    t.match(llm.requests[0], { temperature: 0.3, character: { name: 'Ada', greeting: 'Good day.' } })
  })

  t.test('their tools are run by the server, unseen by the client', async t => {
    const { client, llm } = await cast(t, adding())
    await client.update({ tools: [tool('look')] })
    t.equal(await client.ask('2 and 3?'), 'Five.')
    t.same(llm.requests[0]!.tools.map(({ name }) => name), ['look', 'add', 'fail'])
    t.match(llm.requests[1]!.messages.slice(2), [
      { role: 'assistant', toolCalls: [{ name: 'add', arguments: '{"a":2,"b":3}' }] },
      { role: 'tool', content: '5' }
    ])
    const { response } = client.of('response.done')[0]!
    t.match(response.output, [{ type: 'message' }])
    t.equal(response.output.length, 1)
    t.notMatch(JSON.stringify(client.events), /mcp_call|"add"/)
    const said = client.of('conversation.item.added')
    t.equal(said[1]!.previous_item_id, said[0]!.item.id)

    await client.ask('And?')
    t.match(llm.requests[2]!.messages.slice(2, 5), [{ toolCalls: [{ name: 'add' }] }, { role: 'tool', content: '5' }, { role: 'assistant', content: 'Five.' }])
  })

  t.test('their tools are mcp_call items where the session wants to see them', async t => {
    const { client } = await cast(t, adding())
    await client.update({ ...text, character_tools: 'visible' })
    client.say('2 and 3?')
    const from = client.events.length
    client.send({ type: 'response.create' })
    await client.next('response.done')
    const args = '{"a":2,"b":3}'
    const open = { id: 'item_1', type: 'mcp_call', server_label: 'character', name: 'add', arguments: args, output: null, error: null }
    const done = { ...open, output: '5' }
    const events = transcript(client.events.slice(from).filter(({ type }) => !type.startsWith('conversation.item.')))
    t.strictSame(events.slice(1, 7), [
      { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
      { type: 'response.mcp_call_arguments.delta', response_id: 'resp_1', item_id: 'item_1', output_index: 0, delta: args, obfuscation: '' },
      { type: 'response.mcp_call_arguments.done', response_id: 'resp_1', item_id: 'item_1', output_index: 0, arguments: args },
      { type: 'response.mcp_call.in_progress', item_id: 'item_1', output_index: 0 },
      { type: 'response.mcp_call.completed', item_id: 'item_1', output_index: 0 },
      { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done }
    ])
    t.match(client.of('response.done')[0]!.response.output, [{ type: 'mcp_call', output: '5' }, { type: 'message' }])
  })

  t.test('what is said before a tool runs comes before it in the history, also when spoken', async t => {
    const { client, llm } = await cast(t, inTurn(function * (): Iterable<LlmEvent> {
      yield { type: 'text', delta: 'Let me see.' }
      yield * calls('add', { a: 2, b: 3 })
    }, () => says('Five.')))
    await client.update({ character_tools: 'visible' })
    client.say('2 and 3?')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.same(response.output.map(item => item.type === 'message' && item.role === 'assistant' ? textOf({ ...response, output: [item] }) : item.type), ['Let me see.', 'mcp_call', 'Five.'])
    await client.ask('And?')
    t.match(llm.requests[2]!.messages.slice(2, 5), [
      { role: 'assistant', content: 'Let me see.', toolCalls: [{ name: 'add' }] }, { role: 'tool', content: '5' }, { role: 'assistant', content: 'Five.' }
    ])
  })

  t.test('a tool that throws is told to the model, and the answer goes on', async t => {
    const { client, llm } = await cast(t, inTurn(() => calls('fail', {}), () => says('I could not.')))
    await client.update({ character_tools: 'visible' })
    t.equal(await client.ask('Try.'), 'I could not.')
    t.match(llm.requests[1]!.messages.at(-1), { role: 'tool', content: 'Error: no luck' })
    t.match(client.of('response.done')[0]!.response, {
      status: 'completed', output: [{ type: 'mcp_call', output: null, error: { type: 'tool_execution_error', message: /no luck/ } }, { type: 'message' }]
    })
    t.equal(client.of('response.mcp_call.failed').length, 1)
  })

  t.test('a tool that the client insists on is called once, not for ever', async t => {
    const { client, llm } = await cast(t, request => request.toolChoice === 'auto' ? says('Five.') : calls('add', { a: 2, b: 3 }))
    t.equal(await client.ask('2 and 3?', { ...text, tool_choice: 'required' }), 'Five.')
    t.equal(llm.requests.length, 2)
    t.equal(await client.ask('2 and 3?', { ...text, tool_choice: { type: 'function', name: 'add' } }), 'Five.')
    t.equal(llm.requests.length, 4)
  })

  t.test('a model that calls for ever has to answer in the end', async t => {
    const { client } = await cast(t, request => request.tools.length === 0 ? says('Enough.') : calls('add', { a: 1, b: 1 }))
    t.equal(await client.ask('Count.'), 'Enough.')
  })

  t.test('a prompt that throws fails the response and says where', async t => {
    const { client } = await cast(t, echo, '?character=Broken')
    client.say('hi')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response, { status: 'failed', output: [], status_details: { error: { type: 'invalid_request_error', code: 'execution_error', message: /broken\.ts:\d+:\d+: .*no prompt today/ } } })
    await client.update({ character: 'Silent' })
    t.equal(await client.ask('hi'), 'You said: hi')
  })

  t.test('the greeting answers an empty conversation, without the model', async t => {
    const { client, llm } = await cast(t)
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response, { status: 'completed', output: [{ type: 'message', content: [{ type: 'output_audio', transcript: 'Good day.' }] }] })
    t.equal(llm.requests.length, 0)
    await client.ask('hi')
    t.same(told(llm.requests[0]!), ['assistant: "Good day."', 'user: "hi"'])
  })

  t.test('one without a greeting is asked to open the conversation', async t => {
    const { client, llm } = await cast(t, () => says('Hello.'), '?character=Silent')
    client.send({ type: 'response.create', response: text })
    t.equal(textOf((await client.next('response.done')).response), 'Hello.')
    t.match(told(llm.requests[0]!), [/user: ".*begins now/])
  })

  t.test('empty input is no empty conversation: nobody is greeted', async t => {
    const { client, llm } = await cast(t, () => says('Blue.'))
    client.send({ type: 'response.create', response: { ...text, conversation: 'none', input: [], instructions: 'Name a colour.' } })
    t.equal(textOf((await client.next('response.done')).response), 'Blue.')
    t.match(llm.requests[0]!.messages[0]!.content, /Name a colour\.$/)
  })
})

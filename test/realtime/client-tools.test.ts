import t from 'tap'
import type { LlmEvent } from '../../lib/engines/engine.js'
import { textOf } from '../support/client.js'
import { connect, inTurn, responseObject, text, tool } from '../support/conversing.js'
import { calls, says } from '../support/engines.js'
import { latch, transcript } from '../support/transcript.js'

// PROTOCOL section 7.3: calls of the client's own tools.

t.test('client tools', async t => {
  t.test('a call has the events of PROTOCOL 7.3, with all their keys', async t => {
    const { client, llm } = await connect(t, () => calls('weather', { city: 'Rome' }))
    client.say('How is Rome?')
    client.send({ type: 'response.create', response: { ...text, tools: [tool('weather')] } })
    await client.next('rate_limits.updated')

    const open = { id: 'item_2', type: 'function_call', status: 'in_progress', name: 'weather', call_id: 'call_1', arguments: '' }
    const done = { ...open, status: 'completed', arguments: '{"city":"Rome"}' }
    const of = { response_id: 'resp_1', item_id: 'item_2', output_index: 0, call_id: 'call_1' }
    t.match(llm.requests[0]!.tools, [{ name: 'weather', description: 'Does weather.' }])
    const events = transcript(client.events).slice(3)
    t.match(events.at(-2), { type: 'response.done', response: { status: 'completed', output: [done] } })
    t.strictSame(events.slice(0, -2), [
      { type: 'response.created', response: responseObject({}) },
      { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
      { type: 'conversation.item.added', previous_item_id: 'item_1', item: open },
      { type: 'response.function_call_arguments.delta', ...of, delta: '{"city":"Rome"}' },
      { type: 'response.function_call_arguments.done', ...of, name: 'weather', arguments: '{"city":"Rome"}' },
      { type: 'conversation.item.done', previous_item_id: 'item_1', item: done },
      { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done }
    ])
  })

  t.test('the result of a call is what the model is told in the next response', async t => {
    const { client, llm } = await connect(t, inTurn(() => calls('weather', {}), () => says('It rains.')))
    await client.update({ ...text, tools: [tool('weather')] })
    await client.ask('How is Rome?', {})
    const from = client.events.length
    client.send({ type: 'conversation.item.create', item: { id: 'result', type: 'function_call_output', call_id: 'call_1', output: 'rain' } })
    client.send({ type: 'response.create' })
    t.equal(textOf((await client.next('response.done')).response), 'It rains.')
    t.same(client.types(from).slice(0, 4), ['conversation.item.added', 'conversation.item.done', 'response.created', 'response.output_item.added'])
    t.strictSame(client.events[from]!.type === 'conversation.item.added' && client.events[from]!.item, {
      id: 'result', type: 'function_call_output', call_id: 'call_1', output: 'rain'
    })
    t.same(llm.requests[1]!.messages.slice(1), [
      { role: 'user', content: 'How is Rome?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_1', name: 'weather', arguments: '{}' }] },
      { role: 'tool', callId: 'call_1', content: 'rain' }
    ])
  })

  t.test('a result may come before the response is done', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, async function * () {
      yield * calls('weather', {})
      await opened
    })
    client.say('How is Rome?')
    client.send({ type: 'response.create', response: { ...text, tools: [tool('weather')] } })
    await client.next('response.function_call_arguments.delta')
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_1', output: 'rain' } })
    await client.next('conversation.item.done')
    open()
    t.equal((await client.next('response.done')).response.status, 'completed')
  })

  t.test('several calls are several items of one response', async t => {
    const { client, llm } = await connect(t, inTurn(function * (): Iterable<LlmEvent> {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'one' }
      yield { type: 'tool_arguments', index: 0, delta: '{"n":' }
      yield { type: 'tool_call', index: 1, id: 'b', name: 'two' }
      yield { type: 'tool_arguments', index: 0, delta: '1}' }
      yield { type: 'tool_arguments', index: 1, delta: '{"n":2}' }
      yield { type: 'end', reason: 'tool_calls' }
    }, () => says('Done.')))
    await client.update({ ...text, tools: [tool('one'), tool('two')] })
    client.say('both')
    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response.output, [
      { type: 'function_call', name: 'one', call_id: 'a', arguments: '{"n":1}', status: 'completed' },
      { type: 'function_call', name: 'two', call_id: 'b', arguments: '{"n":2}', status: 'completed' }
    ])
    t.same(client.of('response.function_call_arguments.done').map(event => [event.output_index, event.call_id, event.arguments]), [[0, 'a', '{"n":1}'], [1, 'b', '{"n":2}']])

    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'b', output: 'B' } })
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'a', output: 'A' } })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.match(llm.requests[1]!.messages.slice(2), [
      { role: 'assistant', toolCalls: [{ id: 'a' }, { id: 'b' }] },
      { role: 'tool', callId: 'a', content: 'A' },
      { role: 'tool', callId: 'b', content: 'B' }
    ])
  })

  t.test('where the client wants one at a time only the first counts, whatever the model does', async t => {
    const { client, llm } = await connect(t, function * (): Iterable<LlmEvent> {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'one' }
      yield { type: 'tool_call', index: 1, id: 'b', name: 'two' }
      yield { type: 'tool_arguments', index: 1, delta: '{}' }
      yield { type: 'end', reason: 'tool_calls' }
    })
    await client.update({ ...text, tools: [tool('one'), tool('two')], parallel_tool_calls: false })
    await client.ask('both', {})
    await client.ask('both', { parallel_tool_calls: true })
    t.same(client.of('response.done').map(({ response }) => response.output.map(item => item.type === 'function_call' && item.name)), [['one'], ['one', 'two']])
    t.same(llm.requests.map(({ parallelToolCalls }) => parallelToolCalls), [false, true])
  })

  t.test('a call without arguments ends with those of an empty object', async t => {
    const { client } = await connect(t, function * (): Iterable<LlmEvent> {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'now' }
      yield { type: 'end', reason: 'tool_calls' }
    })
    await client.ask('When?', { ...text, tools: [tool('now')] })
    t.equal(client.of('response.function_call_arguments.done')[0]!.arguments, '{}')
  })

  const sayAndCall = function * (): Iterable<LlmEvent> {
    yield { type: 'text', delta: 'Let me look.' }
    yield * calls('look', {})
  }

  for (const modality of ['text', 'audio']) {
    t.test(`a message (${modality}) that comes with a call is the first of the two, on the wire and to the model`, async t => {
      const { client, llm } = await connect(t, inTurn(sayAndCall, () => says('Found.')))
      await client.update({ output_modalities: [modality], tools: [tool('look')] })
      client.say('Where?')
      client.send({ type: 'response.create' })
      const { response } = await client.next('response.done')
      t.match(response.output, [{ type: 'message', status: 'completed' }, { type: 'function_call', status: 'completed' }])
      const [message, call] = response.output
      const added = client.of('conversation.item.added')
      t.same(added.slice(1).map(event => [event.item.id, event.previous_item_id]), [[message!.id, added[0]!.item.id], [call!.id, message!.id]])
      t.same(client.of('response.output_item.added').map(event => [event.item.id, event.output_index]), [[message!.id, 0], [call!.id, 1]])

      client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_1', output: 'here' } })
      client.send({ type: 'response.create' })
      await client.next('response.done')
      t.match(llm.requests[1]!.messages.slice(2), [
        { role: 'assistant', content: 'Let me look.', toolCalls: [{ id: 'call_1' }] },
        { role: 'tool', content: 'here' }
      ])
    })
  }
})

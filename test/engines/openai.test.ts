import t from 'tap'
import type { LlmEvent } from '../../lib/engines/engine.js'
import { readEvents } from '../../lib/engines/openai/event-stream.js'
import { spoken, startChatLlm } from '../support/chat-llm.js'
import { toolCall } from '../support/chat-server.js'
import { collect, faultOf, stream } from '../support/streams.js'
import { latch } from '../support/transcript.js'

const calls = (events: LlmEvent[]) => {
  const found: { id: string, name: string, arguments: string }[] = []
  for (const event of events) {
    if (event.type === 'tool_call') found[event.index] = { id: event.id, name: event.name, arguments: '' }
    if (event.type === 'tool_arguments') found[event.index]!.arguments += event.delta
  }
  return found
}

t.test('answers', async t => {
  t.test('text arrives in pieces, the end and its usage last', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script([{ text: 'Good evening to you.' }, { finish: 'stop' }, { usage: { prompt_tokens: 12, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } } }])
    const events = await collect(ask())
    t.equal(spoken(events), 'Good evening to you.')
    t.ok(events.filter(event => event.type === 'text').length > 1)
    t.same(events.at(-1), { type: 'end', reason: 'stop', usage: { inputTokens: 12, outputTokens: 5, cachedTokens: 3 } })
    t.same(server.requests[0]?.body.stream_options, { include_usage: true })
  })

  t.test('a delta is passed on before the next one is sent', async t => {
    const { server, ask } = await startChatLlm(t)
    const { opened, open } = latch()
    server.script([{ text: 'First' }, { until: opened }, { text: ' second' }, { finish: 'stop' }])
    const events = ask()[Symbol.asyncIterator]()
    t.same((await events.next()).value, { type: 'text', delta: 'First' })
    open()
    t.same((await events.next()).value, { type: 'text', delta: ' second' })
    t.match((await events.next()).value, { type: 'end' })
  })

  t.test('a server that sends no usage and never says how it ended is understood', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script([{ text: 'That is all.' }])
    const events = await collect(ask())
    t.equal(spoken(events), 'That is all.')
    t.same(events.at(-1), { type: 'end', reason: 'stop' })
  })

  t.test('a server that falls silent after its last word ends the answer', async t => {
    const { server, ask } = await startChatLlm(t, { stallTimeoutMs: 50 })
    server.script([{ text: 'Bye.' }, { finish: 'length' }, 'stall'])
    t.match((await collect(ask())).at(-1), { type: 'end', reason: 'length' })
    t.equal(await (await server.request(0)).closed, 'abandoned')
  })

  t.test('a server that does not know stream_options is asked without, and remembered', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script({ status: 422, body: { error: { message: 'extra field: stream_options' } } })
    t.equal(spoken(await collect(ask())), 'Hello there.')
    t.equal(spoken(await collect(ask())), 'Hello there.')
    t.same(server.requests.map(({ body }) => 'stream_options' in body), [true, false, false])
  })

  t.test('what a model thinks before it speaks is left out', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script([{ delta: { content: '<thi' } }, { delta: { content: 'nk>They greet me.' } }, { delta: { content: '</think>\n\nHello' } }, { text: ' you' }, { finish: 'stop' }])
    t.equal(spoken(await collect(ask())), 'Hello you')
  })
})

t.test('tool calls', async t => {
  const tools = [{ name: 'look_up', description: 'Looks up', parameters: { type: 'object', properties: {} } }, { name: 'bare' }]

  t.test('arguments of several calls arrive interleaved', async t => {
    const { server, ask } = await startChatLlm(t)
    const first = toolCall(0, 'call_a', 'look_up', '{"q":', '"tea"}')
    const second = toolCall(1, 'call_b', 'look_up', '{"q":', '"rye"}')
    server.script([first[0]!, second[0]!, first[1]!, second[1]!, second[2]!, first[2]!, { finish: 'tool_calls' }])
    const events = await collect(ask({ tools }))
    t.same(calls(events), [
      { id: 'call_a', name: 'look_up', arguments: '{"q":"tea"}' },
      { id: 'call_b', name: 'look_up', arguments: '{"q":"rye"}' }
    ])
    t.match(events.at(-1), { type: 'end', reason: 'tool_calls' })
  })

  t.test('calls without ids, whole, and ended with stop get ids and the right reason', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script([{ delta: { tool_calls: [{ index: 0, function: { name: 'look_up', arguments: '{"q":"tea"}' } }, { index: 1, function: { name: 'bare', arguments: { much: true } } }] } }, { finish: 'stop' }])
    const events = await collect(ask({ tools }))
    const [first, second] = calls(events)
    t.match(first, { id: /^call_\w+$/, name: 'look_up', arguments: '{"q":"tea"}' })
    t.match(second, { id: /^call_\w+$/, name: 'bare', arguments: '{"much":true}' })
    t.not(first?.id, second?.id)
    t.match(events.at(-1), { type: 'end', reason: 'tool_calls' })
  })

  t.test('two calls under the same number are told apart by their ids', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script([...toolCall(0, 'call_a', 'bare', '{}'), ...toolCall(0, 'call_b', 'bare', '{}')])
    t.same(calls(await collect(ask({ tools }))).map(({ id }) => id), ['call_a', 'call_b'])
  })

  t.test('tools, choice, earlier calls and their results are sent in the API\'s shape', async t => {
    const { server, ask } = await startChatLlm(t)
    await collect(ask({
      tools,
      toolChoice: { name: 'look_up' },
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: '', toolCalls: [{ id: 'call_a', name: 'look_up', arguments: '{}' }] },
        { role: 'tool', callId: 'call_a', content: 'nothing' }
      ]
    }))
    const { body } = server.requests[0]!
    t.same(body.messages, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'call_a', type: 'function', function: { name: 'look_up', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'call_a', content: 'nothing' }
    ])
    t.same(body.tool_choice, { type: 'function', function: { name: 'look_up' } })
    t.same(body.tools[1], { type: 'function', function: { name: 'bare', parameters: { type: 'object', properties: {} } } })
  })
})

t.test('requests', async t => {
  t.test('model, temperature and length of one request override the engine\'s', async t => {
    const { server, ask } = await startChatLlm(t)
    await collect(ask({ model: 'other', temperature: 0.2, maxTokens: 40 }))
    t.match(server.requests[0]?.body, { model: 'other', temperature: 0.2, max_tokens: 40 })
    t.notOk('tools' in server.requests[0]?.body)
  })

  t.test('images are sent as image_url parts', async t => {
    const { server, ask } = await startChatLlm(t)
    await collect(ask({ messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image', url: 'data:image/png;base64,AA==', detail: 'low' }] }] }))
    t.same(server.requests[0]?.body.messages[0].content, [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } }
    ])
  })

  t.test('the key is sent as a bearer, and no header at all without one', async t => {
    for (const apiKey of ['sk-secret', undefined]) {
      const { server, ask } = await startChatLlm(t, { apiKey })
      await collect(ask())
      t.equal(server.requests[0]!.headers.authorization, apiKey && `Bearer ${apiKey}`)
    }
  })
})

t.test('the model', async t => {
  t.test('the only model that the server lists is used when none is named', async t => {
    const { server, llm, ask } = await startChatLlm(t, { model: '' })
    server.models = ['llama-small', 'nomic-embed-text']
    await llm.start?.()
    t.equal(llm.model, 'llama-small')
    await collect(ask())
    t.equal(server.requests[0]?.body.model, 'llama-small')
  })

  t.test('several models are an error that names them', async t => {
    const { server, llm } = await startChatLlm(t, { model: '' })
    server.models = ['first', 'second']
    const error = await faultOf(llm.start!())
    t.equal(error.code, 'engine_unavailable')
    t.equal(error.message, `The language model at ${server.url} offers several models: set LLM_MODEL to one of first, second.`)
  })

  t.test('no model is an error that says so', async t => {
    const { server, llm } = await startChatLlm(t, { model: '' })
    server.models = []
    t.match(await faultOf(llm.start!()), { code: 'engine_unavailable', message: /offers no model/ })
  })

  t.test('it is looked for again by the first request after a failed start', async t => {
    const { server, llm, ask } = await startChatLlm(t, { model: '' })
    server.models = []
    await faultOf(llm.start!())
    server.models = ['late']
    await collect(ask())
    t.equal(server.requests[0]?.body.model, 'late')
  })
})

t.test('events are read whatever their lines end with and wherever they are cut', async t => {
  const sent = [{ delta: 'Grüße, ' }, { delta: '你好 \u{1F600}' }, { delta: 'line\nbreak' }]
  for (const end of ['\n', '\r\n', '\r']) {
    const lines = [': a comment', 'event: message', ...sent.flatMap(event => [`data: ${JSON.stringify(event)}`, '']), 'data:[DONE]', '', 'data: not read any more', '']
    const bytes = Buffer.from(lines.join(end) + end)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const cut = function * () { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size) }
      const read = await collect(readEvents(stream(...cut())))
      t.same(read.flat(), sent, `${JSON.stringify(end)}, ${size} bytes at a time`)
    }
  }
})

t.test('an event may have several lines, and must end before it is a megabyte', async t => {
  const read = async (text: string) => (await collect(readEvents(stream(Buffer.from(text))))).flat()
  t.same(await read('data: {"a":\ndata: 1}\n\ndata: {"b": 2}\n'), [{ a: 1 }], 'one that does not end is none')
  await t.rejects(read('data: no JSON\n\n'), { name: 'SyntaxError' })
  await t.rejects(read(`data: ${'x'.repeat(1024 * 1024)}`), { name: 'SyntaxError', message: 'an event without an end' })
})

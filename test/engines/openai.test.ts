import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { EngineError, type LlmEvent, type LlmRequest } from '../../lib/engines/engine.js'
import { readEvents } from '../../lib/engines/openai/event-stream.js'
import { createOpenAiLlm, type OpenAiLlmOptions } from '../../lib/engines/openai/llm.js'
import { startChatServer, toolCall, type ChatServer } from '../support/chat-server.js'

async function setUp (t: Test, options: OpenAiLlmOptions = {}) {
  const server = await startChatServer()
  const llm = createOpenAiLlm({ baseUrl: server.url, model: 'test-model', retries: 0, ...options })
  t.teardown(async () => {
    await llm.close?.()
    await server.close()
  })
  const ask = (request: Partial<LlmRequest> = {}, signal = new AbortController().signal) =>
    llm.generate({ messages: [{ role: 'user', content: 'Hi' }], tools: [], toolChoice: 'auto', ...request }, { signal })
  return { server, llm, ask }
}

async function collect (events: AsyncIterable<LlmEvent>): Promise<LlmEvent[]> {
  const all: LlmEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

const spoken = (events: LlmEvent[]) => events.map(event => event.type === 'text' ? event.delta : '').join('')
const calls = (events: LlmEvent[]) => {
  const found: { id: string, name: string, arguments: string }[] = []
  for (const event of events) {
    if (event.type === 'tool_call') found[event.index] = { id: event.id, name: event.name, arguments: '' }
    if (event.type === 'tool_arguments') found[event.index]!.arguments += event.delta
  }
  return found
}

/** The engine error with which it rejects. */
async function faultOf (promise: Promise<unknown>): Promise<EngineError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** A port where nobody listens. */
async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

t.test('answers', async t => {
  t.test('text arrives in pieces, the end and its usage last', async t => {
    const { server, ask } = await setUp(t)
    server.script([{ text: 'Good evening to you.' }, { finish: 'stop' }, { usage: { prompt_tokens: 12, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } } }])
    const events = await collect(ask())
    t.equal(spoken(events), 'Good evening to you.')
    t.ok(events.filter(event => event.type === 'text').length > 1)
    t.same(events.at(-1), { type: 'end', reason: 'stop', usage: { inputTokens: 12, outputTokens: 5, cachedTokens: 3 } })
    t.same(server.requests[0]?.body.stream_options, { include_usage: true })
  })

  t.test('a delta is passed on before the next one is sent', async t => {
    const { server, ask } = await setUp(t)
    let resolve = () => {}
    const until = new Promise<void>(_resolve => { resolve = _resolve })
    server.script([{ text: 'First' }, { until }, { text: ' second' }, { finish: 'stop' }])
    const events = ask()[Symbol.asyncIterator]()
    t.same((await events.next()).value, { type: 'text', delta: 'First' })
    resolve()
    t.same((await events.next()).value, { type: 'text', delta: ' second' })
    t.match((await events.next()).value, { type: 'end' })
  })

  t.test('a server that sends no usage and never says how it ended is understood', async t => {
    const { server, ask } = await setUp(t)
    server.script([{ text: 'That is all.' }])
    const events = await collect(ask())
    t.equal(spoken(events), 'That is all.')
    t.same(events.at(-1), { type: 'end', reason: 'stop' })
  })

  t.test('a server that falls silent after its last word ends the answer', async t => {
    const { server, ask } = await setUp(t, { stallTimeoutMs: 50 })
    server.script([{ text: 'Bye.' }, { finish: 'length' }, 'stall'])
    t.match((await collect(ask())).at(-1), { type: 'end', reason: 'length' })
    t.equal(await (await server.request(0)).closed, 'abandoned')
  })

  t.test('a server that does not know stream_options is asked without, and remembered', async t => {
    const { server, ask } = await setUp(t)
    server.script({ status: 422, body: { error: { message: 'extra field: stream_options' } } })
    t.equal(spoken(await collect(ask())), 'Hello there.')
    t.equal(spoken(await collect(ask())), 'Hello there.')
    t.same(server.requests.map(({ body }) => 'stream_options' in body), [true, false, false])
  })

  t.test('what a model thinks before it speaks is left out', async t => {
    const { server, ask } = await setUp(t)
    server.script([{ delta: { content: '<thi' } }, { delta: { content: 'nk>They greet me.' } }, { delta: { content: '</think>\n\nHello' } }, { text: ' you' }, { finish: 'stop' }])
    t.equal(spoken(await collect(ask())), 'Hello you')
  })
})

t.test('tool calls', async t => {
  const tools = [{ name: 'look_up', description: 'Looks up', parameters: { type: 'object', properties: {} } }, { name: 'bare' }]

  t.test('arguments of several calls arrive interleaved', async t => {
    const { server, ask } = await setUp(t)
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
    const { server, ask } = await setUp(t)
    server.script([{ delta: { tool_calls: [{ index: 0, function: { name: 'look_up', arguments: '{"q":"tea"}' } }, { index: 1, function: { name: 'bare', arguments: { much: true } } }] } }, { finish: 'stop' }])
    const events = await collect(ask({ tools }))
    const [first, second] = calls(events)
    t.match(first, { id: /^call_\w+$/, name: 'look_up', arguments: '{"q":"tea"}' })
    t.match(second, { id: /^call_\w+$/, name: 'bare', arguments: '{"much":true}' })
    t.not(first?.id, second?.id)
    t.match(events.at(-1), { type: 'end', reason: 'tool_calls' })
  })

  t.test('two calls under the same number are told apart by their ids', async t => {
    const { server, ask } = await setUp(t)
    server.script([...toolCall(0, 'call_a', 'bare', '{}'), ...toolCall(0, 'call_b', 'bare', '{}')])
    t.same(calls(await collect(ask({ tools }))).map(({ id }) => id), ['call_a', 'call_b'])
  })

  t.test('tools, choice, earlier calls and their results are sent in the API\'s shape', async t => {
    const { server, ask } = await setUp(t)
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
    const { server, ask } = await setUp(t)
    await collect(ask({ model: 'other', temperature: 0.2, maxTokens: 40 }))
    t.match(server.requests[0]?.body, { model: 'other', temperature: 0.2, max_tokens: 40 })
    t.notOk('tools' in server.requests[0]?.body)
  })

  t.test('images are sent as image_url parts', async t => {
    const { server, ask } = await setUp(t)
    await collect(ask({ messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image', url: 'data:image/png;base64,AA==', detail: 'low' }] }] }))
    t.same(server.requests[0]?.body.messages[0].content, [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } }
    ])
  })

  t.test('the key is sent as a bearer, and no header at all without one', async t => {
    const { server, ask } = await setUp(t, { apiKey: 'sk-secret' })
    const open = createOpenAiLlm({ baseUrl: server.url, model: 'test-model' })
    t.teardown(() => open.close?.())
    await collect(ask())
    await collect(open.generate({ messages: [{ role: 'user', content: 'Hi' }], tools: [], toolChoice: 'auto' }, { signal: new AbortController().signal }))
    t.same(server.requests.map(({ headers }) => headers.authorization), ['Bearer sk-secret', undefined])
  })
})

t.test('the model', async t => {
  t.test('the only model that the server lists is used when none is named', async t => {
    const { server, llm, ask } = await setUp(t, { model: '' })
    server.models = ['llama-small', 'nomic-embed-text']
    await llm.start?.()
    t.equal(llm.model, 'llama-small')
    await collect(ask())
    t.equal(server.requests[0]?.body.model, 'llama-small')
  })

  t.test('several models are an error that names them', async t => {
    const { server, llm } = await setUp(t, { model: '' })
    server.models = ['first', 'second']
    const error = await faultOf(llm.start!())
    t.equal(error.code, 'engine_unavailable')
    t.equal(error.message, `The language model at ${server.url} offers several models: set LLM_MODEL to one of first, second.`)
  })

  t.test('no model is an error that says so', async t => {
    const { server, llm } = await setUp(t, { model: '' })
    server.models = []
    t.match(await faultOf(llm.start!()), { code: 'engine_unavailable', message: /offers no model/ })
  })

  t.test('it is looked for again by the first request after a failed start', async t => {
    const { server, llm, ask } = await setUp(t, { model: '' })
    server.models = []
    await faultOf(llm.start!())
    server.models = ['late']
    await collect(ask())
    t.equal(server.requests[0]?.body.model, 'late')
  })
})

t.test('an abort', async t => {
  t.test('rejects with its reason and closes the connection upstream', async t => {
    const { server, ask } = await setUp(t)
    server.script([{ text: 'One' }, 'stall'])
    const controller = new AbortController()
    const events = ask({}, controller.signal)[Symbol.asyncIterator]()
    await events.next()
    const next = events.next()
    const reason = new Error('enough')
    controller.abort(reason)
    t.equal(await next.catch(error => error), reason)
    t.equal(await server.requests[0]?.closed, 'abandoned')
  })

  t.test('before the first token closes the connection as well', async t => {
    const { server, ask } = await setUp(t)
    server.script(['stall'])
    const controller = new AbortController()
    const next = ask({}, controller.signal)[Symbol.asyncIterator]().next()
    const request = await server.request(0)
    controller.abort(new Error('enough'))
    await t.rejects(next, { message: 'enough' })
    t.equal(await request.closed, 'abandoned')
  })

  t.test('of a listener who just stops reading does the same', async t => {
    const { server, ask } = await setUp(t)
    server.script([{ text: 'One two three' }, 'stall'])
    for await (const event of ask()) if (event.type === 'text') break
    t.equal(await server.requests[0]?.closed, 'abandoned')
  })

  t.test('a signal that was aborted before sends nothing', async t => {
    const { server, ask } = await setUp(t)
    await t.rejects(collect(ask({}, AbortSignal.abort(new Error('late')))), { message: 'late' })
    t.equal(server.requests.length, 0)
  })

  t.test('leaves no listener on the signal, and no connection, after many answers', async t => {
    const { server, ask } = await setUp(t)
    const controller = new AbortController()
    const { addEventListener, removeEventListener } = controller.signal
    let listeners = 0
    controller.signal.addEventListener = (...args: any[]) => { listeners++; Reflect.apply(addEventListener, controller.signal, args) }
    controller.signal.removeEventListener = (...args: any[]) => { listeners--; Reflect.apply(removeEventListener, controller.signal, args) }
    for (let i = 0; i < 20; i++) {
      server.script([{ text: 'One two three' }, { finish: 'stop' }], [{ text: 'One' }, 'stall'])
      await collect(ask({}, controller.signal))
      for await (const event of ask({}, controller.signal)) if (event.type === 'text') break
    }
    await Promise.all(server.requests.map(({ closed }) => closed))
    t.equal(listeners, 0)
    t.ok(await server.connections() <= 1)
  })
})

t.test('faults are one line without secrets', async t => {
  const cases: [string, Parameters<ChatServer['script']>[0], { code: string, message: RegExp }][] = [
    ['a refused key', { status: 401, body: { error: { message: 'Wrong key\nsk-secret.' } } }, { code: 'engine_unavailable', message: /refused the API key \(401\): Wrong key \[secret\]\.$/ }],
    ['a server error', { status: 500, body: { error: { message: 'out of memory' } } }, { code: 'engine_unavailable', message: /failed \(500\): out of memory\.$/ }],
    ['a server error without words', { status: 503, body: '' }, { code: 'engine_unavailable', message: /failed \(503\)\.$/ }],
    ['an unknown model', { status: 404, body: { error: { message: 'model "x" not found' } } }, { code: 'engine_failed', message: /rejected the request \(404\): model "x" not found\.$/ }],
    ['no capacity', { status: 429 }, { code: 'engine_unavailable', message: /no capacity left \(429\)/ }],
    ['a dropped connection', [{ text: 'Half a' }, 'drop'], { code: 'engine_failed', message: /broke off in the middle of its answer: the connection was reset\.$/ }],
    ['an error in the stream', [{ text: 'Half a' }, { raw: 'data: {"error":{"message":"slot lost"}}\n\n' }, 'stall'], { code: 'engine_failed', message: /failed: slot lost\.$/ }],
    ['garbage', [{ raw: 'data: {{{{\n\n' }, 'stall'], { code: 'engine_failed', message: /not the chat API's event stream/ }],
    ['a web page', [{ raw: '<html>Welcome</html>' }, 'done'], { code: 'engine_failed', message: /not the chat API's event stream/ }],
    ['silence from the start', ['stall'], { code: 'engine_failed', message: /did not begin to answer within 0\.2 s/ }],
    ['silence in the middle', [{ text: 'Half a' }, 'stall'], { code: 'engine_failed', message: /fell silent in the middle of its answer for 0\.1 s/ }]
  ]
  for (const [name, script, expected] of cases) {
    t.test(name, async t => {
      const { server, ask } = await setUp(t, { apiKey: 'sk-secret', firstTokenTimeoutMs: 200, stallTimeoutMs: 100 })
      server.script(script)
      const error = await faultOf(collect(ask()))
      t.equal(error.code, expected.code)
      t.match(error.message, expected.message)
      t.ok(error.message.startsWith(`The language model at ${server.url} `))
      t.notMatch(error.message, /\n|sk-secret/)
      t.ok(['answered', 'abandoned'].includes(await server.requests[0]!.closed))
      t.equal(spoken(await collect(ask())), 'Hello there.', 'and the next answer works')
    })
  }

  t.test('nobody listening, credentials in the URL', async t => {
    const port = await freePort()
    const llm = createOpenAiLlm({ baseUrl: `http://me:hidden@127.0.0.1:${port}/v1/`, model: 'm', retries: 0 })
    const error = await faultOf(llm.start!())
    t.equal(error.code, 'engine_unavailable')
    t.equal(error.message, `The language model at http://127.0.0.1:${port}/v1 cannot be reached: connection refused.`)
  })

  t.test('a host that is not there', async t => {
    const llm = createOpenAiLlm({ baseUrl: 'http://dramatis.invalid/v1', model: 'm', retries: 0 })
    t.match(await faultOf(llm.check!(new AbortController().signal)), { code: 'engine_unavailable', message: /^The language model at http:\/\/dramatis\.invalid\/v1 cannot be reached: .*host/ })
  })

  t.test('a base URL that is none', async t => {
    t.throws(() => createOpenAiLlm({ baseUrl: 'localhost:11434' }), { code: 'engine_unavailable', message: /base URL is no http or https URL/ })
  })
})

t.test('a request', async t => {
  t.test('is sent again when the server failed before it answered anything', async t => {
    const { server, ask } = await setUp(t, { retries: 1 })
    server.script({ status: 503 })
    t.equal(spoken(await collect(ask())), 'Hello there.')
    t.equal(server.requests.length, 2)
  })

  t.test('is not sent again once a word was heard', async t => {
    const { server, ask } = await setUp(t, { retries: 1 })
    server.script([{ text: 'Half a' }, 'drop'])
    await faultOf(collect(ask()))
    t.equal(server.requests.length, 1)
  })

  t.test('is not sent again when it was at fault itself', async t => {
    const { server, ask } = await setUp(t, { retries: 1 })
    server.script({ status: 400 })
    await faultOf(collect(ask()))
    t.equal(server.requests.length, 1)
  })
})

t.test('a check', async t => {
  t.test('passes while the server lists models, and fails when it is gone', async t => {
    const { server, llm } = await setUp(t)
    await llm.check!(new AbortController().signal)
    t.equal(server.modelRequests.length, 1)
    await server.close()
    t.match(await faultOf(llm.check!(new AbortController().signal)), { code: 'engine_unavailable' })
  })

  t.test('rejects with the reason of its signal', async t => {
    const { llm } = await setUp(t)
    await t.rejects(llm.check!(AbortSignal.abort(new Error('late'))), { message: 'late' })
  })
})

t.test('events are read whatever their lines end with and wherever they are cut', async t => {
  const sent = [{ delta: 'Grüße, ' }, { delta: '你好 \u{1F600}' }, { delta: 'line\nbreak' }]
  for (const end of ['\n', '\r\n', '\r']) {
    const lines = [': a comment', 'event: message', ...sent.flatMap(event => [`data: ${JSON.stringify(event)}`, '']), 'data:[DONE]', '', 'data: not read any more', '']
    const bytes = Buffer.from(lines.join(end) + end)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const read: unknown[] = []
      const cut = async function * () { for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size) }
      for await (const events of readEvents(cut())) read.push(...events)
      t.same(read, sent, `${JSON.stringify(end)}, ${size} bytes at a time`)
    }
  }
})

t.test('an event may have several lines, and must end before it is a megabyte', async t => {
  const read = async (text: string) => {
    const events: unknown[] = []
    for await (const some of readEvents((async function * () { yield Buffer.from(text) })())) events.push(...some)
    return events
  }
  t.same(await read('data: {"a":\ndata: 1}\n\ndata: {"b": 2}\n'), [{ a: 1 }], 'one that does not end is none')
  await t.rejects(read('data: no JSON\n\n'), { name: 'SyntaxError' })
  await t.rejects(read(`data: ${'x'.repeat(1024 * 1024)}`), { name: 'SyntaxError', message: 'an event without an end' })
})

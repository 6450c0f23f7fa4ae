import t from 'tap'
import { createOpenAiLlm } from '../../lib/engines/openai/llm.js'
import { spoken, startChatLlm } from '../support/chat-llm.js'
import type { ChatServer } from '../support/chat-server.js'
import { freePort } from '../support/free-port.js'
import { collect, faultOf } from '../support/streams.js'

// How an answer of a language model ends before it is whole: given up, or at fault.

t.test('an abort', async t => {
  t.test('rejects with its reason and closes the connection upstream', async t => {
    const { server, ask } = await startChatLlm(t)
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
    const { server, ask } = await startChatLlm(t)
    server.script(['stall'])
    const controller = new AbortController()
    const next = ask({}, controller.signal)[Symbol.asyncIterator]().next()
    const request = await server.request(0)
    controller.abort(new Error('enough'))
    await t.rejects(next, { message: 'enough' })
    t.equal(await request.closed, 'abandoned')
  })

  t.test('of a listener who just stops reading does the same', async t => {
    const { server, ask } = await startChatLlm(t)
    server.script([{ text: 'One two three' }, 'stall'])
    for await (const event of ask()) if (event.type === 'text') break
    t.equal(await server.requests[0]?.closed, 'abandoned')
  })

  t.test('a signal that was aborted before sends nothing', async t => {
    const { server, ask } = await startChatLlm(t)
    await t.rejects(collect(ask({}, AbortSignal.abort(new Error('late')))), { message: 'late' })
    t.equal(server.requests.length, 0)
  })

  t.test('leaves no listener on the signal, and no connection, after many answers', async t => {
    const { server, ask } = await startChatLlm(t)
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
      const { server, ask } = await startChatLlm(t, { apiKey: 'sk-secret', firstTokenTimeoutMs: 200, stallTimeoutMs: 100 })
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
    const { server, ask } = await startChatLlm(t, { retries: 1 })
    server.script({ status: 503 })
    t.equal(spoken(await collect(ask())), 'Hello there.')
    t.equal(server.requests.length, 2)
  })

  t.test('is not sent again once a word was heard', async t => {
    const { server, ask } = await startChatLlm(t, { retries: 1 })
    server.script([{ text: 'Half a' }, 'drop'])
    await faultOf(collect(ask()))
    t.equal(server.requests.length, 1)
  })

  t.test('is not sent again when it was at fault itself', async t => {
    const { server, ask } = await startChatLlm(t, { retries: 1 })
    server.script({ status: 400 })
    await faultOf(collect(ask()))
    t.equal(server.requests.length, 1)
  })
})

t.test('a check', async t => {
  t.test('passes while the server lists models, and fails when it is gone', async t => {
    const { server, llm } = await startChatLlm(t)
    await llm.check!(new AbortController().signal)
    t.equal(server.modelRequests.length, 1)
    await server.close()
    t.match(await faultOf(llm.check!(new AbortController().signal)), { code: 'engine_unavailable' })
  })

  t.test('rejects with the reason of its signal', async t => {
    const { llm } = await startChatLlm(t)
    await t.rejects(llm.check!(AbortSignal.abort(new Error('late'))), { message: 'late' })
  })
})

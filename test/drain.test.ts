import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import dramatis from '../app.js'
import { startChatServer } from './support/chat-server.js'
import { TestClient, textOf } from './support/client.js'
import { cannedEngines } from './support/engines.js'
import { ServerProcess, withoutSpeech } from './support/process.js'
import { refusal } from './support/refusal.js'
import { testServer } from './support/server.js'

/** A server process whose model says its last word when it is told to. */
async function start (t: Test, count: number): Promise<{ server: ServerProcess, port: number, finish: () => void }> {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  let finish = () => {}
  const told = new Promise<void>(resolve => { finish = resolve })
  chat.script(...Array.from({ length: count }, () => [{ text: 'One moment.' }, { until: told }, { text: ' Goodbye.' }, { finish: 'stop' }]))
  const server = ServerProcess.start(t, { LLM_BASE_URL: chat.url, LLM_MODEL: 'some-model', LLM_STALL_TIMEOUT_MS: '110000', DRAIN_SECONDS: '60', ...withoutSpeech })
  const port = await server.port()
  return { server, port, finish }
}

t.test('SIGTERM under 50 responses: readiness goes, new sessions are refused, all finish, everybody is told, exit 0', async t => {
  const { server, port, finish } = await start(t, 50)
  const url = `ws://127.0.0.1:${port}/v1/realtime`
  const clients = await Promise.all(Array.from({ length: 50 }, () => TestClient.connect(url)))
  const idle = await TestClient.connect(url)
  for (const client of clients) {
    client.say('Hello')
    client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  }
  await Promise.all(clients.map(client => client.next('response.output_text.delta')))

  server.child.kill('SIGTERM')
  t.match(await idle.closed, { code: 1001, reason: 'server shutting down' }, 'who is idle need not wait')
  const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
  t.match({ status: ready.status, body: await ready.json() }, { status: 503, body: { status: 'draining' } })
  const refused = await refusal(url)
  t.match(refused, { status: 503, body: { error: { code: 'server_draining' } } })
  t.ok(Number(refused.headers['retry-after']) > 0)
  finish()

  const responses = await Promise.all(clients.map(async client => (await client.next('response.done')).response))
  t.ok(responses.every(response => response.status === 'completed' && textOf(response) === 'One moment. Goodbye.'))
  const codes = await Promise.all(clients.map(async client => (await client.closed).code))
  t.strictSame([...new Set(codes)], [1001])
  t.match(await server.exited, { code: 0 })
})

t.test('a second signal ends it at once', async t => {
  const { server, port } = await start(t, 1)
  const client = await TestClient.connect(`ws://127.0.0.1:${port}/v1/realtime`)
  client.say('Hello')
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await client.next('response.output_text.delta')
  server.child.kill('SIGTERM')
  let status
  do status = (await fetch(`http://127.0.0.1:${port}/health/ready`)).status
  while (status !== 503)
  server.child.kill('SIGTERM')
  t.match(await server.exited, { code: 1 })
})

t.test('an embedder\'s own @fastify/websocket leaves the sessions to the drain', async t => {
  let tell = () => {}
  const begun = new Promise<void>(resolve => { tell = resolve })
  let finish = () => {}
  const told = new Promise<void>(resolve => { finish = resolve })
  const app = Fastify()
  await app.register(websocket)
  await app.register(dramatis, {
    ...cannedEngines(async function * () {
      tell()
      await told
      yield { type: 'text', delta: 'Goodbye.' }
      yield { type: 'end', reason: 'stop' }
    }),
    limits: { drainSeconds: 60 }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const client = await testServer(t, app).connect()
  const answer = client.ask('Say goodbye')
  await begun
  const closing = app.close()
  finish()
  t.equal(await answer, 'Goodbye.')
  t.match(await client.closed, { code: 1001, reason: 'server shutting down' })
  await closing
})

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startChatServer } from '../support/chat-server.js'
import { TestClient, textOf } from '../support/client.js'
import { ServerProcess } from '../support/process.js'
import { moduleFile } from '../support/program.js'
import { samplesOf } from '../support/prometheus.js'
import { refusal } from '../support/refusal.js'
import { until } from '../support/until.js'
import { readClip } from '../support/wav.js'

// Each test starts four processes.
t.setTimeout(600_000)

const clip = readClip('austen-0880')

interface Machine {
  server: ServerProcess
  port: number
  connect: () => Promise<TestClient>
  /** Lets the answers end that the model has begun. */
  finish: () => void
  /** Process of each session, by id. */
  holders: () => Map<string, number>
  workers: () => number[]
  /** The process that has the local engines. */
  engines: () => number[]
}

/** Two session processes, whose model says its last word when it is told to. No engines but those: speech is asked of nobody. */
async function start (t: Test, environment: Record<string, string> = {}): Promise<Machine> {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  let finish = () => {}
  const told = new Promise<void>(resolve => { finish = resolve })
  chat.script(...Array.from({ length: 50 }, () => [{ text: 'One moment.' }, { until: told }, { text: ' Goodbye.' }, { finish: 'stop' }]))
  const server = ServerProcess.start(t, {
    WORKERS: '2', LLM_BASE_URL: chat.url, LLM_MODEL: 'some-model', LLM_STALL_TIMEOUT_MS: '110000', DRAIN_SECONDS: '60', STT_BASE_URL: chat.url, TTS_BASE_URL: chat.url, STT_MODEL: 'x', TTS_MODEL: 'x', ...environment
  })
  const port = await server.port()
  return {
    server,
    port,
    finish,
    connect: async () => {
      const client = await TestClient.connect(`ws://127.0.0.1:${port}/v1/realtime`)
      t.teardown(() => client.socket.terminate())
      return client
    },
    holders: () => new Map([...server.output.matchAll(/^.*"msg":"session opened".*$/gm)].map(([line]) => {
      const { pid, session } = JSON.parse(line) as { pid: number, session: string }
      return [session, pid]
    })),
    workers: () => childrenOf(server.child.pid!, moduleFile('worker')),
    engines: () => childrenOf(server.child.pid!, moduleFile('lib/workers/engine-entry'))
  }
}

function childrenOf (parent: number, entry: string): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).filter(name => {
    try {
      const [state, ppid] = readFileSync(join('/proc', name, 'stat'), 'utf8').replace(/^.*\) /, '').split(' ')
      return Number(ppid) === parent && state !== 'Z' && readFileSync(join('/proc', name, 'cmdline'), 'utf8').includes(entry)
    } catch {
      return false
    }
  }).map(Number)
}

const idOf = (client: TestClient): string => client.of('session.created')[0]!.session.id!

/** Begins an answer that ends when the machine's `finish` is called. */
async function begin (client: TestClient): Promise<void> {
  client.say('Hello')
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await client.next('response.output_text.delta')
}

async function finished (client: TestClient): Promise<string> {
  return textOf((await client.next('response.done')).response)
}

t.test('sessions are spread evenly, whatever else connects', async t => {
  const { port, connect, holders } = await start(t)
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 10 }, () => connect()))
    // Probes, on connections that stay open, and somebody who is refused.
    t.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200)
    await refusal(`ws://127.0.0.1:${port}/v1/realtime?character=Nobody`)
  }
  await until(() => holders().size === 100)
  const counts = new Map<number, number>()
  for (const pid of holders().values()) counts.set(pid, (counts.get(pid) ?? 0) + 1)
  t.equal(counts.size, 2)
  for (const [, count] of counts) t.ok(count >= 45 && count <= 55, `${count} of 100`)
})

t.test('one page of metrics and one health for all, and counters outlive a worker', async t => {
  const { server, port, connect } = await start(t)
  await Promise.all(Array.from({ length: 6 }, () => connect()))
  const metric = async (name: string) => samplesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).filter(sample => sample.name === name)
  t.match(await metric('dramatis_sessions_active'), [{ value: 6 }])
  t.match(await metric('dramatis_sessions_limit'), [{ value: 1000 }])
  t.match(await metric('dramatis_draining'), [{ value: 0 }])
  t.match((await metric('dramatis_sessions_total')), [{ value: 6 }])
  t.equal((await metric('nodejs_version_info')).length, 1)
  const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
  t.match(await ready.json(), { workers: { wanted: 2, ready: 2 } })
  server.child.kill('SIGHUP')
  await server.prints(/All session processes are replaced/)
  await eventually(async () => (await metric('dramatis_sessions_active'))[0]!.value === 0)
  t.match(await metric('dramatis_sessions_total'), [{ value: 6 }])
  t.match(samplesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).find(({ name, labels }) => name === 'dramatis_sessions_closed_total' && labels.code === '1001'), { value: 6 })
})

t.test('a worker that is killed takes its own sessions along and no others, and is replaced', async t => {
  const { port, connect, finish, holders, workers } = await start(t)
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect()))
  await Promise.all(clients.map(begin))
  await until(() => holders().size === 8)
  const victim = holders().get(idOf(clients[0]!))!
  const hit = clients.filter(client => holders().get(idOf(client)) === victim)
  const spared = clients.filter(client => !hit.includes(client))
  t.equal(hit.length, 4)
  process.kill(victim, 'SIGKILL')
  for (const client of hit) t.equal((await client.closed).code, 1006)
  // Also while there is one less.
  const during = await connect()
  t.ok(idOf(during))
  finish()
  for (const client of spared) t.equal(await finished(client), 'One moment. Goodbye.')
  t.ok(spared.every(({ socket }) => socket.readyState === socket.OPEN))
  await eventually(async () => (await (await fetch(`http://127.0.0.1:${port}/health/ready`)).json() as { workers: { ready: number } }).workers.ready === 2)
  t.equal(workers().length, 2)
  const after = await Promise.all(Array.from({ length: 12 }, () => connect()))
  await until(() => after.every(client => holders().has(idOf(client))))
  const used = new Set(after.map(client => holders().get(idOf(client))))
  t.ok(used.size === 2 && !used.has(victim), 'the successor gets sessions')
})

t.test('SIGHUP replaces the workers: answers finish, all are told, who connects meanwhile is served', async t => {
  const { server, connect, finish, holders, workers } = await start(t)
  const before = workers()
  const clients = await Promise.all(Array.from({ length: 6 }, () => connect()))
  await Promise.all(clients.map(begin))
  const idle = await connect()
  server.child.kill('SIGHUP')
  t.match(await idle.closed, { code: 1001, reason: 'server shutting down' })
  const meanwhile: TestClient[] = []
  while (!server.output.includes('All session processes are replaced')) meanwhile.push(await connect())
  const fresh = await connect()
  await until(() => holders().has(idOf(fresh)))
  t.notOk(before.includes(holders().get(idOf(fresh))!), 'who is new goes to a new one')
  finish()
  for (const client of clients) {
    t.equal(await finished(client), 'One moment. Goodbye.')
    t.equal((await client.closed).code, 1001)
  }
  await until(() => workers().length === 2 && !workers().some(pid => before.includes(pid)))
  // Who was still given to an old one was told as well.
  for (const client of meanwhile) if (client.socket.readyState >= 2) t.equal((await client.closed).code, 1001)
  t.equal(fresh.socket.readyState, fresh.socket.OPEN)
})

t.test('SIGHUP with keys that cannot be read replaces nobody', async t => {
  const file = join(t.testdir(), 'keys.json')
  writeFileSync(file, JSON.stringify({ keys: { one: { key: 'a-first-key-of-some-length' } } }))
  const { server, port, workers } = await start(t, { KEYS_FILE: file })
  const before = workers()
  writeFileSync(file, 'nonsense')
  server.child.kill('SIGHUP')
  await server.prints(/The session processes are not replaced/)
  t.strictSame(workers(), before)
  const client = await TestClient.connect(`ws://127.0.0.1:${port}/v1/realtime`, [], { headers: { authorization: 'Bearer a-first-key-of-some-length' } })
  await client.close()
})

t.test('SIGTERM: readiness goes, new sessions are refused, answers finish, exit 0, nobody is left', async t => {
  const { server, port, connect, finish, workers, engines } = await start(t)
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect()))
  await Promise.all(clients.map(begin))
  const idle = await connect()
  server.child.kill('SIGTERM')
  t.match(await idle.closed, { code: 1001 })
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).status === 503)
  t.match(await refusal(`ws://127.0.0.1:${port}/v1/realtime`), { status: 503, body: { error: { code: 'server_draining' } } })
  finish()
  for (const client of clients) {
    t.equal(await finished(client), 'One moment. Goodbye.')
    t.equal((await client.closed).code, 1001)
  }
  t.match(await server.exited, { code: 0 })
  t.strictSame([...workers(), ...engines()], [])
})

t.test('a second signal ends all at once', async t => {
  const { server, port, connect, workers, engines } = await start(t)
  const client = await connect()
  await begin(client)
  const pids = [...workers(), ...engines()]
  server.child.kill('SIGTERM')
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).status === 503)
  server.child.kill('SIGTERM')
  t.match(await server.exited, { code: 1 })
  t.equal((await client.closed).code, 1006)
  await until(() => pids.every(pid => !isAlive(pid)))
})

t.test('the workers of a server that is killed do not outlive it', async t => {
  const { server, connect, workers, engines } = await start(t)
  const client = await connect()
  const pids = [...workers(), ...engines()]
  t.equal(pids.length, 3)
  server.child.kill('SIGKILL')
  t.match(await client.closed, { code: 1001 })
  await until(() => pids.every(pid => !isAlive(pid)))
})

/** Says something aloud, which is recognised and answered aloud; how the answer ended. */
async function talk (client: TestClient, onSound?: () => void): Promise<string> {
  client.append(await clip)
  client.send({ type: 'input_audio_buffer.commit' })
  client.send({ type: 'response.create' })
  await client.next('response.output_audio.delta')
  onSound?.()
  const { response } = await client.next('response.done')
  client.forget()
  return response.status!
}

t.test('local engines are loaded once for all workers, and outlive what happens to these and to them', async t => {
  const local = { STT_BASE_URL: '', TTS_BASE_URL: '', STT_MODEL: '', TTS_MODEL: '' }
  const { server, port, connect, finish, holders, workers, engines } = await start(t, local)
  finish()
  const two = async (): Promise<TestClient[]> => {
    const clients = await Promise.all([connect(), connect()])
    await Promise.all(clients.map(client => client.update({ type: 'realtime', audio: { input: { turn_detection: null } } })))
    return clients
  }
  const clients = await two()
  await until(() => holders().size === 2)
  t.equal(new Set(holders().values()).size, 2, 'one in each worker')
  const victim = holders().get(idOf(clients[0]!))!
  t.same(await Promise.all(clients.map(client => talk(client))), ['completed', 'completed'])
  const [first, ...more] = engines()
  t.same(more, [])
  for (const pid of workers()) t.notMatch(readFileSync(`/proc/${pid}/maps`, 'utf8'), /onnxruntime|sherpa/, 'a worker has no engine loaded')
  t.match(readFileSync(`/proc/${first}/maps`, 'utf8'), /onnxruntime/)

  process.kill(first!, 'SIGKILL')
  await server.prints(/The engine process ended by itself and is replaced/)
  t.same(await Promise.all(clients.map(client => talk(client))), ['completed', 'completed'], 'sessions live on')
  await eventually(async () => (await (await fetch(`http://127.0.0.1:${port}/health/ready`)).json() as { status: string }).status === 'ready')

  const second = engines()
  process.kill(victim, 'SIGKILL')
  await clients[0]!.closed
  t.equal(await talk(clients[1]!), 'completed')
  server.child.kill('SIGHUP')
  await server.prints(/All session processes are replaced/)
  t.same(engines(), second, 'it stays when the workers are replaced')
  t.same(await Promise.all((await two()).map(client => talk(client))), ['completed', 'completed'])

  server.child.kill('SIGTERM')
  t.match(await server.exited, { code: 0 })
  await until(() => [...second, ...workers()].every(pid => !isAlive(pid)))
})

t.test('what cannot start says so in one line, once, and leaves nothing behind', async t => {
  const server = ServerProcess.start(t, { WORKERS: '2', CHARACTERS_DIR: '/nowhere/at/all' })
  t.match(await server.exited, { code: 1 })
  t.equal(server.output.trim().split('\n').length, 1, server.output)
})

function isAlive (pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves as soon as an answer is as it should be. */
async function eventually (condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await wait(20)
}

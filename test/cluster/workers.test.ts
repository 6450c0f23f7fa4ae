import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startChatServer, type ChatServer } from '../support/chat-server.js'
import { TestClient, textOf } from '../support/client.js'
import { eventually, idOf } from '../support/fleet.js'
import { ServerProcess } from '../support/process.js'
import { childrenOf, isAlive } from '../support/processes.js'
import { moduleFile } from '../support/program.js'
import { samplesOf } from '../support/prometheus.js'
import { selfSigned } from '../support/redis.js'
import { refusal } from '../support/refusal.js'
import { until } from '../support/until.js'
import { readClip } from '../support/wav.js'

// Each machine is four processes.
t.setTimeout(600_000)

const clip = readClip('austen-0880')
const KEY = 'a-first-key-of-some-length'

/** Two session processes. No engines but those that are asked for: speech is asked of nobody. */
class Machine {
  readonly #t: Test
  readonly #chat: ChatServer
  readonly #opened = new Map<string, number>()
  #read = 0
  readonly server: ServerProcess
  readonly port: number

  private constructor (t: Test, chat: ChatServer, server: ServerProcess, port: number) {
    this.#t = t
    this.#chat = chat
    this.server = server
    this.port = port
  }

  static async start (t: Test, environment: Record<string, string> = {}): Promise<Machine> {
    const chat = await startChatServer()
    t.teardown(() => chat.close())
    const server = ServerProcess.start(t, {
      WORKERS: '2', LLM_BASE_URL: chat.url, LLM_MODEL: 'some-model', LLM_STALL_TIMEOUT_MS: '110000', DRAIN_SECONDS: '60', STT_BASE_URL: chat.url, TTS_BASE_URL: chat.url, STT_MODEL: 'x', TTS_MODEL: 'x', ...environment
    })
    return new Machine(t, chat, server, await server.port())
  }

  async connect (scheme = 'ws', key = ''): Promise<TestClient> {
    const headers: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` }
    const client = await TestClient.connect(`${scheme}://127.0.0.1:${this.port}/v1/realtime`, [], { headers, rejectUnauthorized: false })
    this.#t.teardown(() => client.socket.terminate())
    return client
  }

  async connectMany (count: number): Promise<TestClient[]> {
    return await Promise.all(Array.from({ length: count }, () => this.connect()))
  }

  /** The next answers say their last word when the returned function is called. */
  hold (answers: number, first = 'One moment.'): () => void {
    let finish = () => {}
    const told = new Promise<void>(resolve => { finish = resolve })
    this.#chat.script(...Array.from({ length: answers }, () => [{ text: first }, { until: told }, { text: ' Goodbye.' }, { finish: 'stop' }]))
    return finish
  }

  /** Process of each session there was, by id. */
  get holders (): Map<string, number> {
    const end = this.server.output.lastIndexOf('\n') + 1
    for (const [line] of this.server.output.slice(this.#read, end).matchAll(/^.*"msg":"session opened".*$/gm)) {
      const { pid, session } = JSON.parse(line) as { pid: number, session: string }
      this.#opened.set(session, pid)
    }
    this.#read = end
    return this.#opened
  }

  /** Process of each client's session. */
  async holdersOf (clients: TestClient[]): Promise<number[]> {
    await until(() => clients.every(client => this.holders.has(idOf(client))))
    return clients.map(client => this.holders.get(idOf(client))!)
  }

  get workers (): number[] {
    return childrenOf(this.server.child.pid!, moduleFile('worker'))
  }

  /** The process that has the local engines. */
  get engines (): number[] {
    return childrenOf(this.server.child.pid!, moduleFile('lib/workers/engine-entry'))
  }

  async readiness (): Promise<{ code: number, status: string, workers: { wanted: number, ready: number } }> {
    const response = await fetch(`http://127.0.0.1:${this.port}/health/ready`)
    return { code: response.status, ...await response.json() as { status: string, workers: { wanted: number, ready: number } } }
  }

  async metric (name: string, labels: Record<string, string> = {}): Promise<number[]> {
    const samples = samplesOf(await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text())
    return samples.filter(sample => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)).map(({ value }) => value)
  }

  /** Ends the sessions of a test. */
  async empty (clients: TestClient[]): Promise<void> {
    for (const { socket } of clients) socket.terminate()
    await eventually(async () => (await this.metric('dramatis_sessions_active'))[0] === 0)
  }
}

/** Begins an answer that ends when it may. */
async function begin (client: TestClient): Promise<void> {
  client.say('Hello')
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await client.next('response.output_text.delta')
}

async function finished (client: TestClient): Promise<string> {
  return textOf((await client.next('response.done')).response)
}

t.test('two session processes behind one port', async t => {
  const machine = await Machine.start(t)
  const { server, port } = machine

  t.test('sessions are spread evenly, whatever else connects', async t => {
    const clients: TestClient[] = []
    for (let round = 0; round < 10; round++) {
      clients.push(...await machine.connectMany(10))
      // Probes, on connections that stay open, and somebody who is refused.
      t.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200)
      await refusal(`ws://127.0.0.1:${port}/v1/realtime?character=Nobody`)
    }
    const counts = new Map<number, number>()
    for (const pid of await machine.holdersOf(clients)) counts.set(pid, (counts.get(pid) ?? 0) + 1)
    t.equal(counts.size, 2)
    for (const [, count] of counts) t.ok(count >= 45 && count <= 55, `${count} of 100`)
    await machine.empty(clients)
  })

  t.test('one page of metrics and one health for all', async t => {
    const [before] = await machine.metric('dramatis_sessions_total')
    const clients = await machine.connectMany(6)
    t.same(await machine.metric('dramatis_sessions_active'), [6])
    t.same(await machine.metric('dramatis_sessions_limit'), [1000])
    t.same(await machine.metric('dramatis_draining'), [0])
    t.same(await machine.metric('dramatis_sessions_total'), [before! + 6])
    t.equal((await machine.metric('nodejs_version_info')).length, 1)
    t.match(await machine.readiness(), { workers: { wanted: 2, ready: 2 } })
    await machine.empty(clients)
  })

  t.test('SIGHUP replaces the workers: answers finish, all are told, who connects meanwhile is served, and counters go on', async t => {
    const before = machine.workers
    const [opened] = await machine.metric('dramatis_sessions_total')
    const finish = machine.hold(6)
    const clients = await machine.connectMany(6)
    await Promise.all(clients.map(begin))
    const idle = await machine.connect()
    server.child.kill('SIGHUP')
    t.match(await idle.closed, { code: 1001, reason: 'server shutting down' })
    const meanwhile: TestClient[] = []
    const replaced = server.prints(/All session processes are replaced/)
    while (!server.output.includes('All session processes are replaced')) {
      meanwhile.push(await machine.connect())
      await Promise.race([replaced, wait(50)])
    }
    const fresh = await machine.connect()
    const [holder] = await machine.holdersOf([fresh])
    t.notOk(before.includes(holder!), 'who is new goes to a new one')
    finish()
    for (const client of clients) {
      t.equal(await finished(client), 'One moment. Goodbye.')
      t.equal((await client.closed).code, 1001)
    }
    await until(() => machine.workers.length === 2 && !machine.workers.some(pid => before.includes(pid)))
    // Who was still given to an old one was told as well.
    for (const client of meanwhile) if (client.socket.readyState >= 2) t.equal((await client.closed).code, 1001)
    t.equal(fresh.socket.readyState, fresh.socket.OPEN)
    t.same(await machine.metric('dramatis_sessions_total'), [opened! + clients.length + meanwhile.length + 2])
    const [told] = await machine.metric('dramatis_sessions_closed_total', { code: '1001' })
    t.ok(told! >= clients.length + 1, `${told} closed with 1001`)
    await machine.empty([...meanwhile, fresh])
  })

  t.test('a worker that is killed takes its own sessions along and no others, and is replaced', async t => {
    const finish = machine.hold(8)
    const clients = await machine.connectMany(8)
    await Promise.all(clients.map(begin))
    const holders = await machine.holdersOf(clients)
    const [victim] = holders
    const hit = clients.filter((client, index) => holders[index] === victim)
    const spared = clients.filter(client => !hit.includes(client))
    t.ok(hit.length >= 3 && spared.length >= 3, `${hit.length} of 8`)
    process.kill(victim!, 'SIGKILL')
    for (const client of hit) t.equal((await client.closed).code, 1006)
    // Also while there is one less.
    const during = await machine.connect()
    t.ok(idOf(during))
    finish()
    for (const client of spared) t.equal(await finished(client), 'One moment. Goodbye.')
    t.ok(spared.every(({ socket }) => socket.readyState === socket.OPEN))
    await eventually(async () => (await machine.readiness()).workers.ready === 2)
    t.equal(machine.workers.length, 2)
    const after = await machine.connectMany(12)
    const used = new Set(await machine.holdersOf(after))
    t.ok(used.size === 2 && !used.has(victim!), 'the successor gets sessions')
    await machine.empty([...spared, during, ...after])
  })

  t.test('an engine process that cannot start says why, and is started again until it can', async t => {
    const [pid] = machine.engines
    const { path } = JSON.parse(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').at(-2)!) as { path: string }
    rmSync(dirname(path), { recursive: true })
    process.kill(pid!, 'SIGKILL')
    await server.prints(/The engine process cannot listen/)
    mkdirSync(dirname(path))
    await until(() => existsSync(path))
  })

  t.test('SIGTERM: readiness goes, new sessions are refused, answers finish, exit 0, nobody is left', async t => {
    const finish = machine.hold(10)
    const clients = await machine.connectMany(10)
    await Promise.all(clients.map(begin))
    const idle = await machine.connect()
    const pids = [...machine.workers, ...machine.engines]
    t.equal(pids.length, 3)
    server.child.kill('SIGTERM')
    t.match(await idle.closed, { code: 1001 })
    await eventually(async () => (await machine.readiness()).code === 503)
    t.match(await refusal(`ws://127.0.0.1:${port}/v1/realtime`), { status: 503, body: { error: { code: 'server_draining' } } })
    finish()
    for (const client of clients) {
      t.equal(await finished(client), 'One moment. Goodbye.')
      t.equal((await client.closed).code, 1001)
    }
    t.match(await server.exited, { code: 0 })
    t.same(pids.filter(isAlive), [])
  })
})

t.test('two session processes with keys and a certificate', async t => {
  const file = join(t.testdir({ 'keys.json': JSON.stringify({ keys: { one: { key: KEY } } }) }), 'keys.json')
  const { cert, key } = selfSigned(t.testdirName)
  const machine = await Machine.start(t, { KEYS_FILE: file, TLS_CERT: cert, TLS_KEY: key })
  const { server, port } = machine
  const readiness = async (): Promise<number> => {
    const [response] = await once(request({ port, path: '/health/ready', rejectUnauthorized: false, agent: false }).end(), 'response')
    response.resume()
    return response.statusCode
  }

  t.test('over TLS, too, sessions are spread, and whoever asks for something else counts for nothing', async t => {
    const clients: TestClient[] = []
    for (let n = 0; n < 6; n++) {
      clients.push(await machine.connect('wss', KEY))
      t.equal(await readiness(), 200)
    }
    const holders = await machine.holdersOf(clients)
    t.same(machine.workers.map(pid => holders.filter(holder => holder === pid).length), [3, 3])
    for (const client of clients) t.equal(await client.ask('Hello'), 'Hello there.')
  })

  t.test('SIGHUP with keys that cannot be read replaces nobody', async t => {
    const before = machine.workers
    writeFileSync(file, 'nonsense')
    server.child.kill('SIGHUP')
    await server.prints(/The session processes are not replaced/)
    t.same(machine.workers, before)
    const client = await machine.connect('wss', KEY)
    await client.close()
  })

  t.test('a second signal ends all at once', async t => {
    machine.hold(1)
    const client = await machine.connect('wss', KEY)
    await begin(client)
    const pids = [...machine.workers, ...machine.engines]
    t.equal(pids.length, 3)
    server.child.kill('SIGTERM')
    await eventually(async () => await readiness() === 503)
    server.child.kill('SIGTERM')
    t.match(await server.exited, { code: 1 })
    t.equal((await client.closed).code, 1006)
    await until(() => !pids.some(isAlive))
  })
})

/** With the engines of this machine. */
const local = { STT_BASE_URL: '', TTS_BASE_URL: '', STT_MODEL: '', TTS_MODEL: '' }

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
  const machine = await Machine.start(t, local)
  const { server } = machine
  const connect = async (): Promise<TestClient> => {
    const client = await machine.connect()
    await client.update({ type: 'realtime', audio: { input: { turn_detection: null } } })
    return client
  }
  const clients = [await connect(), await connect()] as const
  const [victim, other] = await machine.holdersOf([...clients])
  t.not(victim, other, 'one in each worker')
  t.same(await Promise.all(clients.map(client => talk(client))), ['completed', 'completed'])
  const [first, ...more] = machine.engines
  t.same(more, [])
  for (const pid of machine.workers) t.notMatch(readFileSync(`/proc/${pid}/maps`, 'utf8'), /onnxruntime|sherpa/, 'a worker has no engine loaded')
  t.match(readFileSync(`/proc/${first}/maps`, 'utf8'), /onnxruntime/)

  // Both answers have begun, and go on when the model may; that they fail also shows that each worker knows.
  const finish = machine.hold(2, 'Wait a moment, please.')
  let sounding = 0
  t.same(await Promise.all(clients.map(client => talk(client, () => { if (++sounding === 2) process.kill(first!, 'SIGKILL') }))), ['failed', 'failed'])
  finish()
  await server.prints(/The engine process ended by itself and is replaced/)
  t.same(await Promise.all(clients.map(client => talk(client))), ['completed', 'completed'], 'sessions live on')
  await eventually(async () => (await machine.readiness()).status === 'ready')

  const second = machine.engines
  process.kill(victim!, 'SIGKILL')
  await clients[0].closed
  t.equal(await talk(clients[1]), 'completed')
  server.child.kill('SIGHUP')
  await server.prints(/All session processes are replaced/)
  t.same(machine.engines, second, 'it stays when the workers are replaced')
  t.equal(await talk(await connect()), 'completed')

  const pids = [...second, ...machine.workers]
  server.child.kill('SIGTERM')
  t.match(await server.exited, { code: 0 })
  t.same(pids.filter(isAlive), [])
})

t.test('while the engine process hangs new sessions are refused, those there are go on, and then another takes its place', async t => {
  const machine = await Machine.start(t, local)
  const clients = await machine.connectMany(2)
  t.equal(new Set(await machine.holdersOf(clients)).size, 2, 'one in each worker')
  for (const client of clients) await client.update({ audio: { input: { turn_detection: { type: 'server_vad', create_response: false } } } })
  const sound = await clip
  const [hanging] = machine.engines
  process.kill(hanging!, 'SIGSTOP')
  for (const client of clients) client.append(sound)
  await eventually(async () => (await machine.readiness()).code === 503)
  t.match(await refusal(`ws://127.0.0.1:${machine.port}/v1/realtime`), { status: 503, body: { error: { code: 'server_overloaded' } } })
  for (const client of clients) {
    await begin(client)
    t.equal(await finished(client), 'Hello there.')
  }
  await machine.server.prints(/The engine process does not answer and is ended/)
  await eventually(async () => (await machine.readiness()).status === 'ready')
  t.equal(machine.engines.length, 1)
  t.notSame(machine.engines, [hanging])
  for (const client of [...clients, await machine.connect()]) {
    client.send({ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: null } } } })
    client.send({ type: 'input_audio_buffer.clear' })
    // Who waited for voice detection longer than its deadline was told so, before it ended or after.
    await client.settle()
    t.equal(client.of('session.updated').at(-1)!.session.audio!.input!.turn_detection, null)
    client.forget()
    t.equal(await talk(client), 'completed')
  }
})

t.test('what cannot start says so in one line, once, and leaves nothing behind', async t => {
  const server = ServerProcess.start(t, { WORKERS: '2', CHARACTERS_DIR: '/nowhere/at/all' })
  t.match(await server.exited, { code: 1 })
  t.equal(server.output.trim().split('\n').length, 1, server.output)
})

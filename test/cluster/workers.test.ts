import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startChatServer } from '../support/chat-server.js'
import { type TestClient, textOf } from '../support/client.js'
import { eventually, idOf } from '../support/fleet.js'
import { Machine } from '../support/machine.js'
import { ServerProcess } from '../support/process.js'
import { isAlive } from '../support/processes.js'
import { selfSigned } from '../support/redis.js'
import { refusal } from '../support/refusal.js'
import { latch } from '../support/transcript.js'
import { until } from '../support/until.js'
import { readClip } from '../support/wav.js'

// Each machine is four processes.
t.setTimeout(600_000)

const clip = readClip('austen-0880')
const KEY = 'a-first-key-of-some-length'

/** No engines but those that are asked for: speech is asked of nobody. */
async function start (t: Test, environment: Record<string, string> = {}, key?: string) {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const machine = await Machine.start(t, {
    LLM_BASE_URL: chat.url, LLM_MODEL: 'some-model', LLM_STALL_TIMEOUT_MS: '110000', DRAIN_SECONDS: '60', STT_BASE_URL: chat.url, TTS_BASE_URL: chat.url, STT_MODEL: 'x', TTS_MODEL: 'x', ...environment
  }, key)
  return {
    machine,
    server: machine.server,
    /** The next answers say their last word when the returned function is called. */
    hold (answers: number, first = 'One moment.'): () => void {
      const { opened, open } = latch()
      chat.script(...Array.from({ length: answers }, () => [{ text: first }, { until: opened }, { text: ' Goodbye.' }, { finish: 'stop' }]))
      return open
    }
  }
}

/** Ends the sessions of a test. */
async function empty (machine: Machine, clients: TestClient[]): Promise<void> {
  for (const { socket } of clients) socket.terminate()
  await eventually(async () => (await machine.metric('dramatis_sessions_active'))[0] === 0)
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
  const { machine, server, hold } = await start(t)

  t.test('sessions are spread evenly, whatever else connects', async t => {
    const clients: TestClient[] = []
    for (let round = 0; round < 10; round++) {
      clients.push(...await machine.connectMany(10))
      // Probes, on connections that stay open, and somebody who is refused.
      t.equal((await fetch(`http://127.0.0.1:${machine.port}/health/live`)).status, 200)
      await refusal(`${machine.url}?character=Nobody`)
    }
    const counts = new Map<number, number>()
    for (const pid of await machine.pidsOf(clients)) counts.set(pid, (counts.get(pid) ?? 0) + 1)
    t.equal(counts.size, 2)
    for (const [, count] of counts) t.ok(count >= 45 && count <= 55, `${count} of 100`)
    await empty(machine, clients)
  })

  t.test('one page of metrics and one health for all', async t => {
    const [before] = await machine.metric('dramatis_sessions_total')
    const clients = await machine.connectMany(6)
    t.same(await machine.metric('dramatis_sessions_active'), [6])
    t.same(await machine.metric('dramatis_sessions_limit'), [1000])
    t.same(await machine.metric('dramatis_draining'), [0])
    t.same(await machine.metric('dramatis_sessions_total'), [before! + 6])
    t.equal((await machine.metric('nodejs_version_info')).length, 1)
    t.match((await machine.readiness()).body, { workers: { wanted: 2, ready: 2 } })
    await empty(machine, clients)
  })

  t.test('SIGHUP replaces the workers: answers finish, all are told, who connects meanwhile is served, and counters go on', async t => {
    const before = machine.workers
    const [opened] = await machine.metric('dramatis_sessions_total')
    const finish = hold(6)
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
    t.notOk(before.includes(await machine.pidOf(fresh)), 'who is new goes to a new one')
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
    await empty(machine, [...meanwhile, fresh])
  })

  t.test('a worker that is killed takes its own sessions along and no others, and is replaced', async t => {
    const finish = hold(8)
    const clients = await machine.connectMany(8)
    await Promise.all(clients.map(begin))
    const holders = await machine.pidsOf(clients)
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
    await eventually(async () => (await machine.readiness()).body.workers.ready === 2)
    t.equal(machine.workers.length, 2)
    const after = await machine.connectMany(12)
    const used = new Set(await machine.pidsOf(after))
    t.ok(used.size === 2 && !used.has(victim!), 'the successor gets sessions')
    await empty(machine, [...spared, during, ...after])
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
    const finish = hold(10)
    const clients = await machine.connectMany(10)
    await Promise.all(clients.map(begin))
    const idle = await machine.connect()
    const pids = [...machine.workers, ...machine.engines]
    t.equal(pids.length, 3)
    server.child.kill('SIGTERM')
    t.match(await idle.closed, { code: 1001 })
    await eventually(async () => (await machine.readiness()).status === 503)
    t.match(await refusal(machine.url), { status: 503, body: { error: { code: 'server_draining' } } })
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
  const { machine, server, hold } = await start(t, { KEYS_FILE: file, TLS_CERT: cert, TLS_KEY: key }, KEY)

  t.test('over TLS, too, sessions are spread, and whoever asks for something else counts for nothing', async t => {
    const clients: TestClient[] = []
    for (let n = 0; n < 6; n++) {
      clients.push(await machine.connect())
      t.equal((await machine.readiness()).status, 200)
    }
    const holders = await machine.pidsOf(clients)
    t.same(machine.workers.map(pid => holders.filter(holder => holder === pid).length), [3, 3])
    for (const client of clients) t.equal(await client.ask('Hello'), 'Hello there.')
  })

  t.test('SIGHUP with keys that cannot be read replaces nobody', async t => {
    const before = machine.workers
    writeFileSync(file, 'nonsense')
    server.child.kill('SIGHUP')
    await server.prints(/The session processes are not replaced/)
    t.same(machine.workers, before)
    const client = await machine.connect()
    await client.close()
  })

  t.test('a second signal ends all at once', async t => {
    hold(1)
    const client = await machine.connect()
    await begin(client)
    const pids = [...machine.workers, ...machine.engines]
    t.equal(pids.length, 3)
    server.child.kill('SIGTERM')
    await eventually(async () => (await machine.readiness()).status === 503)
    server.child.kill('SIGTERM')
    t.match(await server.exited, { code: 1 })
    t.equal((await client.closed).code, 1006)
    await until(() => !pids.some(isAlive))
  })
})

const pushToTalk = { audio: { input: { turn_detection: null } } }

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

t.test('two session processes with the engines of this machine', async t => {
  const { machine, server, hold } = await start(t, { STT_BASE_URL: '', TTS_BASE_URL: '', STT_MODEL: '', TTS_MODEL: '' })

  t.test('they are loaded once for all, and sessions outlive them', async t => {
    const clients = await machine.connectBoth()
    for (const client of clients) await client.update(pushToTalk)
    t.same(await Promise.all(clients.map(client => talk(client))), ['completed', 'completed'])
    const [first, ...more] = machine.engines
    t.same(more, [])
    for (const pid of machine.workers) t.notMatch(readFileSync(`/proc/${pid}/maps`, 'utf8'), /onnxruntime|sherpa/, 'a worker has no engine loaded')
    t.match(readFileSync(`/proc/${first}/maps`, 'utf8'), /onnxruntime/)

    // Both answers have begun, and go on when the model may; that they fail also shows that each worker knows.
    const finish = hold(2, 'Wait a moment, please.')
    let sounding = 0
    t.same(await Promise.all(clients.map(client => talk(client, () => { if (++sounding === 2) process.kill(first!, 'SIGKILL') }))), ['failed', 'failed'])
    finish()
    await server.prints(/The engine process ended by itself and is replaced/)
    t.same(await Promise.all(clients.map(client => talk(client))), ['completed', 'completed'], 'sessions live on')
    await eventually(async () => (await machine.readiness()).body.status === 'ready')
    await empty(machine, clients)
  })

  t.test('while they hang new sessions are refused, those there are go on, and then others take their place', async t => {
    const clients = await machine.connectBoth()
    for (const client of clients) await client.update({ audio: { input: { turn_detection: { type: 'server_vad', create_response: false } } } })
    const sound = await clip
    const [hanging] = machine.engines
    process.kill(hanging!, 'SIGSTOP')
    for (const client of clients) client.append(sound)
    await eventually(async () => (await machine.readiness()).status === 503)
    t.match(await refusal(machine.url), { status: 503, body: { error: { code: 'server_overloaded' } } })
    for (const client of clients) {
      await begin(client)
      t.equal(await finished(client), 'Hello there.')
    }
    await server.prints(/The engine process does not answer and is ended/)
    await eventually(async () => (await machine.readiness()).body.status === 'ready')
    t.equal(machine.engines.length, 1)
    t.notSame(machine.engines, [hanging])
    const another = await machine.connect()
    for (const client of [...clients, another]) {
      client.send({ type: 'session.update', session: { type: 'realtime', ...pushToTalk } })
      client.send({ type: 'input_audio_buffer.clear' })
      // Who waited for voice detection longer than its deadline was told so, before it ended or after.
      await client.settle()
      t.equal(client.of('session.updated').at(-1)!.session.audio!.input!.turn_detection, null)
      client.forget()
      t.equal(await talk(client), 'completed')
    }
    await empty(machine, [...clients, another])
  })

  t.test('they stay when the session processes end and are replaced, and end with the server', async t => {
    const [one, other] = await machine.connectBoth()
    await other.update(pushToTalk)
    const engines = machine.engines
    process.kill(await machine.pidOf(one), 'SIGKILL')
    await one.closed
    t.equal(await talk(other), 'completed')
    server.child.kill('SIGHUP')
    await server.prints(/All session processes are replaced/)
    t.same(machine.engines, engines)
    const fresh = await machine.connect()
    await fresh.update(pushToTalk)
    t.equal(await talk(fresh), 'completed')

    const pids = [...engines, ...machine.workers]
    server.child.kill('SIGTERM')
    t.match(await server.exited, { code: 0 })
    t.same(pids.filter(isAlive), [])
  })
})

t.test('what cannot start says so in one line, once, and leaves nothing behind', async t => {
  const server = ServerProcess.start(t, { WORKERS: '2', CHARACTERS_DIR: '/nowhere/at/all' })
  t.match(await server.exited, { code: 1 })
  t.equal(server.output.trim().split('\n').length, 1, server.output)
})

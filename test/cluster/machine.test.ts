import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectTo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { TestClient } from '../support/client.js'
import { eventually, idOf } from '../support/fleet.js'
import { Machine } from '../support/machine.js'
import { withoutSpeech } from '../support/process.js'
import { isAlive } from '../support/processes.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { refusal } from '../support/refusal.js'
import { until } from '../support/until.js'

const KEY = 'sk-of-the-kiosk-here'
const FEW = 'sk-of-five-sessions'
const SLOW = 'sk-of-ten-a-minute'
const cast = (line: string) => `export default {
  name: 'Ann', voice: { source: 'file', path: 'ann.wav' }, instructions: { prompt: ${JSON.stringify(line)} },
  systemPrompt: ({ instructions }) => instructions.prompt
}`
const resume = (client: TestClient) => `?resume=${client.of('session.created')[0]!.session.resume!.token}&replay=true`

/** Its session processes are `left-1` and `left-2`, whose leases outlive every test: what frees something is no lease that ran out. */
async function start (t: Test, environment: Record<string, string> = {}) {
  const keys = { kiosk: { key: KEY }, few: { key: FEW, sessions: 5 }, slow: { key: SLOW, connectionsPerMinute: 10 } }
  const root = t.testdir({ 'keys.json': JSON.stringify({ keys }), team: { 'ann.js': cast('first') } })
  const machine = await Machine.start(t, {
    NODE_NAME: 'left', NODE_LEASE_SECONDS: '3600', KEYS_FILE: join(root, 'keys.json'), CHARACTERS_ROOTS: `team=${join(root, 'team')}`, DRAIN_SECONDS: '0', ...withoutSpeech, ...environment
  }, KEY)
  return { machine, team: join(root, 'team') }
}

/** Closes what a test has opened, and waits until nobody knows of it. */
async function empty (machine: Machine): Promise<void> {
  for (const { id } of await machine.sessions()) await machine.ask('POST', `/v1/sessions/${id}/close`)
  await eventually(async () => (await machine.sessions()).length === 0 && (await machine.metric('dramatis_sessions_active'))[0] === 0)
}

/** Connections that have said nothing yet: each process has as many as the other. Then all of them ask at once. */
async function race (t: Test, { port, url }: Machine, count: number, key: string): Promise<number> {
  const waiting = await Promise.all(Array.from({ length: count }, async () => {
    const socket = connectTo(port, '127.0.0.1')
    await once(socket, 'connect')
    return socket
  }))
  const sockets = await Promise.all(waiting.map(tcp => new Promise<WebSocket | null>(resolve => {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` }, createConnection: () => tcp })
    t.teardown(() => socket.terminate())
    socket.on('open', () => resolve(socket))
    socket.on('error', () => resolve(null))
  })))
  return sockets.filter(socket => socket !== null).length
}

t.test('the session processes of a machine, without Redis', async t => {
  const { machine, team } = await start(t)
  t.afterEach(() => empty(machine))

  t.test('an ephemeral key made by one opens sessions in both, with its configuration', async t => {
    const { body, status } = await machine.ask('POST', '/v1/realtime/client_secrets', { session: { type: 'realtime', instructions: 'Speak of boats.' } })
    t.equal(status, 200)
    const both = await machine.connectBoth(body.value)
    for (const client of both) t.equal(client.of('session.created')[0]!.session.instructions, 'Speak of boats.')
    t.not(await machine.pidOf(both[0]), await machine.pidOf(both[1]))
    t.match(await refusal(machine.url, { authorization: `Bearer ek_${'x'.repeat(32)}` }), { status: 401 })
  })

  t.test('of 20 that connect at once, exactly as many get in as the key has sessions', async t => {
    t.equal(await race(t, machine, 20, FEW), 5)
    t.equal((await machine.sessions()).length, 5)
    t.match(await refusal(machine.url, { authorization: `Bearer ${FEW}` }), { status: 429, body: { error: { message: /This key has 5 sessions/ } } })
  })

  t.test('a key connects so many times a minute to both together', async t => {
    t.equal(await race(t, machine, 30, SLOW), 10)
  })

  t.test('whichever is asked lists the sessions of both, with what they are doing, and both as servers', async t => {
    const both = await machine.connectBoth()
    const sessions = await machine.sessions()
    t.strictSame(sessions.map(({ id, node }) => [id, node]), [[idOf(both[0]), 'left-1'], [idOf(both[1]), 'left-2']])
    t.ok(sessions.every(({ key, counters }) => key === 'kiosk' && counters.bytes_in === 0), 'none is silent')
    t.match(await machine.nodes(), [{ name: 'left-1', status: 'ready', sessions: 1, limit: 500 }, { name: 'left-2', status: 'ready', sessions: 1, limit: 500 }])
  })

  t.test('a session is closed wherever it is', async t => {
    const both = await machine.connectBoth()
    for (const client of both) {
      t.match(await machine.ask('POST', `/v1/sessions/${idOf(client)}/close`), { status: 200, body: { closed: true } })
      t.match(await client.closed, { code: 1001, reason: 'closed by the operator' })
    }
    t.match(await machine.ask('POST', `/v1/sessions/${idOf(both[0])}/close`), { status: 404 })
  })

  t.test('files of a root that changed reach the sessions of both', async t => {
    await machine.connectBoth(KEY, '?characters=team')
    const versions = async () => new Set((await machine.sessions()).map(({ version }) => version))
    const [before] = await versions()
    writeFileSync(join(team, 'ann.js'), cast('second'))
    t.match(await machine.ask('POST', '/v1/characters/reload', { root: 'team' }), { status: 202, body: { sessions: 2, nodes: 2 } })
    await eventually(async () => {
      const now = await versions()
      return now.size === 1 && !now.has(before)
    })
  })

  t.test('a session is taken up in the other process', async t => {
    let client = await machine.connect(KEY, '?resume=new')
    await client.ask('Hello')
    const first = await machine.pidOf(client)
    while (await machine.pidOf(client) === first) {
      client.socket.terminate()
      await client.closed
      // Somebody takes its place.
      await machine.connect()
      client = await machine.connect(KEY, resume(client))
    }
    await client.settle()
    t.strictSame(client.of('conversation.item.done').length, 2)
    t.ok(await client.ask('Still there?'))
  })

  t.test('who comes to the other process while the old connection looks alive, ends that one', async t => {
    await empty(machine)
    const written = async () => (await machine.metric('dramatis_checkpoints_total', { outcome: 'written' }))[0] ?? 0
    const before = await written()
    const client = await machine.connect(KEY, '?resume=new')
    await client.ask('Hello')
    const node = await machine.nodeOf(client)
    // Two sessions there and none in the other process: what asks how the machine is may count as one for a moment.
    const others: TestClient[] = []
    do others.push(await machine.connect())
    while (await machine.nodeOf(others.at(-1)!) !== node)
    for (const other of others.slice(0, -1)) await other.close()
    await eventually(async () => await written() > before && (await machine.metric('dramatis_sessions_active'))[0] === 2)
    const again = await machine.connect(KEY, resume(client))
    t.not(await machine.nodeOf(again), node)
    t.match(await client.closed, { code: 1000, reason: 'session resumed on another connection' })
    t.strictSame((await machine.sessions()).map(({ id }) => id).sort(), [idOf(again), idOf(others.at(-1)!)].sort())
    await empty(machine)
  })

  t.test('a process that is killed frees what it had at once, not when its lease is over', async t => {
    const clients: TestClient[] = []
    for (let n = 0; n < 5; n++) clients.push(await machine.connect(FEW))
    t.match(await refusal(machine.url, { authorization: `Bearer ${FEW}` }), { status: 429 })
    const pids = await machine.pidsOf(clients)
    const spared = clients.filter((client, index) => pids[index] !== pids[0])
    process.kill(pids[0]!, 'SIGKILL')
    await clients[0]!.closed
    await eventually(async () => (await machine.sessions()).length === spared.length)
    t.strictSame((await machine.sessions()).map(({ id }) => id), spared.map(idOf))
    for (let n = spared.length; n < 5; n++) await machine.connect(FEW)
    t.match(await refusal(machine.url, { authorization: `Bearer ${FEW}` }), { status: 429 })
    await eventually(async () => (await machine.nodes()).length === 2)
    t.strictSame((await machine.nodes()).map(({ name }) => name), ['left-1', 'left-2'])
  })

  t.test('while the process that listens hangs, sessions go on; then it knows what has become of them', async t => {
    const [one, two] = await machine.connectBoth()
    const primary = machine.server.child
    primary.kill('SIGSTOP')
    t.teardown(() => primary.kill('SIGCONT'))
    await one.close()
    await machine.server.prints(/The store of the fleet cannot be reached: The process that has the store did not answer/)
    t.ok(await two.ask('Still there?'))
    primary.kill('SIGCONT')
    await machine.server.prints(/The store of the fleet is there again/)
    await eventually(async () => (await machine.metric('dramatis_store_up'))[0] === 1)
    t.strictSame((await machine.sessions()).map(({ id }) => id), [idOf(two)])
  })

  t.test('ephemeral keys and sessions that can be taken up outlive the processes', async t => {
    const { body: { value } } = await machine.ask('POST', '/v1/realtime/client_secrets')
    const client = await machine.connect(KEY, '?resume=new')
    await client.ask('Hello')
    machine.server.child.kill('SIGHUP')
    await machine.server.prints(/All session processes are replaced/)
    t.match(await client.closed, { code: 1001 })
    const again = await machine.connect(KEY, resume(client))
    await again.settle()
    t.equal(again.of('conversation.item.done').length, 2)
    await machine.connect(value)
    await eventually(async () => (await machine.nodes()).length === 2)
  })

  t.test('whichever is asked to drain, all of them do, and what replaces one as well, until a restart', async t => {
    await empty(machine)
    const both = await machine.connectBoth()
    const closed = both.map(({ closed }) => closed)
    t.match(await machine.ask('POST', '/v1/drain'), { status: 202, body: { status: 'draining', sessions: 2 } })
    for (const { code } of await Promise.all(closed)) t.equal(code, 1001)
    t.match(await machine.readiness(), { status: 503, body: { status: 'draining' } })
    const nodes = async (status: string) => (await machine.nodes()).filter(node => node.status === status)
    await eventually(async () => (await nodes('draining')).length === 2)
    const ended = machine.server.output.split('ended by itself').length
    process.kill(await machine.pidOf(both[0]), 'SIGKILL')
    await eventually(async () => machine.server.output.split('ended by itself').length === ended + 1)
    await eventually(async () => (await machine.readiness()).body.workers.wanted === 2 && (await nodes('draining')).length === 2)
    t.equal(await race(t, machine, 4, KEY), 0)
    machine.server.child.kill('SIGHUP')
    await eventually(async () => (await nodes('ready')).length === 2 && (await nodes('draining')).length === 0)
    await machine.connectBoth()
  })
})

t.test('session processes with room for one session each', async t => {
  const { machine } = await start(t, { MAX_SESSIONS: '2' })

  t.test('all together they keep so many sessions as one would', async t => {
    const clients: TestClient[] = []
    for (let n = 0; n < 6; n++) {
      const client = await machine.connect(KEY, '?resume=new')
      await client.ask(`I am ${n}`)
      client.socket.terminate()
      await eventually(async () => (await machine.sessions()).length === 0)
      clients.push(client)
    }
    for (const client of clients) {
      const again = await machine.connect(KEY, resume(client))
      t.equal(idOf(again), idOf(client))
      await again.close()
      await eventually(async () => (await machine.sessions()).length === 0)
    }
  })

  t.test('they do not outlive a server that is killed', async t => {
    const client = await machine.connect()
    const primary = machine.server.child
    const pids = [...machine.workers, ...machine.engines]
    t.equal(pids.length, 3)
    primary.kill('SIGKILL')
    t.match(await client.closed, { code: 1001 })
    await until(() => !pids.some(isAlive))
  })
})

t.test('with Redis the processes of a machine have names of their own as well', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const { machine } = await start(t, { REDIS_URL: redis.url })
  t.match(await machine.nodes(), [{ name: 'left-1' }, { name: 'left-2' }])
  t.match(redis.ask('KEYS', 'dramatis:node:*'), /left-/)
})

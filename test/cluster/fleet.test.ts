import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { eventually, FleetNode, idOf } from '../support/fleet.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { refusal } from '../support/refusal.js'

const KEY = 'sk-of-the-fleet'
const MINUTES = 60_000

/** Connects, and resolves with the socket once it is let in, or with null if it is refused. */
function knock (url: string, headers: Record<string, string>): Promise<WebSocket | null> {
  return new Promise(resolve => {
    const socket = new WebSocket(url, { headers })
    socket.on('open', () => resolve(socket))
    socket.on('error', () => resolve(null))
  })
}

const cast = (line: string) => `export default {
  name: 'Ann', voice: { source: 'file', path: 'ann.wav' }, instructions: { prompt: ${JSON.stringify(line)} },
  systemPrompt: ({ instructions }) => instructions.prompt
}`

t.test('three servers, their clocks apart by minutes', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const files = t.testdir({ 'keys.json': JSON.stringify({ keys: { kiosk: { key: KEY }, few: { key: 'sk-fifty-sessions', sessions: 50 }, slow: { key: 'sk-ten-a-minute', connectionsPerMinute: 10 } } }) })
  const roots = join(files, 'team')
  mkdirSync(roots)
  writeFileSync(join(roots, 'ann.js'), cast('first'))
  const start = (node: string, clockMs: number) => FleetNode.start(t, {
    keysFile: join(files, 'keys.json'), characters: { roots: { team: roots } }, cluster: { redisUrl: redis.url, node, leaseSeconds: 2 }
  }, KEY, clockMs)
  const nodes = await Promise.all([start('a', 0), start('b', 7 * MINUTES), start('c', -9 * MINUTES)])
  const [a, b, c] = nodes

  t.test('an ephemeral key made on one opens sessions on the others, with its configuration', async t => {
    const { body, status } = await b.post('/v1/realtime/client_secrets', { expires_after: { anchor: 'created_at', seconds: 60 }, session: { type: 'realtime', instructions: 'Speak of boats.' } })
    t.equal(status, 200)
    for (const node of nodes) {
      const client = await node.connect(body.value)
      t.equal(client.of('session.created')[0]!.session.instructions, 'Speak of boats.')
      await client.close()
    }
    t.match(await refusal(c.socketUrl, c.headers('ek_' + 'x'.repeat(32))), { status: 401, body: { error: { code: 'invalid_api_key' } } })
    t.notMatch(redis.ask('KEYS', '*'), body.value)
  })

  t.test('an ephemeral key is over on all of them when its time is', async t => {
    const { body } = await c.post('/v1/realtime/client_secrets', { expires_after: { anchor: 'created_at', seconds: 10 } })
    const key = redis.ask('KEYS', 'dramatis:value:secret:*').split('\n').find(key => Number(redis.ask('PTTL', key)) <= 10_000)!
    redis.ask('PEXPIRE', key, '1')
    await eventually(async () => redis.ask('EXISTS', key) === '0')
    t.match(await refusal(a.socketUrl, a.headers(body.value)), { status: 401 })
  })

  t.test('of 200 that connect at once over three servers, exactly as many get in as the key has sessions', async t => {
    const sockets = await Promise.all(Array.from({ length: 200 }, (_, index) => knock(nodes[index % 3]!.socketUrl, a.headers('sk-fifty-sessions'))))
    const open = sockets.filter(socket => socket !== null)
    t.teardown(() => { for (const socket of open) socket.terminate() })
    t.equal(open.length, 50)
    t.match(await refusal(b.socketUrl, b.headers('sk-fifty-sessions')), { status: 429, body: { error: { code: 'rate_limit_exceeded', message: /This key has 50 sessions/ } } })
    open[0]!.close()
    let again: WebSocket | null = null
    while (again === null) again = await knock(c.socketUrl, c.headers('sk-fifty-sessions'))
    again.terminate()
  })

  t.test('a key connects so many times a minute over all of them', async t => {
    const sockets = await Promise.all(Array.from({ length: 30 }, (_, index) => knock(nodes[index % 3]!.socketUrl, a.headers('sk-ten-a-minute'))))
    for (const socket of sockets) socket?.terminate()
    t.equal(sockets.filter(socket => socket !== null).length, 10)
    const { status, headers } = await refusal(c.socketUrl, c.headers('sk-ten-a-minute'))
    t.equal(status, 429)
    t.ok(Number(headers['retry-after']) >= 1)
  })

  t.test('each lists the sessions of all, and closes one wherever it is', async t => {
    await eventually(async () => (await a.directory()).size === 0)
    const clients = await Promise.all(nodes.flatMap(node => [node.connect(), node.connect()]))
    await clients[4]!.ask('Hello')
    for (const node of nodes) {
      const { body } = await node.get('/v1/sessions')
      t.strictSame(body.data.map((session: any) => session.node), ['a', 'a', 'b', 'b', 'c', 'c'])
      t.match(body.data.find(({ id }: any) => id === idOf(clients[4]!)), { node: 'c', directory: 'default', selected: /\w/, counters: { responses: 1, items: 2 }, load_errors: [] })
    }
    const first = await b.get('/v1/sessions?limit=3')
    const second = await b.get(`/v1/sessions?limit=3&after=${encodeURIComponent(first.body.next)}`)
    t.equal(second.body.next, null)
    t.strictSame([...first.body.data, ...second.body.data].map(({ id }: any) => id).sort(), clients.map(idOf).sort())

    const id = idOf(clients[5]!)
    t.match(await a.post(`/v1/sessions/${id}/close`), { status: 200, body: { id, closed: true } })
    t.match(await clients[5]!.closed, { code: 1001, reason: 'closed by the operator' })
    await eventually(async () => (await a.directory()).size === 5)
    t.match(await a.post(`/v1/sessions/${id}/close`), { status: 404, body: { error: { code: 'session_not_found' } } })
    await Promise.all(clients.slice(0, 5).map(client => client.close()))
  })

  t.test('files of a root that changed reach the sessions of all', async t => {
    const clients = await Promise.all(nodes.map(node => node.connect(undefined, '?characters=team')))
    const other = await b.connect()
    const versionOf = async () => new Set((await a.get('/v1/sessions')).body.data.filter(({ directory }: any) => directory === 'team').map(({ version }: any) => version))
    const [before] = await versionOf()
    writeFileSync(join(roots, 'ann.js'), cast('second'))
    t.match(await c.post('/v1/characters/reload', { root: 'team' }), { status: 202, body: { root: 'team', sessions: 3, nodes: 3 } })
    await eventually(async () => {
      const versions = await versionOf()
      return versions.size === 1 && !versions.has(before)
    })
    t.match(await c.post('/v1/characters/reload', { root: 'nobody' }), { status: 400, body: { error: { code: 'directory_not_allowed', param: 'root' } } })
    t.match(await fetch(`${a.url}/v1/characters/reload`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"root":"team"}' }), { status: 401 })
    await Promise.all([...clients, other].map(client => client.close()))
  })

  t.test('a session takes at most five commands, and its events none', async t => {
    await eventually(async () => (await a.directory()).size === 0)
    const monitor = spawn('redis-cli', ['-p', String(redis.port), 'MONITOR'])
    t.teardown(() => monitor.kill())
    let seen = ''
    monitor.stdout.on('data', chunk => { seen += chunk })
    await eventually(async () => seen.includes('OK'))
    // Those of scripts are inside of one command; a beat belongs to no session.
    const commands = () => seen.split('\n').filter(line => / \[0 [^l]/.test(line) && !/"INFO"|"PING"/.test(line) && !isBeat(line))
    const { body } = await a.post('/v1/realtime/client_secrets')
    redis.ask('ECHO', 'made')
    const client = await b.connect(body.value)
    for (let n = 0; n < 5; n++) await client.ask('Hello')
    await client.close()
    const id = idOf(client)
    await eventually(async () => seen.includes(`"${id}" "1" "key:kiosk"`) && commands().filter(line => line.includes(id)).length >= 2)
    redis.ask('ECHO', 'over')
    await eventually(async () => seen.includes('"over"'))
    const all = commands()
    const from = all.findIndex(line => line.includes('"made"'))
    const until = all.findIndex(line => line.includes('"over"'))
    const own = all.slice(from + 1, until)
    t.ok(own.length >= 2 && own.length <= 5, own.join('\n'))
    t.comment(`${own.length} commands: one to look the ephemeral key up, one to open, one to close`)
  })

  t.test('one that drains is seen by the others, and takes nobody in', async t => {
    t.match((await a.get('/v1/nodes')).body.data.map(({ name, status }: any) => [name, status]), [['a', 'ready'], ['b', 'ready'], ['c', 'ready']])
    await c.post('/v1/drain')
    await eventually(async () => (await a.get('/v1/nodes')).body.data[2].status === 'draining')
    t.match(await refusal(c.socketUrl, c.headers()), { status: 503, body: { error: { code: 'server_draining' } } })
    c.child.kill('SIGTERM')
    await eventually(async () => (await a.get('/v1/nodes')).body.data.length === 2)
  })
})

/** The arguments of a beat: prefix, node, instance, lease, draining, limit. */
function isBeat (line: string): boolean {
  return /"1" "dramatis" "\w" "[0-9a-f-]{36}" "2000" "[01]" "\d+"$/.test(line)
}

t.test('a server that is killed leaves nothing, and nobody else notices', { skip: withoutRedis }, async (t: Test) => {
  const redis = await RedisServer.start(t)
  const keysFile = join(t.testdir({ 'keys.json': JSON.stringify({ keys: { kiosk: { key: KEY, sessions: 30 } } }) }), 'keys.json')
  const start = (node: string) => FleetNode.start(t, { keysFile, cluster: { redisUrl: redis.url, node, leaseSeconds: 2 } }, KEY)
  const nodes = await Promise.all([start('a'), start('b'), start('c')])
  const [a, b, c] = nodes
  const sessions = await Promise.all(nodes.map(node => Promise.all(Array.from({ length: 10 }, () => node.connect()))))
  t.equal((await a.directory()).size, 30)
  t.match(await refusal(a.socketUrl, a.headers()), { status: 429 })
  c.child.kill('SIGKILL')
  await eventually(async () => (await a.directory()).size === 20)
  t.notOk([...(await b.directory()).values()].includes('c'))
  t.strictSame((await b.get('/v1/nodes')).body.data.map(({ name }: any) => name), ['a', 'b'])
  const more = await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? a : b).connect()))
  t.match(await refusal(b.socketUrl, b.headers()), { status: 429 })
  for (const client of [...sessions[0]!, ...sessions[1]!, ...more]) t.match(await client.ask('Hello'), /Hello/)
})

import { join } from 'node:path'
import t from 'tap'
import { ServerProcess, withoutSpeech } from '../support/process.js'
import { eventually, FleetNode, idOf } from '../support/fleet.js'
import { RedisServer, selfSigned, withoutRedis } from '../support/redis.js'
import { refusal } from '../support/refusal.js'

const KEY = 'sk-of-the-fleet'

// No local engines: they take long to load.

t.test('two servers whose key has six sessions', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const keysFile = join(t.testdir({ 'keys.json': JSON.stringify({ keys: { kiosk: { key: KEY, sessions: 6 } } }) }), 'keys.json')
  const start = (node: string) => FleetNode.start(t, { keysFile, cluster: { redisUrl: redis.url, node, leaseSeconds: 1 } }, KEY)
  const [a, b] = await Promise.all([start('a'), start('b')])
  t.afterEach(async () => {
    await Promise.all([a.leave(), b.leave()])
    await eventually(async () => (await a.directory()).size === 0)
  })

  t.test('while Redis is gone sessions go on and local limits hold; when it is back it knows them all', async t => {
    const secret = (await a.post('/v1/realtime/client_secrets')).body.value
    const before = await Promise.all([a.connect(), a.connect(), b.connect(), b.connect()])
    const busy = { on: true, answers: 0 }
    const talking = Promise.all(before.slice(1).map(async client => {
      while (busy.on) {
        await client.ask('Hello')
        busy.answers++
      }
    }))

    await redis.stop()
    for (const node of [a, b]) await eventually(async () => (await node.get('/health/ready')).body.store === 'down')
    t.match(await a.get('/health/ready'), { status: 200, body: { status: 'degraded', store: 'down' } })
    t.equal(await a.metric('dramatis_store_up'), 0)
    // Two are here already: four more are what the limit allows to this server alone.
    const during = await Promise.all([a.connect(), a.connect(), a.connect(), a.connect(secret)])
    t.equal(await a.metric('dramatis_sessions_alone_total'), 4)
    t.match(await refusal(a.socketUrl, a.headers()), { status: 429, body: { error: { code: 'rate_limit_exceeded' } } })
    t.match(await refusal(b.socketUrl, b.headers(secret)), { status: 503, body: { error: { code: 'store_unavailable' } } }, 'which only the other server knows')
    t.match((await a.get('/v1/sessions')).body, { partial: true, next: null })
    await before[0]!.close()
    const answered = busy.answers
    await eventually(async () => busy.answers > answered)

    await redis.resume()
    const live = [...before.slice(1), ...during]
    await eventually(async () => (await b.directory()).size === live.length && (await a.status()) === 'ready' && (await b.status()) === 'ready')
    t.strictSame([...(await b.directory()).keys()].sort(), live.map(idOf).sort())
    t.match(await refusal(b.socketUrl, b.headers()), { status: 429 }, 'seven of six are there: nobody more')
    busy.on = false
    await talking
    for (const client of live) t.match(await client.ask('Hello'), /Hello/)
    await during[0]!.close()
    await during[1]!.close()
    let again
    while (again === undefined) again = await b.connect().catch(() => undefined)
    t.match(await refusal(a.socketUrl, a.headers()), { status: 429 })
  })

  t.test('a Redis that hangs is given up after a second', async t => {
    const first = await a.connect()
    process.kill(redis.pid, 'SIGSTOP')
    t.teardown(() => { process.kill(redis.pid, 'SIGCONT') })
    const second = await a.connect()
    t.match(await first.ask('Hello'), /Hello/)
    t.match(await second.ask('Hello'), /Hello/)
    process.kill(redis.pid, 'SIGCONT')
    await eventually(async () => (await a.status()) === 'ready' && (await a.directory()).size === 2)
  })

  t.test('a server that stood still for longer than its lease registers again', async t => {
    const client = await a.connect()
    a.child.kill('SIGSTOP')
    await eventually(async () => (await b.directory()).size === 0)
    a.child.kill('SIGCONT')
    await eventually(async () => (await b.directory()).get(idOf(client)) === 'a')
    const more = await Promise.all(Array.from({ length: 5 }, () => b.connect()))
    t.match(await refusal(b.socketUrl, b.headers()), { status: 429 })
    t.equal((await b.directory()).size, 1 + more.length)
  })
})

t.test('a server whose Redis is down ends with one line, or starts degraded if that is allowed', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  await redis.stop()
  const REDIS_URL = `redis://user:secret-word@127.0.0.1:${redis.port}`
  const refused = ServerProcess.start(t, { REDIS_URL, LOG_LEVEL: 'silent', ...withoutSpeech })
  const server = ServerProcess.start(t, { REDIS_URL: redis.url, REDIS_OPTIONAL: 'true', NODE_NAME: 'late', NODE_LEASE_SECONDS: '1', ...withoutSpeech })
  t.match(await refused.exited, { code: 1 })
  t.match(refused.output, /^Redis at redis:\/\/127\.0\.0\.1:\d+ cannot be used: connect ECONNREFUSED .* REDIS_OPTIONAL=true .*\n$/)
  t.notMatch(refused.output, 'secret-word')

  const url = `http://127.0.0.1:${await server.port()}`
  const store = async () => (await (await fetch(`${url}/health/ready`)).json() as { store?: string }).store
  t.equal(await store(), 'down')
  await redis.resume()
  await eventually(async () => await store() === undefined)
  t.match(await (await fetch(`${url}/v1/nodes`)).json(), { data: [{ name: 'late', status: 'ready' }] })
})

t.test('a Redis with a password that speaks TLS is used by who knows the one and trusts the other', { skip: withoutRedis }, async t => {
  const { cert, key } = selfSigned(t.testdir())
  const redis = await RedisServer.start(t, { password: 'a-word-of-redis', cert, key })
  const start = (environment: Record<string, string>) => ServerProcess.start(t, { REDIS_URL: redis.url, NODE_EXTRA_CA_CERTS: cert, ...withoutSpeech, ...environment })
  const [left, right] = [start({ NODE_NAME: 'left' }), start({ NODE_NAME: 'right' })]
  const wrong = start({ REDIS_URL: redis.url.replace('a-word', 'another-word'), LOG_LEVEL: 'silent' })
  const doubting = start({ NODE_EXTRA_CA_CERTS: '', LOG_LEVEL: 'silent' })
  await right.port()
  const nodes = await (await fetch(`http://127.0.0.1:${await left.port()}/v1/nodes`)).json()
  t.match(nodes, { data: [{ name: 'left' }, { name: 'right' }] })

  t.match(await wrong.exited, { code: 1 })
  t.match(wrong.output, /^Redis at rediss:\/\/127\.0\.0\.1:\d+ cannot be used: WRONGPASS .*\n$/)
  t.notMatch(wrong.output + left.output, /a(nother)?-word/)

  t.match(await doubting.exited, { code: 1 })
  t.match(doubting.output, /^Redis at rediss:\/\/127\.0\.0\.1:\d+ cannot be used: self-signed certificate\.? .*\n$/)
})

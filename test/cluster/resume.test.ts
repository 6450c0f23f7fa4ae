import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import type { TestClient } from '../support/client.js'
import { eventually, FleetNode, idOf } from '../support/fleet.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { refusal } from '../support/refusal.js'

const KEY = 'sk-of-the-fleet'
const resumeOf = (client: TestClient) => client.of('session.created')[0]!.session.resume!
const back = (client: TestClient) => `?resume=${resumeOf(client).token}&replay=true`

/** The words that a session has, as its client reads them behind `session.created`. */
async function words (client: TestClient): Promise<string[]> {
  await client.settle()
  return client.of('conversation.item.done').map(({ item }) => item.type === 'message' ? item.content.map(part => 'text' in part ? part.text : '').join('') : item.type)
}

function fleet (t: Test, redis: RedisServer, names: string[], limits: object = {}): Promise<FleetNode[]> {
  return Promise.all(names.map(node => FleetNode.start(t, { apiKeys: [KEY], cluster: { redisUrl: redis.url, node, leaseSeconds: 2 }, limits }, KEY)))
}

t.test('sessions of a server that is killed go on at the others, all of them', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const [a, b, c] = await fleet(t, redis, ['a', 'b', 'c']) as [FleetNode, FleetNode, FleetNode]
  const clients = await Promise.all(Array.from({ length: 30 }, (_, index) => [a, b, c][index % 3]!.connect(undefined, '?resume=new')))
  await Promise.all(clients.map(async (client, index) => {
    await client.update({ instructions: `Number ${index}.` })
    await client.ask(`I am ${index}`)
  }))
  // The end of an answer is written right behind it.
  await eventually(async () => await a.metric('dramatis_checkpoints_total{outcome="written"}'.replace(/[{}"]/g, '\\$&')) >= 30)
  await eventually(async () => await c.metric('dramatis_checkpoints_total{outcome="written"}'.replace(/[{}"]/g, '\\$&')) >= 30)
  const lost = clients.filter((client, index) => index % 3 === 2)
  c.child.kill('SIGKILL')
  await Promise.all(lost.map(client => client.closed))
  const again = await Promise.all(lost.map((client, index) => [a, b][index % 2]!.connect(undefined, back(client))))
  for (const [index, client] of again.entries()) {
    const number = index * 3 + 2
    const { session } = client.of('session.created')[0]!
    t.match(session, { id: idOf(lost[index]!), instructions: `Number ${number}.`, resume: { resumed: true, item_count: 2 } })
    t.strictSame(await words(client), [`I am ${number}`, `You said: I am ${number}`])
    t.equal(await client.ask('And now?'), 'You said: And now?')
  }
  for (const [index, client] of clients.entries()) if (index % 3 !== 2) t.equal(await client.ask('Still there?'), 'You said: Still there?')
  await eventually(async () => (await a.directory()).size === 30)
  t.match(await refusal(`${b.socketUrl}?resume=${resumeOf(lost[0]!).token}`, b.headers()), { status: 404, body: { error: { code: 'resume_not_found' } } }, 'a token works once, on all of them')
})

t.test('who comes to another server while the old connection looks alive, ends that one', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const [a, b] = await fleet(t, redis, ['a', 'b']) as [FleetNode, FleetNode]
  const client = await a.connect(undefined, '?resume=new')
  await client.ask('Hello')
  await eventually(async () => redis.ask('KEYS', 'dramatis:value:resume:*') !== '')
  const again = await b.connect(undefined, back(client))
  t.strictSame(await client.closed, { code: 1000, reason: 'session resumed on another connection' })
  t.strictSame(await words(again), ['Hello', 'You said: Hello'])
  await eventually(async () => [...(await a.directory()).values()].join() === 'b')
  t.equal(redis.ask('KEYS', 'dramatis:value:resume:*').split('\n').length, 1, 'nothing of the old one is left')
})

t.test('a server that drains sends its clients on, with the last that they said', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const [a, b] = await fleet(t, redis, ['a', 'b']) as [FleetNode, FleetNode]
  const client = await a.connect(undefined, '?resume=new')
  await client.ask('Hello')
  await client.update({ instructions: 'Last words.' })
  await a.post('/v1/drain')
  t.match(await client.closed, { code: 1001 })
  const again = await b.connect(undefined, back(client))
  t.equal(again.of('session.created')[0]!.session.instructions, 'Last words.')
  t.strictSame(await words(again), ['Hello', 'You said: Hello'])
})

t.test('a Redis that was away, and came back empty, has every session again with its next item', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const [a, b] = await fleet(t, redis, ['a', 'b']) as [FleetNode, FleetNode]
  const client = await a.connect(undefined, '?resume=new')
  await client.ask('One')
  await redis.stop()
  await eventually(async () => await a.status() === 'degraded')
  t.equal(await client.ask('Two'), 'You said: Two', 'nobody waits for it')
  t.match(await refusal(`${b.socketUrl}?resume=resume_x`, b.headers()), { status: 503, body: { error: { code: 'resume_unavailable' } } })
  await redis.resume()
  await eventually(async () => await a.status() === 'ready' && await b.status() === 'ready')
  await client.ask('Three')
  await eventually(async () => redis.ask('KEYS', 'dramatis:value:resume:*') !== '')
  client.socket.terminate()
  await client.closed
  await eventually(async () => (await b.directory()).size === 0)
  const again = await b.connect(undefined, back(client))
  t.strictSame((await words(again)).filter(text => !text.startsWith('You')), ['One', 'Two', 'Three'])
})

t.test('a finished item is one command, a session four beside them, and nothing of it is in the clear but its words', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const [a] = await fleet(t, redis, ['a']) as [FleetNode]
  const commands = await watch(t, redis)
  const client = await a.connect(undefined, '?resume=new')
  for (let turn = 0; turn < 5; turn++) await client.ask('Hello')
  await client.update({ instructions: 'Be kind.' })
  await client.settle()
  client.socket.terminate()
  await client.closed
  await eventually(async () => (await a.directory()).size === 0)
  const seen = await commands()
  const own = seen.filter(line => line.includes('"resume"') || line.includes(idOf(client)))
  t.ok(own.length <= 10 + 4, own.join('\n'))
  t.notMatch(seen.join('\n'), resumeOf(client).token)
  t.notMatch(seen.join('\n'), KEY)
})

t.test('a session of a server that died takes five commands to come back and to close', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const [a, b] = await fleet(t, redis, ['a', 'b']) as [FleetNode, FleetNode]
  const client = await a.connect(undefined, '?resume=new')
  await client.ask('Hello')
  await eventually(async () => redis.ask('KEYS', 'dramatis:value:resume:*') !== '')
  a.child.kill('SIGKILL')
  await client.closed
  await eventually(async () => redis.ask('PUBSUB', 'NUMSUB', 'dramatis:to:a').endsWith('0') && (await b.directory()).size === 0)
  const commands = await watch(t, redis)
  const again = await b.connect(undefined, back(client))
  t.strictSame(await words(again), ['Hello', 'You said: Hello'])
  again.socket.terminate()
  await again.closed
  await eventually(async () => (await b.directory()).size === 0)
  const own = (await commands()).filter(line => !/"dramatis" "1000" "" ""|"dramatis" "50" "" ""|"ECHO"|"2000" "[01]" "\d+"$/.test(line))
  t.equal(own.length, 5, own.join('\n'))
})

/**
 * Commands that Redis gets from now on, until the returned function is called. Those of scripts are inside of one, and
 * the text of a script that it did not know yet is no command more.
 */
async function watch (t: Test, redis: RedisServer): Promise<() => Promise<string[]>> {
  const monitor = spawn('redis-cli', ['-p', String(redis.port), 'MONITOR'])
  t.teardown(() => monitor.kill())
  let seen = ''
  monitor.stdout.on('data', chunk => { seen += chunk })
  await eventually(async () => seen.includes('OK'))
  return async () => {
    redis.ask('ECHO', 'over')
    await eventually(async () => seen.includes('"over"'))
    return seen.split('\n').filter(line => / \[0 [^l]/.test(line) && !line.includes('"EVAL"'))
  }
}

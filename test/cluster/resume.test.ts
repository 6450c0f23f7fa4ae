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

/** Of each session that Redis has to be taken up: how many items. */
function kept (redis: RedisServer): number[] {
  const counts = redis.ask('EVAL', `
    local counts = {}
    for _, key in ipairs(redis.call('KEYS', 'dramatis:value:resume:*')) do
      local items = 0
      for _, field in ipairs(redis.call('HKEYS', key)) do if string.sub(field, 1, 6) == '.item:' then items = items + 1 end end
      counts[#counts + 1] = items
    end
    return counts`, '0')
  return counts === '' ? [] : counts.split('\n').map(Number)
}

t.test('four servers that meet in Redis', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  const nodes = await Promise.all(['a', 'b', 'c', 'd'].map(node => FleetNode.start(t, { apiKeys: [KEY], cluster: { redisUrl: redis.url, node, leaseSeconds: 2 } }, KEY)))
  const [a, b, c, d] = nodes as [FleetNode, FleetNode, FleetNode, FleetNode]
  t.afterEach(async () => {
    for (const node of nodes) await node.leave()
    await eventually(async () => kept(redis).length === 0 && (await a.directory()).size === 0)
  })

  /** A client with one turn behind it, both items of which are kept. */
  async function afterOneTurn (node: FleetNode, key = KEY): Promise<TestClient> {
    const client = await node.connect(key, '?resume=new')
    await client.ask('Hello')
    await eventually(async () => kept(redis).includes(2))
    return client
  }

  t.test('who comes to another server while the old connection looks alive, ends that one', async t => {
    const client = await afterOneTurn(a)
    const again = await b.connect(undefined, back(client))
    t.strictSame(await client.closed, { code: 1000, reason: 'session resumed on another connection' })
    t.strictSame(await words(again), ['Hello', 'You said: Hello'])
    await eventually(async () => [...(await a.directory()).values()].join() === 'b')
    t.equal(kept(redis).length, 1, 'nothing of the old one is left')
  })

  t.test('a Redis that was away, and came back empty, has every session again with its next item', async t => {
    const ended = await afterOneTurn(a)
    ended.socket.terminate()
    await eventually(async () => (await a.directory()).size === 0)
    const client = await a.connect(undefined, '?resume=new')
    await client.ask('One')
    await redis.stop()
    await eventually(async () => await a.status() === 'degraded')
    t.equal(await client.ask('Two'), 'You said: Two', 'nobody waits for it')
    t.match(await refusal(`${b.socketUrl}?resume=resume_x`, b.headers()), { status: 503, body: { error: { code: 'resume_unavailable' } } })
    await redis.resume()
    for (const node of nodes) await eventually(async () => await node.status() === 'ready')
    await client.ask('Three')
    await eventually(async () => kept(redis).length === 1)
    t.equal(redis.ask('ZRANGE', 'dramatis:sessions:a', '0', '-1'), idOf(client), 'and of those that ended before, nothing')
    client.socket.terminate()
    await client.closed
    await eventually(async () => (await b.directory()).size === 0)
    const again = await b.connect(undefined, back(client))
    t.strictSame((await words(again)).filter(text => !text.startsWith('You')), ['One', 'Two', 'Three'])
  })

  t.test('a finished item is one command, a session four beside them, its ephemeral key included, and nothing of it is in the clear but its words', async t => {
    const key = (await b.post('/v1/realtime/client_secrets')).body.value
    const commands = await watch(t, redis)
    const client = await a.connect(key, '?resume=new')
    for (let turn = 0; turn < 5; turn++) await client.ask('Hello')
    await client.update({ instructions: 'Be kind.' })
    await client.settle()
    client.socket.terminate()
    await client.closed
    await eventually(async () => (await a.directory()).size === 0)
    const seen = await commands()
    const own = seen.filter(line => /"(resume|secret)"/.test(line) || line.includes(idOf(client)))
    t.equal(own.filter(line => line.includes('"secret"')).length, 1)
    t.ok(own.length <= 10 + 4, own.join('\n'))
    for (const secret of [resumeOf(client).token, KEY, key]) t.notMatch(seen.join('\n'), secret)
    await a.connect(key, back(client))
  })

  t.test('a session of a server that died takes five commands to come back and to close, its ephemeral key included', async t => {
    const key = (await a.post('/v1/realtime/client_secrets')).body.value
    const client = await afterOneTurn(d, key)
    d.child.kill('SIGKILL')
    await client.closed
    await eventually(async () => redis.ask('PUBSUB', 'NUMSUB', 'dramatis:to:d').endsWith('0') && (await b.directory()).size === 0)
    const commands = await watch(t, redis)
    const again = await b.connect(key, back(client))
    t.strictSame(await words(again), ['Hello', 'You said: Hello'])
    again.socket.terminate()
    await again.closed
    await eventually(async () => (await b.directory()).size === 0)
    const own = (await commands()).filter(line => !/"dramatis" "1000" "" ""|"dramatis" "50" "" ""|"ECHO"|"2000" "[01]" "\d+"$/.test(line))
    t.equal(own.length, 5, own.join('\n'))
    await b.connect(undefined, back(again))
  })

  t.test('sessions of a server that is killed go on at the others, all of them', async t => {
    const clients = await Promise.all(Array.from({ length: 30 }, (_, index) => nodes[index % 3]!.connect(undefined, '?resume=new')))
    await Promise.all(clients.map(async (client, index) => {
      await client.update({ instructions: `Number ${index}.` })
      await client.ask(`I am ${index}`)
    }))
    // The end of an answer is written right behind it.
    await eventually(async () => kept(redis).every(items => items === 2))
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

  t.test('a server that drains sends its clients on, with the last that they said', async t => {
    const client = await a.connect(undefined, '?resume=new')
    await client.ask('Hello')
    await client.update({ instructions: 'Last words.' })
    await a.post('/v1/drain')
    t.match(await client.closed, { code: 1001 })
    const again = await b.connect(undefined, back(client))
    t.equal(again.of('session.created')[0]!.session.instructions, 'Last words.')
    t.strictSame(await words(again), ['Hello', 'You said: Hello'])
  })
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

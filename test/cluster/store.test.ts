import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { RemoteStore } from '../../lib/cluster/remote-store.js'
import { RedisStore } from '../../lib/cluster/redis-store.js'
import { packageRoot } from '../../lib/package-root.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import type { FromGuest, ToGuest } from '../support/store-host.js'
import { storeContract } from './contract.js'

t.test('in memory', async t => {
  storeContract(t, async t => {
    const store = new MemoryStore()
    t.teardown(() => store.end())
    return { store, other: store }
  })
})

t.test('in another process', async t => {
  const child = fork(join(packageRoot, 'test', 'support', 'store-host.ts'), { serialization: 'advanced' })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'message')
  const tell = (message: FromGuest) => child.send(message)
  const stores = new Map<string, RemoteStore>()
  child.on('message', ({ guest, reply }: ToGuest) => stores.get(guest)?.hear(reply))
  child.once('disconnect', () => { for (const store of stores.values()) store.lost() })
  let fleets = 0
  const enter = (t: Test, fleet: string) => {
    const guest = `guest-${stores.size}`
    const store = new RemoteStore(call => tell({ fleet, guest, call }), 2)
    stores.set(guest, store)
    t.teardown(() => store.end())
    return { store, leave: () => tell({ fleet, guest, gone: true }) }
  }
  const lease = { node: 'a', instance: 'first', leaseMs: 3_600_000, draining: false, limit: 10 }

  storeContract(t, async t => {
    const fleet = `fleet-${++fleets}`
    return { store: enter(t, fleet).store, other: enter(t, fleet).store }
  })

  t.test('what a process that ends has held is free at once, and it is sent nothing more', async t => {
    const [one, two] = [enter(t, 'ends'), enter(t, 'ends')]
    await one.store.join(lease, [{ id: 's1', places: ['key:k'] }])
    await one.store.listen('a', () => {})
    await two.store.join({ ...lease, node: 'b' }, [])
    one.leave()
    t.strictSame((await two.store.nodes(10)).data.map(({ name }) => name), ['b'])
    t.strictSame(await two.store.openSession({ node: 'b', instance: 'first' }, { id: 's2', places: [{ name: 'key:k', most: 1 }], rate: null }), { admitted: true })
    t.equal(await two.store.send(null, { type: 'anything' }), 0)
  })

  t.test('what the successor of a name has is not touched when the one before it ends', async t => {
    const [one, two] = [enter(t, 'follows'), enter(t, 'follows')]
    await one.store.join(lease, [])
    await two.store.join({ ...lease, instance: 'second' }, [{ id: 's1', places: [] }])
    one.leave()
    t.equal(await two.store.locate('s1'), 'a')
  })

  t.test('while the other process hangs nothing waits for it for longer than a second, and all is as before when it goes on', async t => {
    const { store } = enter(t, 'hangs')
    const heard: unknown[] = []
    child.kill('SIGSTOP')
    t.teardown(() => child.kill('SIGCONT'))
    await t.rejects(store.listen('a', message => heard.push(message)), { code: 'store_unavailable' })
    // The first has waited; from then on it is known.
    await t.rejects(store.put('secret', 'a', { v: '1' }, 60_000), { code: 'store_unavailable' })
    child.kill('SIGCONT')
    while (await store.get('secret', 'a').catch(() => 'hangs') === 'hangs') await new Promise(resolve => setImmediate(resolve))
    t.equal(await store.get('secret', 'a'), null, 'what was asked meanwhile was not even sent')
    const stop = await store.listen('a', message => heard.push(message))
    t.equal(await store.send('a', { type: 'once' }), 1, 'who gave up listening does not listen')
    while (heard.length === 0) await new Promise(resolve => setImmediate(resolve))
    await stop()
    t.strictSame(heard, [{ type: 'once' }])
  })

  t.test('when the other process is gone, everything is refused at once', async t => {
    const { store } = enter(t, 'gone')
    await store.get('secret', 'a')
    child.kill('SIGSTOP')
    const asked = store.get('secret', 'a')
    child.kill('SIGKILL')
    await t.rejects(asked, { code: 'store_unavailable', message: /gone/ })
    await t.rejects(store.get('secret', 'a'), { code: 'store_unavailable', message: /gone/ })
  })
})

t.test('in Redis', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  let fleets = 0
  const connect = async (t: Test, prefix: string) => {
    const store = new RedisStore({ url: redis.url, prefix })
    t.teardown(() => store.end())
    await store.start()
    return store
  }
  storeContract(t, async t => {
    const prefix = `fleet-${++fleets}`
    return { store: await connect(t, prefix), other: await connect(t, prefix) }
  })

  t.test('every key begins with the prefix and has an end', async t => {
    const keys = (script: string) => redis.ask('EVAL', `local found = {} for _, key in ipairs(redis.call('KEYS', '*')) do if ${script} then found[#found + 1] = key end end return found`, '0').split('\n')
    t.ok(keys('true').length > 20)
    t.strictSame(keys("not string.match(key, '^fleet%-%d+:')"), [''])
    t.strictSame(keys("redis.call('PTTL', key) == -1"), [''])
  })
})

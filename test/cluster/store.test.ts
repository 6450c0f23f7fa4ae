import t, { type Test } from 'tap'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { RedisStore } from '../../lib/cluster/redis-store.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { storeContract } from './contract.js'

t.test('in memory', async t => {
  storeContract(t, async t => {
    const store = new MemoryStore()
    t.teardown(() => store.end())
    return { store, other: store }
  })
})

t.test('in Redis', { skip: withoutRedis }, async t => {
  const redis = await RedisServer.start(t)
  let fleets = 0
  const connect = async (t: Test, prefix: string) => {
    const store = new RedisStore({ url: redis.url, prefix })
    t.teardown(() => store.end())
    await store.connect()
    return store
  }
  storeContract(t, async t => {
    const prefix = `fleet-${++fleets}`
    return { store: await connect(t, prefix), other: await connect(t, prefix) }
  })

  t.test('every key begins with the prefix and has an end', async t => {
    for (const key of redis.ask('KEYS', '*').split('\n')) {
      t.match(key, /^fleet-\d+:/)
      t.ok(Number(redis.ask('PTTL', key)) > 0, key)
    }
  })
})

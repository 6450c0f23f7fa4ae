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

import t from 'tap'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { storeContract } from './contract.js'

t.test('in memory', async t => {
  storeContract(t, async t => {
    const store = new MemoryStore()
    t.teardown(() => store.end())
    return { store, other: store }
  })
})

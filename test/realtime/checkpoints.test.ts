import t, { type Test } from 'tap'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { StoreError, type Fields } from '../../lib/cluster/store.js'
import { Conversation, type Entry } from '../../lib/realtime/conversation.js'
import { Checkpoints, type CheckpointsOptions } from '../../lib/realtime/resume/checkpoints.js'
import { FORMAT, readSnapshot, type SavedSession } from '../../lib/realtime/resume/snapshot.js'
import { defaultSettings } from '../../lib/realtime/settings.js'
import { until } from '../support/until.js'

const session: SavedSession = {
  format: FORMAT,
  id: 'sess_1',
  conversationId: 'conv_1',
  model: 'm',
  settings: defaultSettings,
  watching: false,
  temperature: null,
  selection: { character: null, plainVoice: null, chosen: false },
  cast: { from: 'default', version: '0' }
}
const message = (id: string, text = id): Entry => ({ item: { id, type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })

/** A conversation that is kept, and what is written of it. */
function keep (t: Test, options: Partial<CheckpointsOptions> = {}) {
  const store = new MemoryStore()
  t.teardown(() => store.end())
  const conversation = new Conversation({ audioBytes: 0, items: 1000, bytes: 1e9 })
  const written: Fields[] = []
  const removed: string[][] = []
  const outcomes: string[] = []
  const { put, patch } = store
  store.put = async (space, name, fields, ms, room) => {
    written.push(fields)
    return await put.call(store, space, name, fields, ms, room)
  }
  store.patch = async (space, name, change, ms) => {
    written.push(change.set!)
    removed.push(change.remove!)
    return await patch.call(store, space, name, change, ms)
  }
  const saved = { ...session }
  const checkpoints = new Checkpoints({ conversation, save: () => saved, leave: async () => {} }, {
    store, key: 'k', node: 'here', room: undefined, connectedMs: 60_000, keptMs: 1000, maxBytes: 1e6, observe: outcome => outcomes.push(outcome), closing: () => {}, ...options
  })
  conversation.watch(checkpoints)
  checkpoints.begin()
  return {
    conversation,
    checkpoints,
    written,
    removed,
    outcomes,
    store,
    say: (entry: Entry, after?: string) => {
      conversation.add(entry, after)
      conversation.finish(entry)
    },
    /** The items that would come back. */
    ids: async () => readSnapshot((await store.get('resume', 'k'))!)!.entries.map(({ item }) => item.id),
    /** So many commands have an outcome. */
    until: (count: number) => until(() => outcomes.length >= count)
  }
}

t.test('an item is written alone, in its turn', async t => {
  const { say, written, until, ids } = keep(t)
  await until(1)
  say(message('a'))
  await until(2)
  say(message('b'))
  await until(3)
  t.strictSame(written.map(fields => Object.keys(fields)), [['session', 'at'], ['item:a'], ['item:b']])
  t.strictSame(await ids(), ['a', 'b'])
})

t.test('items that are finished together are one command', async t => {
  const { say, written, until, ids } = keep(t)
  await until(1)
  for (const id of 'abcde') say(message(id))
  await until(2)
  t.strictSame(Object.keys(written[1]!), ['item:a', 'item:b', 'item:c', 'item:d', 'item:e'])
  t.strictSame(await ids(), ['a', 'b', 'c', 'd', 'e'])
})

t.test('items that are put between others, and those finished late, keep their places', async t => {
  const { conversation, say, until, ids } = keep(t)
  await until(1)
  const slow = message('slow')
  say(message('a'))
  conversation.add(slow)
  say(message('c'))
  await until(2)
  conversation.finish(slow)
  await until(3)
  say(message('first'), 'root')
  await until(4)
  t.strictSame(await ids(), ['first', 'a', 'slow', 'c'])
})

t.test('an item that is not finished is not written, but by the last one, which frees the record', async t => {
  const { conversation, checkpoints, say, until, ids, store } = keep(t)
  await until(1)
  conversation.add(message('open'))
  say(message('done'))
  await until(2)
  t.strictSame(await ids(), ['done'])
  t.equal((await store.get('resume', 'k'))!.at, 'here')
  await checkpoints.close(true)
  t.strictSame(await ids(), ['open', 'done'])
  t.notOk('at' in (await store.get('resume', 'k'))!)
})

t.test('what is deleted is gone from the record with the next item, also if it is made again', async t => {
  const { conversation, say, written, removed, until, ids } = keep(t)
  for (const id of 'abc') say(message(id))
  await until(1)
  conversation.delete('a')
  conversation.delete('b')
  say(message('a', 'anew'))
  await until(2)
  t.strictSame(Object.keys(written[1]!), ['item:a'])
  t.strictSame(removed, [['item:b']])
  t.strictSame(await ids(), ['c', 'a'])
})

t.test('over the bound the oldest are left out, each time', async t => {
  const { checkpoints, say, until, ids } = keep(t, { maxBytes: 1000 })
  for (let count = 0; count < 30; count++) {
    say(message(`i${count}`, 'x'.repeat(100)))
    await until(count + 1)
  }
  await checkpoints.close(true)
  const kept = await ids()
  t.ok(kept.length > 2 && kept.length < 7, `${kept.length} are kept`)
  t.strictSame(kept, Array.from(kept, (id, index) => `i${30 - kept.length + index}`))
})

t.test('a store that fails, and one that has forgotten, are made good by the next item', async t => {
  const { say, outcomes, until, ids, store } = keep(t)
  await until(1)
  say(message('a'))
  await until(2)
  const { put, patch } = store
  store.put = store.patch = async () => { throw new StoreError('down') }
  say(message('b'))
  await until(3)
  t.equal(outcomes[2], 'failed')
  Object.assign(store, { put, patch })
  await store.delete('resume', 'k')
  say(message('c'))
  await until(4)
  t.strictSame(await ids(), ['a', 'b', 'c'])
  await store.delete('resume', 'k')
  say(message('d'))
  await until(5)
  t.strictSame(await ids(), ['a', 'b', 'c', 'd'])
})

t.test('what was taken is not brought back by who still writes', async t => {
  const { checkpoints, say, until, store } = keep(t)
  await until(1)
  t.ok(await store.take('resume', 'k'))
  say(message('a'))
  await checkpoints.close(true)
  t.equal(await store.take('resume', 'k'), null)
  const other = keep(t)
  await other.until(1)
  other.checkpoints.abandon()
  await other.store.delete('resume', 'k')
  other.say(message('a'))
  await other.checkpoints.close(true)
  t.equal(await other.store.take('resume', 'k'), null)
})

t.test('what is not to be kept is deleted, after what was being written', async t => {
  const { checkpoints, say, ids } = keep(t)
  say(message('a'))
  await checkpoints.close(false)
  await t.rejects(ids())
})

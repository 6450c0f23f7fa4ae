import { setTimeout as wait } from 'node:timers/promises'
import type { Test } from 'tap'
import { VALUE_BYTES, type Message, type NodeState, type Store, type Write } from '../../lib/cluster/store.js'

/** What every store must do. `make` gives a store of its own, and a second one that shares what the first has. */
export function storeContract (t: Test, make: (t: Test) => Promise<{ store: Store, other: Store }>): void {
  const node = (name: string, more: Partial<NodeState> = {}): NodeState => ({ node: name, instance: 'first', leaseMs: 60_000, draining: false, limit: 100, ...more })
  const place = (name: string, most: number | null) => ({ name, most })

  t.test('a value is there for others until it is deleted', async t => {
    const { store, other } = await make(t)
    t.equal(await store.put('secret', 'a', { configuration: '{"x":"é"}', key: '' }, 60_000), 'kept')
    t.strictSame(await other.get('secret', 'a'), { configuration: '{"x":"é"}', key: '' })
    t.equal(await other.get('resume', 'a'), null)
    t.equal(await other.delete('secret', 'a'), true)
    t.equal(await store.delete('secret', 'a'), false)
    t.equal(await store.get('secret', 'a'), null)
  })

  t.test('a value is gone when its time is over', async t => {
    const { store } = await make(t)
    await store.put('secret', 'a', { v: '1' }, 50)
    while (await store.get('secret', 'a') !== null) await wait(5)
    t.equal(await store.patch('secret', 'a', { set: { v: '2' } }, 60_000), 'gone')
    t.equal(await store.take('secret', 'a'), null)
  })

  t.test('of many who take a value, one gets it', async t => {
    const { store, other } = await make(t)
    await store.put('resume', 'a', { v: '1' }, 60_000)
    const taken = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? store : other).take('resume', 'a')))
    t.strictSame(taken.filter(value => value !== null), [{ v: '1' }])
  })

  t.test('who takes a value learns which node holds it only if that one listens', async t => {
    const { store, other } = await make(t)
    const value = { at: 'a', v: '1' }
    await store.put('resume', 'a', value, 60_000)
    t.strictSame(await other.take('resume', 'a', 'at'), { v: '1' })
    const stop = await store.listen('a', () => {})
    await store.put('resume', 'a', value, 60_000)
    t.strictSame(await other.take('resume', 'a', 'at'), value)
    await store.put('resume', 'a', { v: '1' }, 60_000)
    t.strictSame(await other.take('resume', 'a', 'at'), { v: '1' }, 'nobody holds it')
    await stop()
    await store.put('resume', 'a', value, 60_000)
    t.strictSame(await other.take('resume', 'a', 'at'), { v: '1' })
  })

  t.test('a patch changes fields, and brings back nothing that was taken', async t => {
    const { store, other } = await make(t)
    await store.put('resume', 'a', { session: '{}', one: '1', two: '2' }, 60_000)
    t.equal(await other.patch('resume', 'a', { set: { three: '3', session: '{"a":1}' }, remove: ['one', 'never'] }, 60_000), 'kept')
    t.strictSame(await store.get('resume', 'a'), { session: '{"a":1}', two: '2', three: '3' })
    await store.take('resume', 'a')
    t.equal(await other.patch('resume', 'a', { set: { four: '4' } }, 60_000), 'gone')
    t.equal(await store.get('resume', 'a'), null)
  })

  t.test('a patch says how long a value lives from then on, also one that is without fields', async t => {
    const { store } = await make(t)
    await store.put('resume', 'a', { v: '1' }, 60_000)
    t.equal(await store.patch('resume', 'a', { remove: ['v'] }, 60_000), 'kept')
    t.strictSame(await store.get('resume', 'a'), {})
    t.equal(await store.patch('resume', 'a', { set: { v: '2' } }, 50), 'kept')
    while (await store.get('resume', 'a') !== null) await wait(5)
  })

  t.test('a value has so many bytes, put or patched', async t => {
    const { store } = await make(t)
    t.equal(await store.put('resume', 'a', { v: 'x'.repeat(VALUE_BYTES) }, 60_000), 'full')
    t.equal(await store.put('resume', 'a', { v: 'é'.repeat((VALUE_BYTES - 1) / 2 | 0) }, 60_000), 'kept')
    t.equal(await store.patch('resume', 'a', { set: { w: 'xxx' } }, 60_000), 'full')
    t.equal((await store.get('resume', 'a'))!.w, undefined)
    t.equal(await store.patch('resume', 'a', { set: { w: 'xxx' }, remove: ['v'] }, 60_000), 'kept')
    t.strictSame(await store.get('resume', 'a'), { w: 'xxx' })
  })

  t.test('a space holds so many values, and so many bytes of them', async t => {
    const { store, other } = await make(t)
    const room = { entries: 2, bytes: 100 }
    t.equal(await store.put('secret', 'a', { v: 'x'.repeat(49) }, 60_000, room), 'kept')
    t.equal(await store.put('secret', 'a', { v: 'y'.repeat(49) }, 60_000, room), 'kept', 'in place of itself')
    t.equal(await other.put('secret', 'b', { v: 'x'.repeat(50) }, 60_000, room), 'full', 'bytes')
    t.equal(await other.put('secret', 'b', { v: '1' }, 60_000, room), 'kept')
    t.equal(await store.put('secret', 'c', { v: '1' }, 60_000, room), 'full', 'entries')
    t.equal(await store.put('resume', 'c', { v: '1' }, 60_000, room), 'kept', 'another space')
    await store.delete('secret', 'a')
    t.equal(await store.put('secret', 'c', { v: 'x'.repeat(97) }, 60, room), 'kept')
    t.equal(await store.put('secret', 'd', { v: '1' }, 60_000, room), 'full')
    while (await store.get('secret', 'c') !== null) await wait(5)
    t.equal(await other.put('secret', 'd', { v: 'x'.repeat(97) }, 60_000, room), 'kept', 'what expired makes room')
  })

  t.test('a rate lets so many through over all nodes, and says when to come back', async t => {
    const { store, other } = await make(t)
    const rate = { name: 'key:a', perMinute: 3 }
    t.strictSame([await store.count(rate), await other.count(rate), await store.count(rate)], [0, 0, 0])
    const seconds = await other.count(rate)
    t.ok(seconds > 10 && seconds <= 20, `${seconds} s`)
    t.equal(await store.count({ name: 'key:b', perMinute: 1 }), 0)
  })

  t.test('a rate fills again with time', async t => {
    const { store } = await make(t)
    const rate = { name: 'key:a', perMinute: 600 }
    for (let n = 0; n < 600; n++) await store.count(rate)
    while (await store.count(rate) === 0);
    while (await store.count(rate) !== 0) await wait(5)
  })

  t.test('sessions are admitted up to the places there are, and give them back', async t => {
    const { store, other } = await make(t)
    await store.join(node('a'), [])
    await other.join(node('b'), [])
    const open = (store: Store, name: string, id: string) => store.openSession(node(name), { id, places: [place('key:k', 2), place('address:1', null)], rate: null })
    t.strictSame(await open(store, 'a', 's1'), { admitted: true })
    t.strictSame(await open(other, 'b', 's2'), { admitted: true })
    t.strictSame(await open(store, 'a', 's3'), { admitted: false, because: 'place', place: 'key:k', most: 2 })
    t.strictSame(await store.openSession(node('a'), { id: 's4', places: [place('address:1', 2)], rate: null }), { admitted: false, because: 'place', place: 'address:1', most: 2 })
    await other.closeSession(node('b'), { id: 's2', places: ['key:k', 'address:1'] })
    await other.closeSession(node('b'), { id: 's2', places: ['key:k', 'address:1'] })
    t.strictSame(await open(store, 'a', 's3'), { admitted: true })
    t.match(await open(store, 'b', 's5'), { admitted: false })
    t.strictSame((await store.sessions(10)).data.map(({ id }) => id), ['s1', 's3'])
  })

  t.test('racing sessions get exactly the places there are', async t => {
    const { store, other } = await make(t)
    await store.join(node('a'), [])
    await other.join(node('b'), [])
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => {
      const [through, name] = index % 2 === 0 ? [store, 'a'] as const : [other, 'b'] as const
      return through.openSession(node(name), { id: `s${index}`, places: [place('key:k', 50)], rate: null })
    }))
    t.equal(answers.filter(({ admitted }) => admitted).length, 50)
  })

  t.test('what a session leaves is written in the step that gives its place back', async t => {
    const { store, other } = await make(t)
    await store.join(node('a'), [{ id: 's1', places: ['key:k'] }, { id: 's2', places: ['key:k'] }, { id: 's3', places: ['key:k'] }])
    const close = (id: string, last: Write) => store.closeSession(node('a'), { id, places: ['key:k'] }, last)
    const room = { entries: 1, bytes: 1000 }
    t.equal(await close('s1', { space: 'resume', name: 'a', put: { v: '1', w: '1' }, ttlMs: 60_000, room }), 'kept')
    t.equal(await close('s2', { space: 'resume', name: 'a', patch: { set: { v: '2' }, remove: ['w'] }, ttlMs: 60_000 }), 'kept')
    t.strictSame(await other.get('resume', 'a'), { v: '2' })
    t.equal(await close('s3', { space: 'resume', name: 'b', put: { v: '1' }, ttlMs: 60_000, room }), 'full')
    t.strictSame((await other.sessions(10)).data, [])
    t.match(await other.openSession(node('a'), { id: 's4', places: [place('key:k', 1)], rate: null }), { admitted: true })
    // Whoever is not there any more still leaves something.
    t.equal(await close('s1', { space: 'resume', name: 'a', delete: true }), 'kept')
    t.equal(await close('s1', { space: 'resume', name: 'a', delete: true }), 'gone')
    t.equal(await close('s1', { space: 'resume', name: 'a', patch: {}, ttlMs: 60_000 }), 'gone')
    const long = 'x'.repeat(VALUE_BYTES)
    t.equal(await close('s1', { space: 'resume', name: 'a', put: { long }, ttlMs: 60_000 }), 'full')
    t.equal(await close('s4', { space: 'resume', name: 'a', patch: { set: { long } }, ttlMs: 60_000 }), 'gone')
    t.equal(await other.locate('s4'), null)
    t.equal(await store.closeSession(node('a'), { id: 's1', places: [] }), null)
  })

  t.test('opening counts the rate, also where there is no place', async t => {
    const { store } = await make(t)
    await store.join(node('a'), [])
    const open = (id: string, most: number) => store.openSession(node('a'), { id, places: [place('key:k', most)], rate: { name: 'key:k', perMinute: 2 } })
    t.match(await open('s1', 1), { admitted: true })
    t.match(await open('s2', 1), { admitted: false, because: 'place' })
    const refused = await open('s3', 5)
    t.match(refused, { admitted: false, because: 'rate' })
    t.ok('seconds' in refused && refused.seconds > 0 && refused.seconds <= 30)
    t.equal(await store.count({ name: 'key:k', perMinute: 2 }) > 0, true)
  })

  t.test('a node that is silent for its lease leaves nothing', async t => {
    const { store, other } = await make(t)
    await store.join(node('dead', { leaseMs: 150 }), [])
    await other.join(node('live'), [])
    await store.openSession(node('dead'), { id: 's1', places: [place('key:k', 1)], rate: null })
    t.match(await other.openSession(node('live'), { id: 's2', places: [place('key:k', 1)], rate: null }), { admitted: false })
    while ((await other.sessions(10)).data.length > 0) await wait(5)
    t.equal(await other.locate('s1'), null)
    t.strictSame((await other.nodes(10)).data.map(({ name }) => name), ['live'])
    t.strictSame(await other.openSession(node('live'), { id: 's2', places: [place('key:k', 1)], rate: null }), { admitted: true })
    t.equal(await store.beat(node('dead')), 'lost')
    t.strictSame(await store.openSession(node('dead'), { id: 's3', places: [], rate: null }), { admitted: false, because: 'lease' })
    await store.closeSession(node('dead'), { id: 's1', places: ['key:k'] })
    t.match(await other.openSession(node('live'), { id: 's4', places: [place('key:k', 1)], rate: null }), { admitted: false }, 'who is not listed gives nothing back')
  })

  t.test('a node that beats keeps its lease', async t => {
    const { store } = await make(t)
    const state = node('a', { leaseMs: 1000 })
    await store.join(state, [{ id: 's1', places: ['key:k'] }])
    for (let n = 0; n < 30; n++) {
      t.equal(await store.beat(state), 'held')
      await wait(50)
    }
    t.equal(await store.locate('s1'), 'a')
  })

  t.test('joining again leaves exactly the sessions that it brings', async t => {
    const { store, other } = await make(t)
    await store.join(node('a'), [])
    await store.openSession(node('a'), { id: 'old', places: [place('key:k', 2)], rate: null })
    await other.join(node('a', { instance: 'second' }), [{ id: 'new', places: ['key:k', 'address:1'] }])
    t.strictSame((await store.sessions(10)).data.map(({ id }) => id), ['new'])
    t.equal(await store.beat(node('a')), 'taken')
    t.match(await store.openSession(node('a'), { id: 'late', places: [], rate: null }), { because: 'lease' })
    await store.leave(node('a'))
    t.equal(await other.beat(node('a', { instance: 'second' })), 'held')
    const open = (id: string) => other.openSession(node('a', { instance: 'second' }), { id, places: [place('key:k', 2)], rate: null })
    t.match(await open('s2'), { admitted: true })
    t.match(await open('s3'), { admitted: false })
    await other.leave(node('a', { instance: 'second' }))
    t.strictSame(await store.sessions(10), { data: [], next: null })
    await store.join(node('b'), [])
    t.match(await store.openSession(node('b'), { id: 's4', places: [place('key:k', 1)], rate: null }), { admitted: true })
  })

  t.test('nodes tell of themselves, page by page', async t => {
    const { store, other } = await make(t)
    for (const name of ['b', 'c', 'a']) await store.join(node(name), [])
    await store.beat(node('b', { draining: true, limit: 7 }))
    await store.openSession(node('c'), { id: 's1', places: [], rate: null })
    const first = await other.nodes(2)
    t.match(first.data, [{ name: 'a', draining: false, limit: 100, sessions: 0 }, { name: 'b', draining: true, limit: 7, sessions: 0 }])
    t.ok(first.data.every(({ silentMs }) => silentMs >= 0 && silentMs < 30_000))
    const second = await other.nodes(2, first.next!)
    t.match(second, { data: [{ name: 'c', sessions: 1 }], next: null })
  })

  t.test('the directory is read page by page, though what is in it changes', async t => {
    const { store, other } = await make(t)
    for (const name of ['b', 'a']) {
      await store.join(node(name), [])
      for (let n = 1; n <= 5; n++) await store.openSession(node(name), { id: `${name}${n}`, places: [], rate: null })
    }
    const first = await other.sessions(4)
    t.strictSame(first.data.map(({ id, node }) => [id, node]), [['a1', 'a'], ['a2', 'a'], ['a3', 'a'], ['a4', 'a']])
    await store.closeSession(node('a'), { id: 'a4', places: [] })
    await store.openSession(node('a'), { id: 'a6', places: [], rate: null })
    const second = await other.sessions(4, first.next!)
    t.strictSame(second.data.map(({ id }) => id), ['a5', 'a6', 'b1', 'b2'])
    const third = await other.sessions(3, second.next!)
    t.strictSame(third.data.map(({ id }) => id), ['b3', 'b4', 'b5'])
    t.equal(third.next, null)
    t.ok(third.data.every(({ ageMs }) => ageMs >= 0 && ageMs < 60_000))
    t.strictSame([await other.locate('a5'), await other.locate('b1'), await other.locate('a4')], ['a', 'b', null])
    await store.leave(node('a'))
    t.strictSame((await other.sessions(4, first.next!)).data.map(({ id }) => id), ['b1', 'b2', 'b3', 'b4'], 'the node of the page is gone')
  })

  t.test('a node hears what is sent to it and to all, and nothing else', async t => {
    const { store, other } = await make(t)
    const heard = { a: [] as Message[], b: [] as Message[] }
    let changed = () => {}
    const stop = await store.listen('a', message => { heard.a.push(message); changed() })
    await other.listen('b', message => { heard.b.push(message); changed() })
    t.equal(await store.send('b', { type: 'close', id: 's1' }), 1)
    t.equal(await other.send('nobody', { type: 'close', id: 's1' }), 0)
    t.equal(await other.send(null, { type: 'reload', root: 'team', nested: { é: [1] } }), 2)
    while (heard.a.length < 1 || heard.b.length < 2) await new Promise<void>(resolve => { changed = resolve })
    t.strictSame(heard.b.map(({ type }) => type), ['close', 'reload'])
    t.strictSame(heard.a, [{ type: 'reload', root: 'team', nested: { é: [1] } }])
    await stop()
    t.equal(await other.send(null, { type: 'last' }), 1)
  })

  t.test('after its end, a store refuses', async t => {
    const { store, other } = await make(t)
    await store.end()
    await t.rejects(store.get('secret', 'a'), { name: 'StoreError', code: 'store_unavailable' })
    if (other !== store) t.equal(await other.get('secret', 'a'), null)
  })
}

import t, { type Test } from 'tap'
import { EngineThread } from '../../lib/engines/local/engine-thread.js'
import { packageFile } from '../../lib/engines/local/files.js'
import type { ThreadStream } from '../../lib/engines/local/thread-stream.js'
import { threadUrl } from '../../lib/thread.js'

const entry = threadUrl(import.meta.url, '../support/echo-worker')
const { signal } = new AbortController()

/** Shared by the tests that leave it sound, as a thread takes a second to start from source. */
const thread = new EngineThread<string>('Echo', entry, {})
t.teardown(() => thread.close())

function createThread (t: Test, options: unknown = {}): EngineThread<string> {
  const thread = new EngineThread<string>('Echo', entry, options)
  t.teardown(() => thread.close())
  return thread
}

async function rest<T> (stream: ThreadStream<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of stream.output) values.push(value)
  return values
}

t.test('it tells what the worker tells once loaded', async (t) => {
  t.equal(await thread.start(), 'loaded')
})

t.test('streams give back their own values in order', async (t) => {
  const [one, other] = [thread.open<string>('a', signal), thread.open<string>('b', signal)]
  for (const value of ['1', '2', '3']) {
    one.send(value)
    other.send(value)
  }
  t.equal(thread.load, 2)
  one.end()
  other.end()
  t.same(await rest(one), ['a1', 'a2', 'a3'])
  t.same(await rest(other), ['b1', 'b2', 'b3'])
  t.equal(thread.load, 0)
})

t.test('a throw in the worker fails that stream alone', async (t) => {
  const [one, other] = [thread.open<string>('a', signal), thread.open<string>('b', signal)]
  one.send('throw')
  await t.rejects(rest(one), { name: 'EngineError', code: 'engine_failed', message: 'Echo: thrown on request' })
  other.send('1')
  other.end()
  t.same(await rest(other), ['b1'])
})

for (const crash of ['exit', 'uncaught']) {
  t.test(`when the worker dies (${crash}) its streams fail and the next one works`, async (t) => {
    const [one, other] = [thread.open<string>('a', signal), thread.open<string>('b', signal)]
    const failures = Promise.all([one, other].map((stream) => t.rejects(rest(stream), { name: 'EngineError', code: 'engine_failed' })))
    one.send(crash)
    await failures
    t.equal(thread.load, 0)
    const next = thread.open<string>('c', signal)
    next.send('1')
    next.end()
    t.same(await rest(next), ['c1'])
  })
}

t.test('the worker is told of an abort', async (t) => {
  const aborting = new AbortController()
  const watcher = thread.open<string>('aborts', signal)
  thread.open<string>('a', aborting.signal)
  aborting.abort()
  const { value } = await watcher.output[Symbol.asyncIterator]().next()
  t.equal(value, 'aborted a')
})

t.test('a fault while loading is the error of start', async (t) => {
  const thread = createThread(t, { fault: 'no such model\nwith a stack' })
  await t.rejects(thread.start(), { name: 'EngineError', code: 'engine_unavailable', message: 'Echo: no such model' })
})

t.test('a package that is not installed is named', async (t) => {
  const thread = createThread(t, { missing: 'no-such-package' })
  await t.rejects(thread.start(), { message: 'Echo: the package no-such-package is not installed (npm install no-such-package)' })
  t.throws(() => packageFile('no-such-package'), { message: 'the package no-such-package is not installed (npm install no-such-package)' })
})

t.test('closing fails open streams, and later ones', async (t) => {
  const thread = createThread(t)
  const stream = thread.open<string>('a', signal)
  const failure = t.rejects(rest(stream), { message: 'Echo: is closed' })
  await thread.close()
  await failure
  await t.rejects(rest(thread.open('b', signal)), { message: 'Echo: is closed' })
  await t.rejects(thread.start(), { message: 'Echo: is closed' })
})

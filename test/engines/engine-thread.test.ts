import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Channel } from '../../lib/channel.js'
import { EngineThread } from '../../lib/engines/local/engine-thread.js'
import { packageFile } from '../../lib/engines/local/files.js'
import { missingPackage } from '../../lib/engines/local/rpc.js'
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

t.test('a worker is given four seconds of audio more than it is done with, and the rest as it goes on', async (t) => {
  const stream = thread.open<string>('hoards', signal)
  let taken = 0
  stream.feedAudio((async function * () {
    for (let second = 0; second < 60; second += 2) {
      taken += 2
      yield new Int16Array(48_000)
    }
  })())
  const output = stream.output[Symbol.asyncIterator]()
  let total = 0
  const hear = async (samples: number) => { while (total < samples) total = Number((await output.next()).value) }
  await hear(96_000)
  const other = thread.open<string>('a', signal)
  other.send('1')
  other.end()
  await rest(other)
  t.equal(stream.output.size, 0, 'nothing more was given')
  t.equal(stream.ahead, 96_000)
  t.ok(taken <= 6, `${taken} s were read from the input`)
  stream.send('take')
  await hear(60 * 24_000)
  t.equal((await output.next()).done, true)
})

for (const end of ['abort', 'exit']) {
  t.test(`input that waits for the worker is released when the stream ends (${end})`, async (t) => {
    const aborting = new AbortController()
    const stream = thread.open<string>('hoards', aborting.signal)
    let release = () => {}
    const released = new Promise<void>(resolve => { release = resolve })
    const audio = new Channel<Int16Array>(() => release())
    for (let second = 0; second < 10; second++) audio.push(new Int16Array(24_000))
    stream.feedAudio(audio)
    const output = stream.output[Symbol.asyncIterator]()
    for (let total = 0; total < 96_000;) total = Number((await output.next()).value)
    if (end === 'exit') stream.send('exit')
    else aborting.abort(new Error('aborted'))
    await t.rejects(output.next())
    await released
  })
}

t.test('a fault while loading is the error of start', async (t) => {
  const thread = createThread(t, { fault: 'no such model\nwith a stack' })
  await t.rejects(thread.start(), { name: 'EngineError', code: 'engine_unavailable', message: 'Echo: no such model' })
})

t.test('a package that is not installed is named', async (t) => {
  const thread = createThread(t, { missing: 'no-such-package' })
  await t.rejects(thread.start(), { message: 'Echo: the package no-such-package is not installed (npm install no-such-package)' })
  t.throws(() => packageFile('no-such-package'), { message: 'the package no-such-package is not installed (npm install no-such-package)' })
  const docs = readFileSync(new URL('../../docs/engines-local.md', import.meta.url), 'utf8')
  const all = /^npm install [^]*?[^\\]$/m.exec(docs)![0].replace(/ \\\n +/g, ' ')
  t.equal(missingPackage('sherpa-onnx-node'), `the package sherpa-onnx-node is not installed; docs/engines-local.md says what to put into package.json first, then: ${all}`)
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

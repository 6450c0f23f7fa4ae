import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { serialize } from 'node:v8'
import t, { type Test } from 'tap'
import { Channel } from '../../lib/channel.js'
import { inThread, type OpenChannel } from '../../lib/engines/local/engine-channel.js'
import { EngineThread } from '../../lib/engines/local/engine-thread.js'
import { packageFile } from '../../lib/engines/local/files.js'
import { missingPackage } from '../../lib/engines/local/rpc.js'
import { remoteEngines } from '../../lib/engines/local/remote-engines.js'
import type { ThreadStream } from '../../lib/engines/local/thread-stream.js'
import { threadUrl } from '../../lib/thread.js'
import { startEngineHost } from '../support/engine-host.js'
import { until } from '../support/until.js'

const entry = threadUrl(import.meta.url, '../support/echo-worker')
const { signal } = new AbortController()

async function rest<T> (stream: ThreadStream<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of stream.output) values.push(value)
  return values
}

/** What holds wherever the thread is. */
function suite (t: Test, open: (options: object) => OpenChannel): void {
  /** Shared by the tests that leave it sound, as a thread takes a second to start from source. */
  const thread = new EngineThread<string>('Echo', open({}))
  t.teardown(() => thread.close())

  function createThread (t: Test, options: object = {}): EngineThread<string> {
    const thread = new EngineThread<string>('Echo', open(options))
    t.teardown(() => thread.close())
    return thread
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
}

t.test('in this process', async t => suite(t, options => inThread(entry, options)))

t.test('in the engine process', async t => {
  const { path } = await startEngineHost(t, { vad: entry })
  suite(t, options => remoteEngines(path)('vad', options, 1))
})

t.test('those who ask for the same engine share its threads, of which the second starts when the first is busy', async t => {
  const { host, path } = await startEngineHost(t, { vad: entry, stt: entry })
  const create = (engine: 'vad' | 'stt', options: object, threads: number): EngineThread<string> => {
    const thread = new EngineThread<string>('Echo', remoteEngines(path)(engine, options, threads))
    t.teardown(() => thread.close())
    return thread
  }
  const [one, other] = [create('vad', {}, 2), create('vad', {}, 2)]
  await Promise.all([one.start(), other.start()])
  t.equal(host.threads, 1)
  const streams = [one.open<string>('a', signal), other.open<string>('b', signal), one.open<string>('c', signal)]
  for (const stream of streams) {
    stream.send('1')
    stream.end()
  }
  t.same(await Promise.all(streams.map(rest)), [['a1'], ['b1'], ['c1']], 'and each stream is its own')
  t.equal(host.threads, 2)
  await Promise.all([create('vad', { other: true }, 2).start(), create('stt', {}, 2).start()])
  t.equal(host.threads, 4)
})

t.test('when a connection ends, its streams are given up and no others', async t => {
  const { host, path } = await startEngineHost(t, { vad: entry })
  const [leaving, staying] = [1, 2].map(() => new EngineThread<string>('Echo', remoteEngines(path)('vad', {}, 1)))
  t.teardown(() => staying!.close())
  const watcher = staying!.open<string>('aborts', signal)
  await Promise.all([leaving!.start(), staying!.start()])
  const failure = t.rejects(rest(leaving!.open('a', signal)), { message: 'Echo: is closed' })
  await until(() => host.streams === 2)
  await leaving!.close()
  await failure
  t.equal((await watcher.output[Symbol.asyncIterator]().next()).value, 'aborted a')
  t.equal(host.streams, 1)
})

t.test('when the engine process is gone its streams fail, and the next one waits for another', async t => {
  const { host, path } = await startEngineHost(t, { vad: entry })
  const thread = new EngineThread<string>('Echo', remoteEngines(path)('vad', {}, 1))
  t.teardown(() => thread.close())
  await thread.start()
  const failure = t.rejects(rest(thread.open('a', signal)), { code: 'engine_failed', message: 'Echo: the engine process ended' })
  await until(() => host.streams === 1)
  await host.close()
  await failure
  const next = thread.open<string>('b', signal)
  next.send('1')
  next.end()
  t.same(await rest(next), ['b1'])
})

t.test('a connection that asks for what there is not, or sends no frames, is cut', async t => {
  const { host, path } = await startEngineHost(t, { vad: entry })
  const frame = (body: Buffer): Buffer => Buffer.concat([Buffer.from(new Uint32Array([body.length]).buffer), body])
  for (const bytes of [frame(serialize({ engine: 'constructor', options: {}, threads: 1 })), frame(Buffer.from('no frame')), Buffer.alloc(8, 0xff)]) {
    const socket = connect(path)
    socket.write(bytes)
    await once(socket.resume(), 'close')
  }
  t.equal(host.threads, 0)
})

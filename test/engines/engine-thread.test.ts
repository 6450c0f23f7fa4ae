import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { serialize } from 'node:v8'
import { buildSync } from 'esbuild'
import t, { type Test } from 'tap'
import { Channel } from '../../lib/channel.js'
import { inThread, type OpenChannel } from '../../lib/engines/local/engine-channel.js'
import { EngineThread } from '../../lib/engines/local/engine-thread.js'
import { packageFile } from '../../lib/engines/local/files.js'
import { missingPackage } from '../../lib/engines/local/rpc.js'
import { remoteEngines } from '../../lib/engines/local/remote-engines.js'
import type { ThreadStream } from '../../lib/engines/local/thread-stream.js'
import { startEngineHost } from '../support/engine-host.js'
import { until } from '../support/until.js'

/** The worker in one plain file: with the loader that its source needs, each of some thirty threads takes a second more to start. */
const file = join(t.testdir(), 'echo-worker.mjs')
buildSync({ entryPoints: [fileURLToPath(new URL('../support/echo-worker.ts', import.meta.url))], bundle: true, platform: 'node', format: 'esm', outfile: file })
const openEcho = (options: object, patienceMs?: number): OpenChannel =>
  inThread(pathToFileURL(file), options, { execArgv: [], ...patienceMs === undefined ? {} : { patienceMs } })
const hosted = (_engine: string, options: object): OpenChannel => openEcho(options)
const { signal } = new AbortController()

async function rest<T> (stream: ThreadStream<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of stream.output) values.push(value)
  return values
}

/** What holds wherever the thread is. */
function suite (t: Test, open: (options: object) => OpenChannel, crashes: string[]): void {
  /** Shared by the tests that leave it sound. */
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

  for (const crash of crashes) {
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

  t.test('a worker that dies while it loads is unavailable, to who started it and to who waits for it', async (t) => {
    const thread = createThread(t, { exitIf: file })
    await Promise.all([thread.start(), rest(thread.open('a', signal))].map((waiting: Promise<unknown>) =>
      t.rejects(waiting, { name: 'EngineError', code: 'engine_unavailable', message: 'Echo: the worker ended with code 3' })))
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

t.test('in this process', async t => suite(t, options => openEcho(options, 600), ['exit', 'uncaught', 'hang']))

t.test('in the engine process', async t => {
  const { path } = await startEngineHost(t, hosted)
  suite(t, options => remoteEngines(path)('vad', options, 1), ['exit', 'uncaught'])
})

t.test('those who ask for the same engine share its threads, of which the second starts when the first is busy', async t => {
  const { host, path } = await startEngineHost(t, hosted)
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

t.test('a worker that answers is kept, however long it has nothing to do', async t => {
  let answers = 0
  await new Promise<void>((resolve, reject) => {
    const channel = openEcho({}, 600)('Echo', {
      onMessages: messages => {
        answers += messages.filter(({ op }) => op === 'count').length
        if (answers === 3) resolve()
      },
      onLost: message => reject(new Error(message)),
      onExit: () => {}
    })
    t.teardown(() => channel.terminate())
  })
})

t.test('one of several threads that dies is unavailable to its streams if it was still loading, else it failed, and the others go on', async t => {
  const { path } = await startEngineHost(t, hosted)
  const exitIf = join(t.testdir(), 'broken')
  const thread = new EngineThread<string>('Echo', remoteEngines(path)('vad', { exitIf }, 2))
  t.teardown(() => thread.close())
  await thread.start()
  writeFileSync(exitIf, '')
  const [one, other] = [thread.open<string>('a', signal), thread.open<string>('b', signal)]
  await t.rejects(rest(other), { code: 'engine_unavailable', message: 'Echo: the worker ended with code 3' })
  rmSync(exitIf)
  const next = thread.open<string>('c', signal)
  const output = next.output[Symbol.asyncIterator]()
  next.send('1')
  await output.next()
  next.send('exit')
  await t.rejects(output.next(), { code: 'engine_failed', message: 'Echo: the worker ended with code 3' })
  one.send('1')
  one.end()
  t.same(await rest(one), ['a1'])
})

t.test('when a connection ends, or its process is killed, its streams are given up and no others', async t => {
  const { host, path } = await startEngineHost(t, hosted)
  const [leaving, staying] = [1, 2].map(() => new EngineThread<string>('Echo', remoteEngines(path)('vad', {}, 1)))
  t.teardown(() => staying!.close())
  const watcher = staying!.open<string>('aborts', signal)
  await Promise.all([leaving!.start(), staying!.start()])
  const failure = t.rejects(rest(leaving!.open('a', signal)), { message: 'Echo: is closed' })
  await until(() => host.streams === 2)
  await leaving!.close()
  await failure
  const aborts = watcher.output[Symbol.asyncIterator]()
  t.equal((await aborts.next()).value, 'aborted a')
  t.equal(host.streams, 1)

  // Says no more than a session process does, and without the time that one takes to start.
  const child = spawn(process.execPath, ['-e', `
    const { serialize } = require('node:v8')
    const socket = require('node:net').connect(process.argv[1])
    for (const value of [{ engine: 'vad', options: {}, threads: 1 }, [{ op: 'open', id: 1, value: 'killed' }]]) {
      const body = serialize(value)
      socket.write(Buffer.concat([Buffer.from(new Uint32Array([body.length]).buffer), body]))
    }
  `, path], { stdio: ['ignore', 'ignore', 'inherit'] })
  await until(() => host.streams === 2)
  child.kill('SIGKILL')
  t.equal((await aborts.next()).value, 'aborted killed')
  t.equal(host.streams, 1)
})

t.test('when the engine process is gone its streams fail, and the next one waits for another', async t => {
  const { host, path } = await startEngineHost(t, hosted)
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
  const { host, path } = await startEngineHost(t)
  const frame = (body: Buffer): Buffer => Buffer.concat([Buffer.from(new Uint32Array([body.length]).buffer), body])
  for (const bytes of [frame(serialize({ engine: 'constructor', options: {}, threads: 1 })), frame(Buffer.from('no frame')), Buffer.alloc(8, 0xff)]) {
    const socket = connect(path)
    socket.write(bytes)
    await once(socket.resume(), 'close')
  }
  t.equal(host.threads, 0)
})

import t from 'tap'
import type { VadEngine } from '../../lib/engines/engine.js'
import { castOf } from '../support/casts.js'
import { tone } from '../support/engines.js'
import { RawClient } from '../support/raw-client.js'
import { startServer, type TestServer } from '../support/server.js'
import { until } from '../support/until.js'

// A client is read no faster than voice detection hears it, and whatever becomes of the detection, it is read again.

const characters = { directory: t.testdir(castOf('Ada')) }
const SECOND = 24_000
const silence = tone(250, 0)

interface Ears extends VadEngine {
  /** Samples that it was given so far. */
  given: number
  /** Hears all that it was given, and from now on at once. */
  open (): void
  /** Breaks, as often as it is opened. */
  fail (): void
}

/** Voice detection that says nothing until it is told to. */
function closedEars (policy: VadEngine['policy'] = {}): Ears {
  let settle = { open: () => {}, fail: (_error: Error) => {} }
  const opened = new Promise<void>((resolve, reject) => { settle = { open: resolve, fail: reject } })
  opened.catch(() => {})
  return {
    name: 'closed',
    policy,
    given: 0,
    open: () => settle.open(),
    fail: () => settle.fail(new Error('The ears are broken')),
    async * detect (audio, { signal }) {
      let position = 0
      const iterator = audio[Symbol.asyncIterator]()
      const take = async (): Promise<boolean> => {
        const { value, done } = await iterator.next()
        if (done) return false
        position += value.length
        this.given += value.length
        return true
      }
      const ears = { open: false }
      opened.then(() => { ears.open = true }, () => {})
      const aborted = new Promise<never>((resolve, reject) => { signal.addEventListener('abort', () => reject(signal.reason)) })
      aborted.catch(() => {})
      let next = take()
      while (!ears.open) {
        await Promise.race([opened, aborted, next.then(() => { next = take() })])
      }
      do yield { position, probability: 0 }
      while (await next && (next = take()) !== undefined)
    }
  }
}

const sessions = async (server: TestServer): Promise<number> => Number(/^dramatis_sessions_active (\d+)/m.exec(await (await fetch(`${server.http}/metrics`)).text())![1])

t.test('what voice detection has not heard stays with the client, and nothing is lost', async t => {
  const vad = closedEars()
  const server = await startServer(t, { characters, vad, limits: { undetectedSeconds: 2, uncommittedSeconds: 10 } })
  const [client, other] = [await server.connect(), await server.connect()]
  for (let n = 0; n < 240; n++) client.append(silence)
  await until(() => vad.given > 2 * SECOND)
  for (let n = 0; n < 20; n++) await other.settle()
  // What one read of the socket brings is handled whole.
  t.ok(vad.given < 5 * SECOND, `${vad.given / SECOND} s were read`)
  vad.open()
  await client.settle()
  await until(() => vad.given === 60 * SECOND)
  t.strictSame(client.of('error'), [], 'though it is six times what may wait uncommitted')
})

t.test('voice detection that breaks lets its client be read again', async t => {
  const vad = closedEars()
  const server = await startServer(t, { characters, vad, limits: { undetectedSeconds: 1 } })
  const client = await server.connect()
  for (let n = 0; n < 20; n++) client.append(silence)
  await until(() => vad.given > SECOND)
  vad.fail()
  await client.settle()
  t.equal(client.of('error').length, 1)
})

t.test('who leaves while nobody reads is noticed when voice detection gives up', async t => {
  const vad = closedEars({ firstResultTimeoutMs: 50 })
  const server = await startServer(t, { characters, vad, limits: { undetectedSeconds: 1 } })
  for (const end of ['close', 'terminate'] as const) {
    const client = await server.connect()
    vad.given = 0
    for (let n = 0; n < 20; n++) client.append(silence)
    await until(() => vad.given > SECOND)
    client.socket[end]()
    let count
    do count = await sessions(server)
    while (count > 0)
  }
})

t.test('a client that is not read is told the end of the session', async t => {
  const vad = closedEars()
  const server = await startServer(t, { characters, vad, limits: { undetectedSeconds: 1 } })
  const client = await server.connect()
  for (let n = 0; n < 20; n++) client.append(silence)
  await until(() => vad.given > SECOND)
  await server.app.close()
  t.match(await client.closed, { code: 1001 })
})

t.test('who is not read is neither gone nor idle', async t => {
  const vad = closedEars()
  const server = await startServer(t, { characters, vad, limits: { undetectedSeconds: 1, pingSeconds: 0.3, idleSeconds: 0.5 } })
  const client = await server.connect()
  for (let n = 0; n < 20; n++) client.append(silence)
  client.socket.ping()
  await until(() => vad.given > SECOND)
  const idle = await server.connect()
  t.match(await idle.closed, { code: 1000, reason: 'idle timeout' })
  const gone = await RawClient.connect(server.port)
  t.teardown(() => gone.end())
  for await (const { type } of gone.read()) t.equal(type, 'session.created')
  const pong = new Promise(resolve => client.socket.once('pong', resolve))
  vad.open()
  await pong
  await client.settle()
})

t.test('a session is idle when its client says nothing, however much it is told', async t => {
  const server = await startServer(t, { characters, limits: { idleSeconds: 0.5 } })
  const [silent, busy] = [await server.connect(), await server.connect()]
  while (silent.socket.readyState !== silent.socket.CLOSED) await busy.settle()
  t.match(await silent.closed, { code: 1000, reason: 'idle timeout' })
  t.equal(await busy.ask('Are you there?'), 'You said: Are you there?')
})

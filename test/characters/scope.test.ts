import { createServer } from 'node:http'
import { once } from 'node:events'
import t from 'tap'
import { Scope } from '../../lib/characters/scope.js'

// A session may last for hours: what is over is forgotten while it goes on.

async function builtin<T extends object> (scope: Scope, name: string): Promise<T> {
  return scope.builtin(name, await import(name)) as T
}

/** After the events that are under way. */
async function turns (): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise(resolve => setTimeout(resolve, 2))
}

t.beforeEach(t => { t.context = new Scope(call => call) })
t.afterEach(t => t.context.close())

t.test('requests and servers are forgotten when they close', async t => {
  const scope: Scope = t.context
  const server = createServer((request, response) => response.end('x')).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const http = await builtin<typeof import('node:http')>(scope, 'node:http')
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 10 }, async () => {
      const [response] = await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response')
      await once(response.resume(), 'close')
    }))
  }
  await turns()
  t.equal(scope.size, 0)
  const own = http.createServer().listen(0, '127.0.0.1')
  await once(own, 'listening')
  t.equal(scope.size, 1)
  own.close()
  await once(own, 'close')
  t.equal(scope.size, 0)
  own.listen(0, '127.0.0.1')
  await once(own, 'listening')
  t.equal(scope.size, 1, 'until they begin again')
  scope.close()
  await once(own, 'close')
  t.throws(() => own.listen(0), { message: 'The character\'s namespace is purged.' })
})

t.test('sockets, file streams, child processes and workers are forgotten when they end', async t => {
  const scope: Scope = t.context
  const fs = await builtin<typeof import('node:fs')>(scope, 'node:fs')
  const net = await builtin<typeof import('node:net')>(scope, 'node:net')
  const { spawn, exec } = await builtin<typeof import('node:child_process')>(scope, 'node:child_process')
  const { Worker } = await builtin<typeof import('node:worker_threads')>(scope, 'node:worker_threads')
  const opened = [fs.createReadStream(import.meta.filename).resume(), net.connect(1, '127.0.0.1').on('error', () => {}),
    spawn('true'), exec('true'), spawn('no-such-command').on('error', () => {}), new Worker('', { eval: true })]
  t.equal(scope.size, opened.length)
  await Promise.all(opened.map(one => new Promise(resolve => (one as NodeJS.EventEmitter).once(one instanceof Worker ? 'exit' : 'close', resolve))))
  t.equal(scope.size, 0)
})

t.test('timers are forgotten when they fire or are cleared', async t => {
  const scope: Scope = t.context
  const get = <T>(name: string) => scope.get(name) as T
  const start = get<typeof setTimeout>('setTimeout')
  for (let n = 0; n < 100; n++) {
    get<typeof clearTimeout>('clearTimeout')(start(() => {}, 1e6))
    get<typeof clearInterval>('clearInterval')(get<typeof setInterval>('setInterval')(() => {}, 1e6))
    start(() => {}, 0)
    get<typeof setImmediate>('setImmediate')(() => {})
  }
  t.equal(scope.size, 200)
  await turns()
  t.equal(scope.size, 0)
})

t.test('listeners and watches are forgotten when they are taken off', async t => {
  const scope: Scope = t.context
  const view = scope.get('process') as NodeJS.EventEmitter
  const event = 'scope-test'
  const heard: number[] = []
  const listener = (value: number) => heard.push(value)
  view.on(event, listener).on(event, listener).on(`${event}-other`, listener)
  view.off(event, listener).off(`${event}-other`, listener)
  t.equal(scope.size, 1, 'one at a time')
  view.emit(event, 1)
  view.removeListener(event, listener)
  view.once(event, listener).prependOnceListener(event, listener)
  t.equal(scope.size, 2)
  view.emit(event, 2)
  view.emit(event, 3)
  t.strictSame(heard, [1, 2, 2])
  t.equal(scope.size, 0)
  process.on(event, listener)
  t.teardown(() => process.off(event, listener))
  view.on(event, () => {}).removeAllListeners(event)
  t.equal(scope.size, 0)
  t.equal(process.listenerCount(event), 1, 'and the others\' stay')
  t.throws(() => view.once(event, 'no function' as never), { code: 'ERR_INVALID_ARG_TYPE' })

  const fs = await builtin<typeof import('node:fs')>(scope, 'node:fs')
  fs.watchFile(import.meta.filename, listener as never)
  fs.watchFile(import.meta.filename, () => {})
  fs.unwatchFile(import.meta.filename, listener as never)
  t.equal(scope.size, 1)
  fs.unwatchFile(import.meta.filename)
  t.equal(scope.size, 0)
})

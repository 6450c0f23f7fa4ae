import { createServer } from 'node:http'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { character, facts, never, open, prompt, type Shape } from './casts.js'

const limits = { settleMs: 100, disposeMs: 100, syncMs: 1000 }
const marks: unknown[] = []
const mark = (value: unknown) => { marks.push(value) }
process.on('mark-for-test' as never, mark)
t.teardown(() => process.off('mark-for-test', mark))
t.beforeEach(() => { marks.length = 0 })

/** In character code: reports to the test, through the process that all share. */
const MARK = 'const mark = (value: any) => { (process as any).emit(\'mark-for-test\', value) };\n'

/** Opens a session with one character, purges it, and gives the event loop a few turns. */
async function purged (t: Test, before: string, shape: Shape = {}): Promise<string[]> {
  const resources = () => process.getActiveResourcesInfo().filter(type => !['Immediate', 'Timeout'].includes(type)).sort()
  const { registry, library } = await open(t, { 'a.ts': character('a', { before: MARK + before, ...shape }) }, { limits })
  t.strictSame(registry.report.errors, [])
  await prompt(registry)
  await turns()
  await registry.purge()
  await turns()
  t.equal(library.live, 0)
  return resources()
}

async function turns (): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise(resolve => setTimeout(resolve, 2))
}

/** Nothing happens any more, though it did before. */
async function silence (t: Test): Promise<void> {
  t.ok(marks.length > 0, 'it was alive')
  const before = marks.length
  await turns()
  t.equal(marks.length, before, 'and is no more')
}

t.test('timers end with the session, whichever way they were reached', async t => {
  for (const [name, before] of Object.entries({
    global: 'setInterval(mark, 1, 1)',
    'a property of globalThis': 'globalThis.setInterval(mark, 1, 1)',
    'a property of global': '(global as any).setInterval(mark, 1, 1)',
    'node:timers': 'import { setInterval as every } from \'node:timers\'; every(mark, 1, 1)',
    'the default of node:timers': 'import timers from \'timers\'; timers.setInterval(mark, 1, 1)',
    'node:timers/promises': 'import { setInterval as every } from \'node:timers/promises\'; (async () => { for await (const x of every(1, 1)) mark(x) })().catch(() => {})',
    'a chain of timeouts': 'const step = () => { mark(1); setTimeout(step, 1) }; step()',
    'a chain of immediates': 'const step = () => { mark(1); setImmediate(step) }; step()',
    'a chain through promises': 'import { scheduler } from \'node:timers/promises\'; (async () => { for (;;) { mark(1); await scheduler.wait(1) } })().catch(() => {})',
    'promisify(setTimeout)': 'import { promisify } from \'node:util\'; (async () => { for (;;) { mark(1); await promisify(setTimeout)(1) } })().catch(() => {})',
    'promisify(setImmediate)': 'import { promisify } from \'node:util\'; (async () => { for (;;) { mark(1); await promisify(setImmediate)() } })().catch(() => {})',
    'the promises of node:timers': 'import { promises } from \'node:timers\'; (async () => { for await (const x of promises.setInterval(1, 1)) mark(x) })().catch(() => {})',
    'what a dynamic import brings': 'setTimeout(async () => { const { setInterval } = await import(\'node:timers\'); setInterval(mark, 1, 1) })'
  })) {
    await t.test(name, async t => {
      marks.length = 0
      await purged(t, before)
      await silence(t)
    })
  }
})

t.test('timers behave as ever until then', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', {
      before: 'import { setTimeout as delay } from \'node:timers/promises\'',
      body: `const seen: any[] = []
      const cleared = setTimeout(() => seen.push('cleared'), 1); clearTimeout(cleared)
      const n = +setTimeout(() => seen.push('cleared too'), 1); clearTimeout(n)
      const interval = setInterval((x: any) => { seen.push(x); clearInterval(interval) }, 1, 'interval')
      await new Promise(resolve => setImmediate(resolve))
      seen.push(await delay(4, 'value'), typeof interval.unref, interval.hasRef())
      try { (setTimeout as any)('no function') } catch (error: any) { seen.push(error.code) }
      return seen.join()`
    })
  })
  t.equal(await prompt(registry), 'interval,value,function,true,ERR_INVALID_ARG_TYPE')
})

t.test('timers and child processes can be promisified', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', {
      before: 'import { promisify } from \'node:util\'\nimport timers from \'node:timers\'\nimport { exec, execFile } from \'node:child_process\'',
      body: `const seen: any[] = [await promisify(setTimeout)(1, 'timeout'), await promisify(timers.setImmediate)('immediate')]
      seen.push((await promisify(exec)('echo shell')).stdout.trim())
      const running = promisify(execFile)('echo', ['file'])
      seen.push(typeof running.child.pid, (await running).stdout.trim())
      await promisify(exec)('exit 3').catch((error: any) => seen.push(error.code))
      return seen.join()`
    })
  })
  t.equal(await prompt(registry), 'timeout,immediate,shell,number,file,3')
})

t.test('whoever awaits a child process learns of the purge at once', async t => {
  await purged(t, 'import { promisify } from \'node:util\'; import { exec } from \'node:child_process\'; promisify(exec)(\'sleep 60\').catch(error => mark(error.message))')
  t.strictSame(marks, ['The character\'s namespace is purged.'])
})

t.test('listeners on the process leave with the session', async t => {
  const before = process.listenerCount('SIGUSR2')
  await purged(t, 'process.on(\'SIGUSR2\', () => mark(1)); globalThis.process.once(\'SIGUSR2\', () => mark(2)); import p from \'process\'; p.addListener(\'SIGUSR2\', mark)')
  t.equal(process.listenerCount('SIGUSR2'), before)
})

t.test('servers, sockets and file watchers close with the session', async t => {
  const idle = await purged(t, '')
  for (const [name, before] of Object.entries({
    'an HTTP server': 'import { createServer } from \'node:http\'; createServer().listen(0, \'127.0.0.1\')',
    'a server of the default export': 'import net from \'net\'; net.createServer().listen(0, \'127.0.0.1\')',
    'a new Server': 'import { Server } from \'node:net\'; new Server().listen(0, \'127.0.0.1\')',
    'a connection to itself': 'import net from \'node:net\'; const server = net.createServer(socket => { socket.on(\'error\', () => {}) }).listen(0, \'127.0.0.1\', () => { net.connect((server.address() as any).port, \'127.0.0.1\') })',
    'a datagram socket': 'import dgram from \'node:dgram\'; dgram.createSocket(\'udp4\').bind(0, \'127.0.0.1\')',
    'a watched directory': 'import { watch } from \'node:fs\'; watch(import.meta.dirname)',
    'a watched file': 'import fs from \'node:fs\'; fs.watchFile(import.meta.filename, { interval: 5 }, () => {})',
    'a child process': 'import { spawn } from \'node:child_process\'; spawn(\'sleep\', [\'60\'])',
    'a promised child process': 'import { promisify } from \'node:util\'; import { execFile } from \'node:child_process\'; promisify(execFile)(\'sleep\', [\'60\']).catch(() => {})',
    'a server that listens again': 'import net from \'node:net\'; const server = net.createServer(); server.listen(0, \'127.0.0.1\', () => server.close(() => server.listen(0, \'127.0.0.1\', () => {})))',
    'a file that nobody reads': 'import fs from \'node:fs\'; fs.createReadStream(import.meta.filename)',
    'a worker': 'import { Worker } from \'node:worker_threads\'; new Worker(\'setInterval(() => {}, 1000)\', { eval: true })',
    'a channel': 'new BroadcastChannel(\'x\').onmessage = () => {}'
  })) {
    await t.test(name, async t => {
      let now = await purged(t, before)
      for (let n = 0; n < 50 && now.length > idle.length; n++) {
        await turns()
        now = process.getActiveResourcesInfo().filter(type => !['Immediate', 'Timeout'].includes(type)).sort()
      }
      t.strictSame(now, idle)
    })
  }
})

t.test('a fetch ends with the session', async t => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const closed = once(server, 'connection').then(([socket]) => once(socket as NodeJS.EventEmitter, 'close'))
  const { registry } = await open(t, { 'a.ts': character('a', { before: `${MARK}fetch('http://127.0.0.1:${port}').catch(error => mark(error.message))` }) }, { limits })
  await once(server, 'connection')
  await registry.purge()
  await closed
  await turns()
  t.strictSame(marks, ['The character\'s namespace is purged.'])
})

t.test('the signal of the namespace aborts at the purge', async t => {
  await purged(t, 'import.meta.signal.addEventListener(\'abort\', () => mark(import.meta.signal.aborted))')
  t.strictSame(marks, [true])
})

t.test('what outlives the purge can open nothing and reach nobody', async t => {
  const { registry, logs } = await open(t, {
    'a.ts': character('a', {
      before: MARK + 'import net from \'node:net\'\nconst early = net.createServer()',
      more: `tools: [{ name: 'x', description: '', parameters: {}, async run (args: any, { log }: any) {
        args.begin()
        await args.gate
        log.info('late')
        setTimeout(mark, 0, 'timer')
        early.on('listening', () => mark('listening'))
        try { early.listen(0) } catch (error: any) { mark(error.message) }
        try { net.createServer() } catch (error: any) { mark(error.message) }
        await fetch('http://127.0.0.1:9').catch((error: any) => mark(error.message))
        await import('node:fs').catch((error: any) => mark(error.message))
        return 'late'
      } }],`
    })
  }, { limits })
  let release!: () => void
  const gate = new Promise<void>(resolve => { release = resolve })
  let begin!: () => void
  const begun = new Promise<void>(resolve => { begin = resolve })
  const call = t.rejects(registry.first()!.runTool('x', { gate, begin }, never), { name: 'RealtimeError' })
  await begun
  await registry.purge()
  await call
  release()
  await turns()
  const gone = 'The character\'s namespace is purged.'
  t.strictSame(marks, [gone, gone, gone, gone])
  t.strictSame(logs, [])
})

t.test('dispose runs once, and may wait', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', { before: MARK, more: 'async dispose () { mark(\'begin\'); await new Promise(resolve => setTimeout(resolve, 5)); mark(\'end\') },' })
  }, { limits })
  await Promise.all([registry.purge(), registry.purge()])
  t.strictSame(marks, ['begin', 'end'])
})

t.test('dispose is bounded in time, and its faults are told', async t => {
  const { registry, logs, library } = await open(t, {
    'a.ts': character('a', { more: 'dispose () { return new Promise<void>(() => {}) },' }),
    'b.ts': character('b', { more: 'dispose () { for (;;) {} },' }),
    'c.ts': character('c', { more: 'dispose () { throw new Error(\'no\') },' }),
    'd.ts': character('d', { before: MARK, more: 'dispose () { mark(\'d\') },' })
  }, { limits })
  await registry.purge()
  t.equal(library.live, 0)
  t.strictSame(marks, ['d'])
  t.match(logs, [{ fields: { code: 'timeout', file: 'b.ts', line: 7 } }, { fields: { code: 'execution_error', file: 'c.ts', line: 7 }, message: 'Error: no' }])
})

t.test('a throw or an endless loop in a timer or listener ends there, and is told', async t => {
  const { registry, logs } = await open(t, {
    'a.ts': character('a', { before: 'setTimeout(() => { throw new Error(\'in timer\') })\nsetImmediate(async () => { throw new Error(\'in promise\') })\nsetTimeout(() => { for (;;) {} }, 1)\nPromise.reject(new Error(\'nobody waits\'))' })
  }, { limits })
  for (let n = 0; n < 100 && logs.length < 4; n++) await turns()
  t.match(logs.map(({ fields, message }) => [fields['line'], fields['code'], message]).sort(), [
    [1, 'execution_error', 'Error: in timer'],
    [2, 'execution_error', 'Error: in promise'],
    [3, 'timeout', /held the event loop/],
    [4, 'execution_error', /nobody awaits it: Error: nobody waits/]
  ])
  t.equal(await prompt(registry), 'prompt')
})

t.test('an endless loop in a callback, or in a listener of a signal, is interrupted, and is told', async t => {
  const { registry, logs } = await open(t, {
    'a.ts': character('a', {
      before: 'import { stat } from \'node:fs\'\nstat(\'.\', () => { for (;;) {} })\nimport.meta.signal.addEventListener(\'abort\', () => { for (;;) {} })',
      body: '\ncontext.signal.addEventListener(\'abort\', () => { for (;;) {} })\nawait new Promise(() => {})\nreturn \'\''
    })
  }, { limits })
  const controller = new AbortController()
  const result = t.rejects(registry.first()!.systemPrompt(controller.signal))
  while (logs.length === 0) await turns()
  controller.abort()
  await result
  await registry.purge()
  t.match(logs.map(({ fields }) => [fields['code'], fields['line']]), [['timeout', 2], ['timeout', 9], ['timeout', 3]])
})

t.test('promises that nobody awaits and errors that nobody listens to do not end the process', async t => {
  const { registry, logs } = await open(t, {
    'a.ts': character('a', {
      before: `import net from 'node:net'
import { scheduler, setInterval as every } from 'node:timers/promises'
Promise.reject('text')
import('./nope.js')
net.connect(1, '127.0.0.1')
const server = net.createServer(socket => { socket.on('error', () => {}); throw new Error('in listener') }).listen(0, '127.0.0.1', () => net.connect((server.address() as any).port, '127.0.0.1'))
;(async () => { for (;;) await scheduler.wait(1) })()
;(async () => { for await (const x of every(1)) x })()
fetch('http://127.0.0.1:1')
const hanging = net.createServer(() => {}).listen(0, '127.0.0.1', () => fetch('http://127.0.0.1:' + (hanging.address() as any).port))`
    })
  }, { limits })
  t.equal(registry.size, 1)
  for (let n = 0; n < 100 && logs.length < 4; n++) await turns()
  await registry.purge()
  await turns()
  const messages = logs.map(({ message }) => message)
  for (const expected of ['thrown: text', '\'./nope.js\' is not found', 'ECONNREFUSED', 'in listener']) {
    t.ok(messages.some(message => message.includes(expected)), expected)
  }
})

t.test('the compiler ends when the last library closes', async t => {
  const children = () => process.getActiveResourcesInfo().filter(type => type === 'ProcessWrap').length
  const before = children()
  const { library } = await open(t, { 'a.ts': character('a', { prompt: '\'never compiled before\'' }) })
  await library.open(facts())
  await library.close()
  await turns()
  t.equal(children(), before)
})

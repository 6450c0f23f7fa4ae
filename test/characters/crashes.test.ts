import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { isBuilt, loader, moduleFile } from '../support/program.js'
import { character, writeCast } from './casts.js'

const library = pathToFileURL(moduleFile('lib/characters/library')).href

/** What becomes of a process with a cast of these first lines, in which the embedder then does this. */
async function embed (t: Test, before: string, embedder: string): Promise<{ code: number, stdout: string, stderr: string }> {
  const cast = writeCast(t, { 'a.ts': character('a', { before, body: 'Promise.reject(\'prompt\'); return \'\'' }) })
  const script = join(writeCast(t, {
    'main.mjs': `import { createCharacterLibrary } from '${library}'
const lines = []
const log = (fields, message) => { console.log('told:', message); lines.push(message) }
const library = createCharacterLibrary({ directory: '${cast}', log: { info: log, warn: log, error: log } })
const registry = await library.open({ id: 'x', startedAt: new Date(), language: null })
const turns = () => new Promise(resolve => setTimeout(resolve, 20))
const prompt = () => registry.first().systemPrompt(new AbortController().signal)
await turns()
${embedder}
await turns()
console.log('alive')
await library.close()
`
  }), 'main.mjs')
  return await new Promise(resolve => {
    execFile(process.execPath, [...isBuilt ? [] : loader, script], { env: { ...process.env, NODE_OPTIONS: '' } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

t.test('what the embedder rejects ends the process, as ever, also while a cast is alive', async t => {
  t.match(await embed(t, '', 'Promise.reject(\'embedder bug\')'), { code: 1, stdout: '', stderr: /ERR_UNHANDLED_REJECTION/ })
  t.match(await embed(t, '', 'Promise.reject(new Error(\'embedder bug\'))'), { code: 1, stdout: '', stderr: /embedder bug/ })
  t.match(await embed(t, '', 'await prompt(); await turns(); Promise.reject(\'embedder bug\')'), { code: 1, stdout: /^told: .*thrown: prompt\n$/ }, 'also after it called a character')
})

t.test('whoever handles rejections gets the embedder\'s, and so do handlers of uncaught exceptions', async t => {
  const rejection = 'process.on(\'unhandledRejection\', reason => console.log(\'handled:\', reason)); Promise.reject(\'bug\')'
  t.match(await embed(t, '', rejection), { code: 0, stdout: 'handled: bug\nalive\n' })
  const exception = 'process.on(\'uncaughtException\', (error, origin) => console.log(error.code, origin)); Promise.reject(1); await turns(); Promise.reject(2)'
  t.match(await embed(t, '', exception), { code: 0, stdout: 'ERR_UNHANDLED_REJECTION unhandledRejection\nERR_UNHANDLED_REJECTION unhandledRejection\nalive\n' })
})

t.test('what a cast rejects is told, with a stack or without', async t => {
  const { code, stdout } = await embed(t, `
Promise.reject('top level'); Promise.reject(new Error('with a stack'))
setTimeout(() => { Promise.reject('timer') }, 1); (async () => { await null; throw 'after an await' })()
process.once('mark-for-test' as any, async () => { throw 'listener' })`, 'process.emit(\'mark-for-test\'); await prompt()')
  t.equal(code, 0)
  for (const expected of ['top level', 'with a stack', 'timer', 'after an await', 'listener', 'prompt', 'alive']) t.match(stdout, expected)
})

t.test('what Node rejects for a cast is told, though the error has no frame of it', async t => {
  const { code, stdout, stderr } = await embed(t, `import { readFile } from 'node:fs/promises'
import fs from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { exec } from 'node:child_process'
import { promisify } from 'node:util'
readFile('/no/such/1'); fs.promises.stat('/no/such/2').then(() => {}); Promise.all([fs.promises.open('/no/such/3')])
pipeline(fs.createReadStream('/no/such/4'), fs.createWriteStream('/dev/null')); promisify(exec)('exit 3')
readFile('/no/such/5').catch(() => {})`, 'while (lines.length < 5) await turns()')
  t.equal(code, 0, stderr)
  for (const expected of ['such/1', 'such/2', 'such/3', 'such/4', 'exit 3', 'alive']) t.match(stdout, expected)
  t.notMatch(stdout, 'such/5')
})

t.test('a loop that is interrupted leaves the embedder\'s promises to the embedder', async t => {
  t.match(await embed(t, 'setTimeout(() => { for (;;) {} }, 1)', 'await new Promise(resolve => setTimeout(resolve, 700)); Promise.reject(\'bug\')'), { code: 1, stdout: /held the event loop/ })
})

t.test('what a cast throws where nobody catches it is told, and ends neither the process nor reaches its handlers', async t => {
  // A place of its own for each: the same one is told once
  const { code, stdout } = await embed(t, `import fs from 'node:fs'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs'
const target = new EventTarget(), own = new AbortController()
queueMicrotask(() => { throw new Error('in a microtask') })
process.nextTick(() => { throw new Error('in a tick') })
fs.readFile(import.meta.filename, () => { throw new Error('in a callback') })
randomBytes(8, () => { throw new Error('in another callback') })
setTimeout(() => readFile(import.meta.filename, () => { throw 'no error in a callback' }))
target.addEventListener('x', () => { throw new Error('in a listener') })
own.signal.addEventListener('abort', () => { throw 'no error in a listener' })
import.meta.signal.addEventListener('abort', () => { throw new Error('in the purge') })
target.dispatchEvent(new Event('x'))
own.abort()`, `process.on('uncaughtException', error => console.log('handled:', error.message))
setTimeout(() => { throw new Error('embedder bug') }); await turns(); await registry.purge()`)
  t.equal(code, 0)
  for (const where of ['a microtask', 'a tick', 'a callback', 'another callback', 'a listener', 'the purge']) t.match(stdout, `in ${where}`)
  t.match(stdout, 'no error in a callback')
  t.match(stdout, 'no error in a listener')
  t.strictSame(stdout.match(/^handled: .*$/gm), ['handled: embedder bug'])
  t.match(stdout, /alive/)
})

t.test('what the embedder throws ends the process, as ever, also while a cast is alive', async t => {
  const { code, stdout, stderr } = await embed(t, '', 'await prompt(); setTimeout(() => { throw new Error(\'embedder bug\') }); await new Promise(() => {})')
  t.equal(code, 1)
  t.notMatch(stdout, /alive|embedder/)
  t.match(stderr, /main\.mjs:\d+[\s\S]*embedder bug/)
  t.match(await embed(t, '', 'process.setUncaughtExceptionCaptureCallback(error => console.log(\'mine:\', error.message)); setTimeout(() => { throw new Error(\'bug\') }); await turns()'),
    { code: 0, stdout: /^mine: bug$/m })
})

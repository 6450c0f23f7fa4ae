/* eslint-disable no-template-curly-in-string -- sources of characters */
import t, { type Test } from 'tap'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { change, character, createLibrary, facts, never, open, prompt, type Files } from './casts.js'
import type { FileError } from '../../lib/characters/fault.js'

// A busy machine lets the thread that sees a loop wait for its turn
const limits = { loadMs: 1000, syncMs: 1000, asyncLoadMs: 1000, promptMs: 1000, toolMs: 1000, settleMs: 50 }

/** The errors of a cast that also has one good character, which must not suffer. */
async function errorsOf (t: Test, files: Files): Promise<FileError[]> {
  const { registry } = await open(t, { 'zz-good.ts': character('good'), ...files }, { limits })
  t.ok(registry.find('good'), 'the other character is there')
  t.equal(await prompt(registry, 'good'), 'prompt')
  t.equal(registry.report.error_count, registry.report.errors.length)
  return registry.report.errors
}

/** How often character code has said so of its signal. */
function countAborted (t: Test): () => number {
  let aborted = 0
  const count = () => { aborted++ }
  process.on('aborted-for-test' as never, count)
  t.teardown(() => process.off('aborted-for-test', count))
  return () => aborted
}

t.test('a syntax error is where it stands, counted in characters', async t => {
  t.match(await errorsOf(t, {
    'a.ts': '\n\nconst é = "ü€𝒳"; let a b',
    'b.js': 'const x = /(/\nexport default x',
    'c.ts': 'export const x: number = 1\n\n  const y = /[/'
  }), [
    { file: 'a.ts', line: 3, column: 25, code: 'syntax_error', message: 'Expected ";" but found "b"' },
    { file: 'b.js', line: 1, column: 11, code: 'syntax_error', message: /Unterminated group/ },
    { file: 'c.ts', line: 3, code: 'syntax_error' }
  ])
})

t.test('a syntax error in JSON is where it stands', async t => {
  t.match(await errorsOf(t, { 'a.ts': character('a', { before: 'import x from \'./x/y.json\'; x()' }), 'x/y.json': '{\n  "a": 1,\n  oops\n}' }),
    [{ file: 'x/y.json', line: 3, column: 3, code: 'syntax_error', message: /needed by a\.ts/ }])
})

t.test('an import that cannot be found is an error at its specifier', async t => {
  t.match(await errorsOf(t, {
    'a.ts': character('a', { before: '// first line\nimport { x } from \'./x/missing.js\'; x()' }),
    'b.ts': character('b', { before: 'import nope from \'not-a-package-anywhere\'; nope()' }),
    'c.ts': character('c', { before: 'import { nope } from \'./x/y.js\'; nope()' }),
    'd.ts': character('d', { before: 'import { nope } from \'node:path\'; nope()' }),
    'e.ts': character('e', { before: 'await 1\nimport \'./x/missing.js\'' }),
    'f.ts': character('f', { before: 'import text from \'./x/y.txt\'; text()' }),
    'x/y.ts': 'export const other = 1',
    'x/y.txt': 'text'
  }), [
    { file: 'a.ts', line: 2, column: 19, code: 'import_error', message: '\'./x/missing.js\' is not found.' },
    { file: 'b.ts', line: 1, column: 18, code: 'import_error', message: /'not-a-package-anywhere' cannot be imported: / },
    { file: 'c.ts', line: 1, column: 22, code: 'import_error', message: '\'./x/y.js\' does not export \'nope\'.' },
    { file: 'd.ts', line: 1, column: 22, code: 'import_error', message: '\'node:path\' does not export \'nope\'.' },
    { file: 'e.ts', line: 2, column: 8, code: 'import_error' },
    { file: 'f.ts', line: 1, column: 18, code: 'import_error' }
  ])
})

t.test('text that looks like a missing import is none', async t => {
  t.strictSame(await errorsOf(t, {
    'a.ts': character('a', { before: 'import { x } from \'./x/y.js\'', prompt: '\'import_y.nope\' + x' }),
    'x/y.ts': 'export const x = 1'
  }), [])
})

t.test('a throw at the top level is where it was thrown', async t => {
  t.match(await errorsOf(t, {
    'a.ts': character('a', { before: 'interface Nothing { x: number }\n  throw new TypeError(\'no\')' }),
    'b.ts': character('b', { before: 'const type: any = null\nawait null\n   type.x()' }),
    'c.ts': character('c', { before: 'throw \'text\'' })
  }), [
    { file: 'a.ts', line: 2, column: 9, code: 'execution_error', message: 'TypeError: no' },
    { file: 'b.ts', line: 3, column: 9, code: 'execution_error', message: /^TypeError: / },
    { file: 'c.ts', code: 'execution_error', message: 'thrown: text' }
  ])
})

t.test('a broken helper is one error for each character that needs it, and for no other', async t => {
  t.strictSame(await errorsOf(t, {
    'a.ts': character('a', { before: 'import \'./x/between.js\'' }),
    'b.ts': character('b', { before: 'import \'./x/broken.js\'' }),
    'x/between.ts': 'import \'./broken.js\'',
    'x/broken.ts': '\n throw new Error(\'broken\')'
  }), [
    { file: 'x/broken.ts', line: 2, column: 8, code: 'execution_error', message: 'Error: broken (needed by a.ts)' },
    { file: 'x/broken.ts', line: 2, column: 8, code: 'execution_error', message: 'Error: broken (needed by b.ts)' }
  ])
})

t.test('an endless loop at the top level is interrupted, and reported with its line', async t => {
  t.match(await errorsOf(t, {
    'a.ts': character('a', { before: 'interface Nothing { x: number }\nlet i = 0\n  for (;;) i++' }),
    'b.ts': character('b', { before: 'import { spin } from \'./x/spin.js\'\nspin()' }),
    'x/spin.ts': 'export function spin () {\n  try { while (true) {} } finally { spin() }\n}'
  }), [
    { file: 'a.ts', line: 3, code: 'timeout', message: 'The code held the event loop for 1000 ms.' },
    { file: 'x/spin.ts', line: 2, code: 'timeout', message: /needed by b\.ts/ }
  ])
})

t.test('a loop is found also within what the language itself runs', async t => {
  t.match(await errorsOf(t, {
    'a.ts': character('a', { before: 'const text = \'a\'.repeat(50)\n  ;/(a+)+$/.test(text + \'!\')' }),
    'b.ts': character('b', { before: '\n[2, 1].sort(() => { for (;;) {} })' }),
    'c.ts': character('c', { before: 'JSON.stringify({ toJSON () {\n for (;;) {} } })' }),
    'd.ts': character('d', { before: '\n for (let n = 0; ; n++) \'a\'.repeat(n % 100).replace(/b*$/, \'\')' })
  }), ['a', 'b', 'c', 'd'].map(name => ({ file: `${name}.ts`, line: 2, code: 'timeout' })))
})

t.test('a top-level await that never settles is an error of that file, at the await', async t => {
  t.match(await errorsOf(t, {
    'a.ts': character('a', { before: '// first\nconst x = await new Promise(() => {})' }),
    'b.ts': character('b', { before: 'import \'./x/never.js\'' }),
    'x/never.ts': 'await Promise.resolve(1)\nawait new Promise(() => {})'
  }), [
    { file: 'a.ts', line: 2, column: 11, code: 'timeout' },
    { file: 'x/never.ts', line: 2, column: 1, code: 'timeout', message: /needed by b\.ts/ }
  ])
})

t.test('a wrong shape names the field and what was expected, at the field', async t => {
  const good = 'name: \'x\', voice: { source: \'file\', path: \'p\' }, instructions: { prompt: \'p\' }, systemPrompt: () => \'\''
  t.match(await errorsOf(t, {
    'a.ts': 'export const x = 1',
    'b.ts': 'export default 5',
    'c.ts': `export default { ${good.replace('\'x\'', '5')} }`,
    'd.ts': 'import { defineCharacter } from \'dramatis/character\'\nconst it = defineCharacter({\n  name: \'d\',\n  systemPrompt () { return `${/[/}]/.test(\'}\')}` },\n  voice: {\n    source: \'file\',\n    path: 7\n  },\n  instructions: { prompt: \'\' }\n} as any)\nexport default it',
    'e.ts': `export default { ${good.replace('\'file\'', '\'tape\'')} }`,
    'f.ts': `export default { ${good},\n  temperature: 9 }`,
    'g.ts': 'export default { name: \'g\' }',
    'h.ts': `export default { ${good.replace('\'x\'', '\'h\'')},\n  tools: [{ name: 'ok', description: '', parameters: {}, run () {} },\n    { name: 'no good', description: '', parameters: {}, run () {} }] }`,
    'i.ts': `export default { ${good.replace('\'x\'', '\'i\'')},\n  tools: [{ name: 'a', description: '', parameters: {}, run () {} },\n    { name: 'a', description: '', parameters: {}, run () {} }] }`
  }), [
    { file: 'a.ts', line: 1, column: 1, code: 'invalid_character', message: /no default export/ },
    { file: 'b.ts', line: 1, column: 1, code: 'invalid_character', message: /must be a character \(an object\), not 5/ },
    { file: 'c.ts', line: 1, column: 18, code: 'invalid_character', message: 'name: expected a string of 1 to 200 characters without space around it, got 5.' },
    { file: 'd.ts', line: 7, column: 5, code: 'invalid_character', message: 'voice.path: expected a string that is not empty, got 7.' },
    { file: 'e.ts', line: 1, column: 38, code: 'invalid_character', message: 'voice.source: expected \'file\' or \'freesound\', got \'tape\'.' },
    { file: 'f.ts', line: 2, column: 3, code: 'invalid_character', message: 'temperature: expected a number from 0 to 2, got 9.' },
    { file: 'g.ts', line: 1, column: 1, code: 'invalid_character', message: /: expected .*, got nothing\./ },
    { file: 'h.ts', line: 3, column: 7, code: 'invalid_tools', message: 'tools[1].name: expected a string of 1 to 64 letters, digits, _ or -, got \'no good\'.' },
    { file: 'i.ts', line: 3, column: 7, code: 'invalid_tools', message: /tools\[1\]\.name: 'a' is the name of another tool/ }
  ])
})

t.test('a duplicate name is an error of the later file', async t => {
  t.match(await errorsOf(t, { 'b.ts': character('same'), 'a.ts': character('same') }),
    [{ file: 'b.ts', line: 3, column: 3, code: 'duplicate_name', message: /'same' is the name of a\.ts too/ }])
})

t.test('prompt code that throws, rejects, loops, never settles or returns nothing rejects with its place', async t => {
  const { registry, events } = await open(t, {
    'a.ts': character('throws', { body: '\n  throw new RangeError(\'no\')' }),
    'b.ts': character('rejects', { body: '\n await null\n   null!.x' }),
    'c.ts': character('loops', { body: '\n while (true) {}' }),
    'd.ts': character('waits', { body: '\n await new Promise(resolve => context.signal.addEventListener(\'abort\', () => { globalThis.process.emit(\'aborted-for-test\' as any) }))' }),
    'e.ts': character('nothing', { body: '' })
  }, { limits })
  const aborted = countAborted(t)
  await t.rejects(prompt(registry, 'throws'), { name: 'RealtimeError', code: 'execution_error', message: 'a.ts:7:9: RangeError: no', details: { file: 'a.ts', line: 7, column: 9, character: 'throws' } })
  await t.rejects(prompt(registry, 'rejects'), { code: 'execution_error', message: /^b\.ts:8:\d+: TypeError: / })
  await t.rejects(prompt(registry, 'loops'), { code: 'timeout', message: /^c\.ts:7:\d+: The code held the event loop for 1000 ms/ })
  await t.rejects(prompt(registry, 'waits'), { code: 'timeout', message: 'd.ts: systemPrompt did not settle within 1000 ms.' })
  t.equal(aborted(), 1, 'abandoned with its signal aborted')
  await t.rejects(prompt(registry, 'nothing'), { code: 'execution_error', message: 'e.ts: systemPrompt must return a string, not undefined.' })
  t.strictSame(events.filter(({ type }) => type === 'fault').length, 5)
})

t.test('a loop is interrupted also while somebody inspects the process', async t => {
  const { registry } = await open(t, { 'a.ts': character('loops', { body: '(globalThis as any).process.emit(\'looping-for-test\')\n for (;;) {}' }) }, { limits: { syncMs: 200 } })
  const cell = new Int32Array(new SharedArrayBuffer(4))
  // Holds the main thread from before the interruption until after it
  const inspector = new Worker(`const { parentPort, workerData: cell } = require('node:worker_threads')
const session = new (require('node:inspector').Session)()
session.connectToMainThread()
session.post('Runtime.evaluate', { expression: '1' }, () => {
  parentPort.postMessage('ready')
  Atomics.wait(cell, 0, 0)
  session.post('Runtime.evaluate', { expression: 'for (let end = Date.now() + 300; Date.now() < end;);' }, error => parentPort.postMessage(error?.message))
})
setInterval(() => {}, 1000)`, { eval: true, execArgv: [], workerData: cell })
  t.teardown(() => inspector.terminate())
  await once(inspector, 'message')
  const release = () => { Atomics.store(cell, 0, 1); Atomics.notify(cell, 0) }
  process.on('looping-for-test' as never, release)
  t.teardown(() => process.off('looping-for-test', release))
  const answer = once(inspector, 'message')
  await t.rejects(prompt(registry, 'loops'), { code: 'timeout', message: /held the event loop for 200 ms/ })
  t.match(await answer, [/terminated/], 'the interruption hit what was inspected')
  await t.rejects(prompt(registry, 'loops'), { code: 'timeout' }, 'and all is as before')
})

t.test('a wait that cannot be interrupted ends its call when it is over, and nothing else', async t => {
  const { registry } = await open(t, {
    'a.ts': character('waits', { body: '(globalThis as any).process.getBuiltinModule(\'node:child_process\').execSync(\'sleep 1.5\')\n return \'x\'' })
  }, { limits: { syncMs: 100 } })
  for (let n = 0; n < 2; n++) {
    await t.rejects(prompt(registry, 'waits'), { code: 'timeout' })
    // Whatever was on its way to the call would meet this
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  }
})

t.test('tools fail as prompts do, and imports within them are errors where they stand', async t => {
  const tool = (name: string, body: string) => `{ name: '${name}', description: '', parameters: {}, async run (args: any, context: any) { ${body} } }`
  const waits = tool('waits', 'await new Promise(() => context.signal.addEventListener(\'abort\', () => globalThis.process.emit(\'aborted-for-test\' as any)))')
  const aborted = countAborted(t)
  const { registry } = await open(t, {
    'a.ts': character('a', { more: `tools: [${tool('throws', 'throw new Error(args.x)')},\n${tool('loops', 'for (;;) {}')},\n${tool('imports', '\n await import(\'./nope\')')}, ${tool('refuses', 'throw 1')}, ${waits}],` })
  }, { limits })
  const first = registry.first()!
  await t.rejects(first.runTool('throws', { x: 'y' }, never), { code: 'execution_error', message: /^a\.ts:7:\d+: Error: y$/ })
  await t.rejects(first.runTool('loops', {}, never), { code: 'timeout', message: /^a\.ts:8:/ })
  await t.rejects(first.runTool('imports', {}, never), { code: 'import_error', message: 'a.ts:10:8: \'./nope\' is not found.' })
  await t.rejects(first.runTool('waits', {}, never), { code: 'timeout', message: 'a.ts: tool \'waits\' did not settle within 1000 ms.' })
  t.equal(aborted(), 1, 'abandoned with its signal aborted')
  await t.rejects(first.runTool('refuses', {}, never), { code: 'execution_error', message: 'a.ts: thrown: 1' })
})

t.test('a call ends as soon as its signal aborts', async t => {
  const { registry } = await open(t, { 'a.ts': character('a', { body: 'await new Promise(() => {}); return \'\'' }) }, { limits })
  const controller = new AbortController()
  const reason = new Error('barge-in')
  const result = registry.first()!.systemPrompt(controller.signal)
  controller.abort(reason)
  await t.rejects(result, reason)
  await t.rejects(registry.first()!.systemPrompt(controller.signal), reason, 'and is not begun when it has')
})

t.test('stacks of errors that a character catches or logs point at the source', async t => {
  const { registry } = await open(t, { 'a.ts': character('a', { before: 'interface Nothing { x: number }', more: 'tools: [{ name: \'x\', description: \'\', parameters: {}, run () { throw Object.assign(new Error(\'x\'), { mark: (globalThis as any).process.emit }) } }],' }) })
  await t.rejects(registry.first()!.runTool('x', {}, never), { message: /^a\.ts:7:\d+/ })
})

t.test('what holds the event loop after an await is named by the watchdog thread', async t => {
  const { registry, events, logs } = await open(t, {
    'a.ts': character('holder', { body: '\n await null\n const end = Date.now() + 900\n while (Date.now() < end) {}\n return \'done\'' })
  }, { limits: { stallMs: 100 } })
  t.equal(await prompt(registry), 'done')
  for (let i = 0; i < 100 && logs.length === 0; i++) await delay(20)
  t.match(events.find(({ type }) => type === 'stuck'), { character: 'holder', file: 'a.ts' })
  t.match(logs, [{ fields: { character: 'holder', file: 'a.ts', line: 9 } }])
})

t.test('a flood of the same fault is logged once', async t => {
  const { registry, logs, events } = await open(t, { 'a.ts': character('a', { body: 'throw new Error(\'again\')' }) })
  for (let i = 0; i < 50; i++) await t.rejects(prompt(registry))
  t.equal(logs.length, 1)
  t.equal(events.filter(({ type }) => type === 'fault').length, 50, 'though every one is counted')
})

t.test('a broken file is mended by a change, also when the change is elsewhere', async t => {
  const { library, directory } = createLibrary(t, { 'a.ts': character('a', { before: 'import { x } from \'./x/y.js\'', prompt: 'x' }) })
  t.equal((await library.open(facts())).size, 0)
  change(directory, { 'x/y.ts': 'export const x = \'mended\'' })
  t.equal(await prompt(await library.open(facts())), 'mended')
})

import { mkdirSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
/* eslint-disable no-template-curly-in-string -- sources of characters */
import t from 'tap'
import { Compiler } from '../../lib/characters/compiler.js'
import { change, character, createLibrary, facts, never, open, prompt, writeCast } from './casts.js'

const counter = 'export let count = 0\nexport const up = () => ++count\n'

t.test('two sessions with the same files share no state, helpers included', async t => {
  const { library } = createLibrary(t, {
    'a.ts': character('a', { before: 'import { up } from \'./shared/counter.js\'', prompt: 'String(up())' }),
    'b.ts': character('b', { before: 'import { count } from \'./shared/counter.js\'', prompt: 'String(count)' }),
    'shared/counter.ts': counter
  })
  const [one, two] = await Promise.all([library.open(facts('1')), library.open(facts('2'))])
  t.equal(await prompt(one, 'a'), '1')
  t.equal(await prompt(one, 'a'), '2')
  t.equal(await prompt(one, 'b'), '2', 'members of one cast share their helpers, and see live bindings')
  t.equal(await prompt(two, 'b'), '0')
})

t.test('relative imports are found with and without extension, .js written for .ts, index and JSON', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', {
      before: 'import { x } from \'./lib/x\'; import { y } from \'./lib/y.js\'; import z from \'./lib/z.json\' with { type: \'json\' }; import w from \'./lib\'; import { v } from \'./lib/v.mjs\'',
      prompt: '[x, y, z.z, w, v].join()'
    }),
    'lib/x.js': 'export const x = 1',
    'lib/y.ts': 'export const y: number = 2',
    'lib/z.json': '{ "z": 3 }',
    'lib/index.ts': 'export default 4',
    'lib/v.mts': 'export const v = 5'
  })
  t.equal(await prompt(registry), '1,2,3,4,5')
})

t.test('characters may be written as .ts, .mts, .js and .mjs; declarations, dot files and subfolders are none', async t => {
  const plain = (name: string) => character(name).replace(': any', '')
  const { registry } = await open(t, {
    'b.mts': character('b'),
    'a.ts': character('a'),
    'c.js': plain('c'),
    'd.mjs': plain('d'),
    'a.d.ts': 'export {}',
    '.e.ts': 'broken(',
    'notes.md': '',
    'sub/f.ts': character('f')
  })
  t.strictSame(registry.names(), ['a', 'b', 'c', 'd'])
  t.equal(registry.report.total_files, 4)
})

t.test('a cast imports dramatis/character from any directory', async t => {
  const { registry } = await open(t, {
    'a.ts': 'import { defineCharacter, type Character } from \'dramatis/character\'\nexport default defineCharacter({ name: \'a\', voice: { source: \'file\', path: \'x\' }, instructions: { prompt: \'p\', mood: \'grim\' }, systemPrompt: ({ instructions }) => instructions.mood })'
  })
  t.equal(await prompt(registry), 'grim')
})

t.test('builtins, packages beside the cast, packages of the server and ESM-only packages are imported', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', {
      before: `import { sep } from 'node:path'
import path from 'path'
import dual, { kind } from 'dual'
import { deep } from '@scope/pure/deep/one'
import old from 'old'
import { Type } from '@sinclair/typebox'`,
      prompt: '[sep, path.sep, dual, kind, deep, old.kind, typeof Type.String].join(\' \')'
    }),
    'node_modules/dual/package.json': '{ "exports": { ".": { "import": "./import.mjs", "require": "./require.cjs" } } }',
    'node_modules/dual/import.mjs': 'export default 1; export const kind = "import"',
    'node_modules/dual/require.cjs': 'module.exports = { kind: "require" }',
    'node_modules/@scope/pure/package.json': '{ "type": "module", "exports": { "./deep/*": "./lib/*.js" } }',
    'node_modules/@scope/pure/lib/one.js': 'export const deep = await Promise.resolve("deep")',
    'node_modules/old/package.json': '{ "main": "main.js" }',
    'node_modules/old/main.js': 'exports.kind = "old"'
  })
  t.equal(await prompt(registry), '/ / 1 import deep old function')
})

t.test('circular imports see each other\'s live bindings, and the dead zone before', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', { before: 'import { even } from \'./lib/even\'; import { early } from \'./lib/odd\'', prompt: '`${even(10)} ${early}`' }),
    'lib/even.ts': 'import { odd } from \'./odd\'\nexport const even = (n: number): boolean => n === 0 || odd(n - 1)',
    'lib/odd.ts': 'import { even } from \'./even\'\nexport const odd = (n: number): boolean => n !== 0 && even(n - 1)\nexport let early: string\ntry { early = String(even) } catch (error) { early = (error as Error).name }'
  })
  t.equal(await prompt(registry), 'true ReferenceError')
})

t.test('names are re-exported, also through stars', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', { before: 'import { x, y, z, q } from \'./lib/all\'; import * as all from \'./lib/all\'', prompt: '[x, y, z.z, q, Object.keys(all).sort()].join()' }),
    'lib/all.ts': 'export * from \'./x\'\nexport { default as y } from \'./x\'\nexport * as z from \'./z\'\nexport const q = 4',
    'lib/x.ts': 'export const x = 1\nexport default 2',
    'lib/z.ts': 'export const z = 3'
  })
  t.equal(await prompt(registry), '1,2,3,4,q,x,y,z')
})

t.test('dynamic import stays in the namespace, and sees what static imports see', async t => {
  const { library, directory } = createLibrary(t, {
    'a.ts': character('a', {
      before: 'import { up } from \'./lib/counter.js\'',
      body: 'up(); const name = \'counter\'; const later = await import(\'./lib/later\'); const { count } = await import(`./lib/${name}.js`); const { sep } = await import(\'node:path\'); return [count, later.twice(), sep].join()'
    }),
    'lib/counter.ts': counter,
    'lib/later.ts': 'import { count } from \'./counter\'\nconst offset = await Promise.resolve(1)\nexport const twice = () => count * 2 + offset'
  })
  const [one, two] = [await library.open(facts()), await library.open(facts())]
  t.equal(await prompt(one), '1,3,/')
  t.equal(await prompt(one), '2,5,/')
  t.equal(await prompt(two), '1,3,/')
  change(directory, { 'lib/later.ts': 'export const twice = () => 9' })
  t.equal(await prompt(await library.open(facts())), '1,9,/', 'what is imported later counts among the files that may change')
})

t.test('import.meta tells where the file is and what a specifier means', async t => {
  const { registry, directory } = await open(t, {
    'a.ts': character('a', { prompt: 'JSON.stringify([import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve(\'./lib/x\'), import.meta.resolve(\'fs\'), import.meta.signal.aborted])' }),
    'lib/x.ts': ''
  })
  t.strictSame(JSON.parse(await prompt(registry)), [`file://${directory}/a.ts`, `${directory}/a.ts`, directory, `file://${directory}/lib/x.ts`, 'node:fs', false])
})

t.test('top-level await is waited for, before what imports it, and keeps its exports live', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', { before: 'import { value, later, default as main } from \'./lib/slow.js\'', prompt: '[value, later, main(), typeof Local].join()' }),
    'b.ts': character('b', { before: 'import { value } from \'./lib/slow.js\'\nconst own = await Promise.resolve(value + 1)\nfor await (const x of [own]) { own + x }', prompt: 'String(own)' }),
    'lib/slow.ts': 'import { base } from \'./base\'\nexport * from \'./base\'\nexport const value: number = await Promise.resolve(base)\nexport let later = 1\nlater = await new Promise(resolve => setTimeout(resolve, 1, 2))\nexport default function () { return base + later }\nclass Local {}\nnew Local()',
    'lib/base.ts': 'export const base = 40'
  })
  t.strictSame(registry.report.errors, [])
  t.equal(await prompt(registry, 'a'), '40,2,42,undefined')
  t.equal(await prompt(registry, 'b'), '41')
})

t.test('TypeScript is understood: enums, decorators, parameter properties, namespaces, unused imports', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', {
      before: `import { Nowhere } from './types-only.js'
import type { Else } from 'not-there'
enum Mood { Calm = 'calm' }
const enum Size { Big = 3 }
namespace Inner { export const x = 1 }
const log: string[] = []
const note = (value: any, context: { name: PropertyKey }) => { log.push(String(context.name)); return value }
class Person { constructor (readonly name: string) {} @note greet (): string { return \`hi \${this.name}\` } }
let typed: Nowhere | Else | undefined`,
      prompt: '[Mood.Calm, Size.Big, Inner.x, new Person(\'x\').greet(), log, typed satisfies unknown].join()'
    })
  })
  t.equal(await prompt(registry), 'calm,3,1,hi x,greet,')
})

t.test('modules are strict, have no this, and may call a variable like anything of ours', async t => {
  const { registry } = await open(t, {
    'a.js': character('a', {
      before: 'const module = 1, require = 2, exports = 3, process = 4, setTimeout = 5; let undeclared = \'\'; try { nowhere = 1 } catch (error) { undeclared = error.name }\nconst self = this',
      prompt: '[module, require, exports, process, setTimeout, undeclared, typeof self].join()'
    }).replace(': any', '')
  })
  t.equal(await prompt(registry), '1,2,3,4,5,ReferenceError,undefined')
})

t.test('what is evaluated as text gets what the session has of globals', async t => {
  const { registry } = await open(t, {
    'a.ts': character('a', {
      before: 'const join = (...parts: string[]) => parts.join("")\nconst real = (...parts: string[]) => Function(`return ${join(...parts)}`)()',
      prompt: '[eval("\\nsetTimeout") === real("set", "Timeout"), eval(join("pro", "cess")) === real("pro", "cess")].join()'
    })
  })
  t.equal(await prompt(registry), 'false,false')
})

t.test('what is written to globalThis belongs to the session', async t => {
  const { library } = createLibrary(t, { 'a.ts': character('a', { before: 'globalThis.seen = (globalThis.seen ?? 0) + 1', prompt: 'String((globalThis as any).seen)' }) })
  t.equal(await prompt(await library.open(facts())), '1')
  t.equal(await prompt(await library.open(facts())), '1')
  t.notOk('seen' in globalThis)
})

t.test('the context tells about the session, helps, and is frozen to the moment', async t => {
  const { registry } = await open(t, { 'a.ts': character('a', { body: 'const { session, helpers, signal, instructions } = context; return [session.id, session.startedAt.getTime(), session.language, helpers.pick([7]), helpers.join([\'a\', \'b\']), helpers.date().length > 9, helpers.time().length > 3, signal.aborted, instructions.prompt, Object.isFrozen(helpers)].join()' }) })
  t.equal(await prompt(registry), 'session,0,,7,a and b,true,true,false,I am a.,true')
  registry.session.language = 'de'
  t.match(await prompt(registry), 'a und b')
})

t.test('a session that opens after a file changed gets the new one, the others keep theirs', async t => {
  const { library, directory } = createLibrary(t, {
    'a.ts': character('a', { before: 'import { x } from \'./lib/x.js\'', prompt: 'x' }),
    'lib/x.ts': 'export const x = \'one\''
  })
  const one = await library.open(facts())
  for (const word of ['two', 'six', 'ten']) {
    change(directory, { 'lib/x.ts': `export const x = '${word}'` }) // Same size, within a tick of the clock
    t.equal(await prompt(await library.open(facts())), word)
  }
  t.equal(await prompt(one), 'one')
})

t.test('an old modification time does not hide a change', async t => {
  const { library, directory } = createLibrary(t, { 'a.ts': character('a', { prompt: '\'one\'' }) })
  const old = new Date(1e12)
  utimesSync(join(directory, 'a.ts'), old, old)
  t.equal(await prompt(await library.open(facts())), 'one')
  change(directory, { 'a.ts': character('a', { prompt: '\'two\'' }) })
  utimesSync(join(directory, 'a.ts'), old, old)
  t.equal(await prompt(await library.open(facts())), 'two')
})

t.test('files that come, go, and come to stand in the way of others are seen', async t => {
  const { library, directory } = createLibrary(t, {
    'a.ts': character('a', { before: 'import { x } from \'./lib/x\'', prompt: 'x' }),
    'lib/x.js': 'export const x = \'js\''
  })
  t.equal(await prompt(await library.open(facts())), 'js')
  change(directory, { 'b.ts': character('b'), 'lib/x.ts': 'export const x = \'ts\'' })
  const both = await library.open(facts())
  t.strictSame(both.names(), ['a', 'b'])
  t.equal(await prompt(both), 'ts')
  rmSync(join(directory, 'lib/x.ts'))
  rmSync(join(directory, 'b.ts'))
  const one = await library.open(facts())
  t.strictSame(one.names(), ['a'])
  t.equal(await prompt(one), 'js')
})

t.test('sessions that open together compile a file once', async t => {
  const calls = t.capture(Compiler.prototype, 'compile', Compiler.prototype.compile)
  // One promise is one compilation, however many asked for it
  const made = new Set()
  const compiled = () => {
    for (const call of calls()) if ('returned' in call) made.add(call.returned)
    return made.size
  }
  const { library, directory } = createLibrary(t, { 'a.ts': character('a', { before: 'import \'./lib/x\'' }), 'lib/x.ts': 'export {}' })
  const all = await Promise.all(Array.from({ length: 20 }, () => library.open(facts())))
  t.equal(library.live, 20)
  t.ok(all.every(registry => registry.size === 1))
  t.equal(compiled(), 2, 'the character and its helper')
  await library.open(facts())
  t.equal(compiled(), 2, 'what is known is not compiled')
  change(directory, { 'a.ts': character('a', { prompt: '\'new\'' }) })
  const again = await Promise.all(Array.from({ length: 20 }, () => library.open(facts())))
  t.strictSame(await Promise.all(again.map(registry => prompt(registry))), Array(20).fill('new'))
  t.equal(compiled(), 3, 'what changed is')
})

t.test('casts of other directories are loaded by the name of their root', async t => {
  const team = writeCast(t, { 'a.ts': character('team'), 'winter/a.ts': character('winter', { before: 'import { x } from \'../lib/x.js\'', prompt: 'x' }), 'lib/x.ts': 'export const x = \'shared\'' })
  const { library } = createLibrary(t, { 'a.ts': character('default') }, { roots: { team } })
  t.strictSame((await library.open(facts())).names(), ['default'])
  t.strictSame((await library.open(facts(), 'team')).names(), ['team'])
  const winter = await library.open(facts(), 'team/winter')
  t.equal(winter.directory, 'team/winter')
  t.equal(await prompt(winter), 'shared', 'imports go up to the root')
  t.equal((await library.open(facts(), join(team, 'winter'))).directory, 'team/winter', 'an absolute path has the same name')
})

t.test('an empty directory is an empty cast', async t => {
  const { library, directory } = createLibrary(t, {})
  mkdirSync(join(directory, 'sub'))
  const registry = await library.open(facts())
  t.equal(registry.size, 0)
  t.equal(registry.first(), undefined)
  t.match(registry.report, { directory: 'default', loaded_count: 0, error_count: 0, total_files: 0, characters: [], errors: [] })
})

t.test('a character is found by name before voice path', async t => {
  const { registry } = await open(t, { 'a.ts': character('voices/b'), 'b.ts': character('b'), 'c.ts': character('c', { more: 'metadata: { good: false, comment: \'no\' },' }) })
  t.equal(registry.find('voices/b')?.file.endsWith('a.ts'), true)
  t.equal(registry.find('voices/c')?.name, 'c')
  t.equal(registry.find('nobody'), undefined)
  t.strictSame(registry.list().at(-1), { name: 'c', good: false, comment: 'no' })
})

t.test('tools run with their arguments and context, and offer no code', async t => {
  const { registry, logs } = await open(t, { 'a.ts': character('a', { more: 'tools: [{ name: \'add\', description: \'Adds.\', parameters: { type: \'object\' }, run: ({ x, y }: any, { log, session }: any) => { log.info(\'adding\', { x }); return x + y + session.id } }],' }) })
  const first = registry.first()!
  t.strictSame(first.tools, [{ name: 'add', description: 'Adds.', parameters: { type: 'object' } }])
  t.equal(await first.runTool('add', { x: 1, y: 2 }, never), '3session')
  t.match(logs, [{ fields: { x: 1, session: 'session', character: 'a' }, message: 'adding' }])
  await t.rejects(first.runTool('nope', {}, never), { code: 'invalid_tools' })
})

import { chmodSync, mkdirSync, renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { change, character, createLibrary, facts, writeCast } from './casts.js'
import { readSource } from '../../lib/characters/source.js'
import type { CharacterLibraryOptions } from '../../lib/characters/library.js'

const secret = 'globalThis.process.emit(\'escaped-for-test\'); export const x = \'secret\'; export default \'secret\''
let escaped = 0
const count = () => { escaped++ }
process.on('escaped-for-test' as never, count)
t.teardown(() => process.off('escaped-for-test', count))

/** A directory with a root inside, and what must not be reached beside it. */
function setUp (t: Test, options: Partial<CharacterLibraryOptions> = {}) {
  const base = writeCast(t, {
    'cast/good.ts': character('good'),
    'cast/lib/x.ts': 'export const x = 1',
    'outside/secret.ts': secret,
    'outside/secret.json': '{ "secret": true }',
    'outside/a.ts': character('outside')
  })
  return { base, cast: join(base, 'cast'), outside: join(base, 'outside'), ...createLibrary(t, join(base, 'cast'), options) }
}

/** What an import in a character file leads to. */
async function importing (t: Test, statement: (paths: { base: string, outside: string }) => string): Promise<void> {
  const paths = setUp(t)
  change(paths.cast, { 'bad.ts': character('bad', { before: statement(paths) }) })
  const registry = await paths.library.open(facts())
  t.strictSame(registry.names(), ['good'])
  t.match(registry.report.errors, [{ file: 'bad.ts', line: 1, code: 'import_error' }])
  t.equal(escaped, 0)
}

t.test('1. a symlink does not lead out: a directory', async t => {
  const { library, cast, outside } = setUp(t)
  symlinkSync(outside, join(cast, 'link'))
  await t.rejects(library.resolve('default/link'), { code: 'directory_not_allowed', param: 'directory' })
  await t.rejects(library.open(facts(), join(cast, 'link')), { code: 'directory_not_allowed' })
})

t.test('1. a symlink does not lead out: an imported file, a folder on the way, a character file', async t => {
  const { library, cast, outside } = setUp(t)
  symlinkSync(join(outside, 'secret.ts'), join(cast, 'lib/link.ts'))
  symlinkSync(outside, join(cast, 'folder'))
  symlinkSync(join(outside, 'a.ts'), join(cast, 'c.ts'))
  change(cast, { 'a.ts': character('a', { before: 'import { x } from \'./lib/link.js\'; x' }), 'b.ts': character('b', { before: 'import \'./folder/secret.js\'' }) })
  const registry = await library.open(facts())
  t.strictSame(registry.names(), ['good'])
  t.match(registry.report.errors, [
    { file: 'a.ts', line: 1, column: 19, code: 'import_error', message: '\'./lib/link.js\' lies outside of the root.' },
    { file: 'b.ts', line: 1, column: 8, code: 'import_error' },
    { file: 'c.ts', line: null, code: 'import_error' }
  ])
  t.equal(escaped, 0)
})

t.test('2. two dots do not lead out: an import', t => importing(t, () => 'import { x } from \'../outside/secret.js\'; x'))
t.test('2. two dots do not lead out: an import that is no file', t => importing(t, () => 'import \'../../../../../../../../etc/passwd\''))
t.test('2. two dots do not lead out: through a package', t => importing(t, () => 'import \'typebox/../../../outside/secret.js\''))

t.test('2. two dots do not lead out: a directory', async t => {
  const { library, cast } = setUp(t)
  for (const directory of ['default/../outside', 'default/..', '..', '../outside', 'default/lib/../../outside', join(cast, 'lib') + '/../../outside', 'default/./lib', 'default//lib']) {
    await t.rejects(library.resolve(directory), { code: 'directory_not_allowed' }, directory)
  }
})

t.test('3. an absolute path is not imported', t => importing(t, ({ outside }) => `import '${outside}/secret.ts'`))

t.test('3. an absolute directory outside of every root is refused, whether it exists or not', async t => {
  const { library, base, cast, outside } = setUp(t)
  symlinkSync(join(base, 'nowhere'), join(cast, 'dangling'))
  symlinkSync(outside, join(cast, 'link'))
  for (const directory of [outside, '/etc', '/does/not/exist', '/', cast + 'x', join(cast, 'dangling'), join(cast, 'dangling/x'), join(cast, 'link/missing')]) {
    await t.rejects(library.resolve(directory), { code: 'directory_not_allowed' }, directory)
  }
})

t.test('4. a file: URL is not imported', t => importing(t, ({ outside }) => `import 'file://${outside}/secret.ts'`))
t.test('4. nor any other URL', t => importing(t, () => 'import \'data:text/javascript,export default 1\''))
t.test('4. a file: URL is no directory', async t => {
  const { library, cast } = setUp(t)
  await t.rejects(library.resolve(`file://${cast}`), { code: 'directory_not_allowed' })
})

t.test('5. a dynamic import does not lead out', async t => {
  const { library, cast, outside } = setUp(t)
  change(cast, { 'a.ts': character('a', { body: 'return (await import(context.instructions.to)).x' }) })
  const character_ = (await library.open(facts())).find('a')!
  for (const to of ['../outside/secret.js', `${outside}/secret.ts`, `file://${outside}/secret.ts`, 'data:text/javascript,export const x = 1', './lib/\0', '#x', '%2e%2e/outside/secret.js', './%2e%2e/outside/secret.js']) {
    character_.instructions['to'] = to
    await t.rejects(character_.systemPrompt(new AbortController().signal), { code: 'import_error', message: /^a\.ts:6:\d+: / }, to)
  }
  t.equal(escaped, 0)
})

t.test('6. a JSON import does not lead out', t => importing(t, () => 'import x from \'../outside/secret.json\' with { type: \'json\' }; x()'))
t.test('6. a JSON import does not lead out by a symlink', async t => {
  const { library, cast, outside } = setUp(t)
  symlinkSync(join(outside, 'secret.json'), join(cast, 'lib/link.json'))
  change(cast, { 'a.ts': character('a', { before: 'import x from \'./lib/link.json\'; x()' }) })
  t.match((await library.open(facts())).report.errors, [{ file: 'a.ts', code: 'import_error' }])
})

t.test('7. a NUL in an import', t => importing(t, () => 'import \'./lib/x.ts\\0.js\''))
t.test('7. an encoded NUL in an import', t => importing(t, () => 'import \'./lib/x.ts%00.js\''))
t.test('7. a NUL, an empty text and what is no text are no directory', async t => {
  const { library, cast } = setUp(t)
  for (const directory of ['default\0', `${cast}\0`, '', ' ', null, undefined, 5, {}, ['default']]) {
    await t.rejects(library.resolve(directory), { code: 'invalid_directory_format', param: 'directory' })
  }
})

t.test('8. encoded dots and slashes in an import', t => importing(t, () => 'import \'./%2e%2e/outside/secret.js\''))
t.test('8. an encoded slash in an import', t => importing(t, () => 'import \'./..%2foutside/secret.js\''))
t.test('8. doubly encoded dots in an import', t => importing(t, () => 'import \'./%252e%252e/outside/secret.js\''))
t.test('8. encoded dots in a directory are a name like any other', async t => {
  const { library } = setUp(t)
  for (const directory of ['default/%2e%2e/outside', 'default/%252e%252e/outside', 'default/..%2foutside']) {
    await t.rejects(library.resolve(directory), { code: 'directory_not_found' }, directory)
  }
})

t.test('9. case matters in the name of a root', async t => {
  const { library } = setUp(t)
  for (const directory of ['Default', 'DEFAULT', 'default ', 'DEFAULT/lib']) await t.rejects(library.resolve(directory), { code: 'directory_not_allowed' }, directory)
})
t.test('9. case does not lead out of a root', async t => {
  const { library, cast } = setUp(t)
  await t.rejects(library.resolve(cast.toUpperCase()), { code: 'directory_not_allowed' })
})

t.test('9. letters that only look the same are other names', async t => {
  const { library, cast } = setUp(t, {})
  const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301']
  mkdirSync(join(cast, composed))
  change(cast, { [`${composed}/a.ts`]: character('a') })
  t.equal((await library.resolve(`default/${composed}`)).name, `default/${composed}`)
  const other = await library.resolve(`default/${decomposed}`).then(({ path }) => path, error => error.code)
  // A file system may take both for one: then it is that one, by its real path.
  t.ok(other === 'directory_not_found' || other === join(cast, composed), other)
  for (const directory of ['default/\u2024\u2024/outside', 'default/\uff0e\uff0e/outside', 'default\u2215..\u2215outside', 'd\u0435fault']) {
    await t.rejects(library.resolve(directory), { code: /^directory_not_(found|allowed)$/ }, directory)
  }
})

t.test('10. a directory that is swapped with a link all the time never lets the outside in', async t => {
  const { library, cast, outside, base } = setUp(t)
  mkdirSync(join(cast, 'winter'))
  change(cast, { 'winter/a.ts': character('inside') })
  const [inside, link, place] = [join(base, 'kept'), join(base, 'link'), join(cast, 'winter')]
  symlinkSync(outside, link)
  let isLink = false
  const swap = () => {
    renameSync(place, isLink ? link : inside)
    renameSync(isLink ? inside : link, place)
    isLink = !isLink
  }
  const outcomes = new Set<string>()
  for (let n = 0; n < 60; n++) {
    const loading = library.open(facts(), 'default/winter').then(registry => registry.names().join() || 'none', error => error.code as string)
    for (let turns = 0; turns <= n % 5; turns++) {
      swap()
      await new Promise(resolve => setImmediate(resolve))
    }
    outcomes.add(await loading)
  }
  t.notOk(outcomes.has('outside'), [...outcomes].join())
  t.ok(outcomes.has('inside') || outcomes.has('directory_not_allowed'), [...outcomes].join())
  t.equal(escaped, 0)
})

t.test('10. a directory that becomes a symlink after the check is not loaded', async t => {
  const { library, cast, outside, base } = setUp(t)
  mkdirSync(join(cast, 'winter'))
  change(cast, { 'winter/a.ts': character('inside') })
  const loading = library.open(facts(), 'default/winter')
  renameSync(join(cast, 'winter'), join(base, 'moved'))
  symlinkSync(outside, join(cast, 'winter'))
  const registry = await loading
  t.notOk(registry.find('outside'))
  await t.rejects(registry.reload('default/winter'), { code: 'directory_not_allowed' })
})

t.test('10. a file that becomes a symlink after the check is not read', async t => {
  const { cast, outside } = setUp(t)
  const path = join(cast, 'lib/x.ts')
  t.equal(readSource(path, cast)?.text, 'export const x = 1')
  unlinkSync(path)
  symlinkSync(join(outside, 'secret.ts'), path)
  t.throws(() => readSource(path, cast), { name: 'Error' })
})

t.test('what is missing inside of a root is not found; a file or a closed directory is not readable', async t => {
  const { library, cast } = setUp(t)
  await t.rejects(library.resolve('default/missing'), { code: 'directory_not_found' })
  await t.rejects(library.resolve(join(cast, 'missing/deeper')), { code: 'directory_not_found' })
  await t.rejects(library.resolve('default/good.ts'), { code: 'directory_not_readable' })
  await t.rejects(library.resolve('default/good.ts/x'), { code: 'directory_not_found' })
  mkdirSync(join(cast, 'closed'))
  chmodSync(join(cast, 'closed'), 0)
  if (process.getuid?.() === 0) t.pass('the superuser may read everything')
  else await t.rejects(library.resolve('default/closed'), { code: 'directory_not_readable' })
  chmodSync(join(cast, 'closed'), 0o755)
})

t.test('links inside of a root are followed, and one file is one module', async t => {
  const { library, cast } = setUp(t)
  symlinkSync(join(cast, 'lib'), join(cast, 'alias'))
  change(cast, {
    'lib/counter.ts': 'export let count = 0\nexport const up = () => ++count',
    'a.ts': character('a', { before: 'import { up } from \'./lib/counter.js\'; import { count } from \'./alias/counter.js\'', body: 'up(); return String(count)' })
  })
  t.equal(await (await library.open(facts())).find('a')!.systemPrompt(new AbortController().signal), '1')
  t.equal((await library.resolve('default/alias')).name, 'default/lib')
})

t.test('a root may itself be a link, and be named by either path', async t => {
  const { base, cast } = setUp(t)
  symlinkSync(cast, join(base, 'via'))
  const { library } = createLibrary(t, join(base, 'via'))
  t.equal((await library.open(facts())).size, 1)
  t.equal((await library.resolve(cast)).name, 'default')
  t.equal((await library.resolve(join(base, 'via/lib'))).name, 'default/lib')
})

t.test('of nested roots the inner one names the directory', async t => {
  const { cast } = setUp(t)
  const { library } = createLibrary(t, cast, { roots: { inner: join(cast, 'lib') } })
  t.equal((await library.resolve(join(cast, 'lib'))).name, 'inner')
})

t.test('a root that cannot be one is refused at the start, in one line that names it', async t => {
  const wrong: [name: string, path: unknown][] = [['default', '/tmp'], ['te am', '/tmp'], ['a/b', '/tmp'], ['', '/tmp'], ['..', '/tmp'], ['/x', '/tmp'], ['team', ''], ['te.am', 5], ['team', 'a\0b']]
  for (const [name, path] of wrong) {
    t.throws(() => createLibrary(t, {}, { roots: { [name]: path as string } }), {
      name: 'OptionsError', code: 'invalid_options', message: `The characters' root '${name}' is wrong: `
    }, `${name}=${String(path)}`)
  }
})

t.test('the relative path of a root is one from where the server runs', async t => {
  const { cast } = setUp(t)
  const { library } = createLibrary(t, cast, { roots: { near: relative(process.cwd(), join(cast, 'lib')) } })
  t.equal((await library.resolve('near')).path, join(cast, 'lib'))
})

t.test('a directory that goes away after the check is not readable', async t => {
  const { library, cast } = setUp(t)
  mkdirSync(join(cast, 'brief'))
  await library.open(facts(), 'default/brief')
  change(cast, { 'brief/a.ts': character('a') })
  const { rmSync } = await import('node:fs')
  const loading = library.open(facts(), 'default/brief')
  rmSync(join(cast, 'brief'), { recursive: true })
  const outcome = await loading.then(registry => registry.size === 0 || registry.size === 1, error => error.code)
  t.ok(outcome === true || outcome === 'directory_not_readable')
})

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { command } from '../../cli/commands/pack.js'
import { packDirectory } from '../../lib/characters/pack.js'
import { readZip, writeZip } from '../../lib/characters/zip.js'
import { archive, picture, text, v2 } from '../support/cards.js'
import { runCommand } from '../support/command.js'
import { change, character, createLibrary, facts, never, writeCast } from './casts.js'

// A cast in one file is a directory wherever it is named.

// What others unpack at the same time is none of this file's business
process.env['TMPDIR'] = realpathSync(mkdtempSync(join(tmpdir(), 'dramatis-test-packs-')))
t.teardown(() => rmSync(process.env['TMPDIR']!, { recursive: true, force: true }))

const files = {
  'ada.ts': character('Ada', { before: 'import { mark } from \'./lib/mark.js\'', prompt: 'mark' }),
  'lib/mark.ts': 'export const mark = \'first\'\n',
  'bad.ts': 'export default {\n  name: }\n',
  'winter/ivo.ts': character('Ivo', { before: 'import { mark } from \'../lib/mark.js\'', prompt: 'mark' }),
  '.hidden': 'x',
  'node_modules/x/index.js': 'export {}'
}

function pack (directory: string, to: string): void {
  writeFileSync(to, packDirectory(directory).bytes)
}

function setUp (t: Test, more: Record<string, string> = files) {
  const directory = writeCast(t, more)
  writeFileSync(join(directory, 'keeper.png'), picture(text(v2('Keeper'))))
  const place = writeCast(t, { 'good.ts': character('Good') })
  const file = join(place, 'team.zip')
  pack(directory, file)
  return { source: directory, place, file, ...createLibrary(t, place, { roots: { team: file, plain: directory } }) }
}

t.test('it is loaded as its directory would be, errors and version included', async t => {
  const { library } = setUp(t)
  const [plain, packed] = await Promise.all([library.open(facts(), 'plain'), library.open(facts(), 'team')])
  t.strictSame(packed!.names(), ['Ada', 'Keeper'])
  t.match(packed!.report.errors, [{ file: 'bad.ts', line: 2, code: 'syntax_error' }])
  t.strictSame(packed!.report.errors, plain!.report.errors)
  t.equal(packed!.version, plain!.version)
  t.equal(packed!.directory, 'team')
  t.equal(await packed!.find('Ada')!.systemPrompt(never), 'first')
  const winter = await library.open(facts(), 'team/winter')
  t.equal(await winter.find('Ivo')!.systemPrompt(never), 'first')
  t.equal(winter.directory, 'team/winter')
  await t.rejects(library.open(facts(), 'team/nowhere'), { code: 'directory_not_found' })
  await t.rejects(library.open(facts(), 'team/../winter'), { code: 'directory_not_allowed' })
})

t.test('inside of a root it is named as a directory, and a link does not lead out to one', async t => {
  const { library, place, file, source: directory } = setUp(t)
  mkdirSync(join(place, 'more'))
  pack(directory, join(place, 'more', 'b.zip'))
  t.equal((await library.open(facts(), 'default/more/b.zip')).directory, 'default/more/b.zip')
  t.equal((await library.open(facts(), join(place, 'more', 'b.zip', 'winter'))).directory, 'default/more/b.zip/winter')
  const outside = writeCast(t, {})
  pack(directory, join(outside, 'x.zip'))
  symlinkSync(join(outside, 'x.zip'), join(place, 'link.zip'))
  await t.rejects(library.open(facts(), 'default/link.zip'), { code: 'directory_not_allowed' })
  await t.rejects(library.open(facts(), `${file}x`), { code: 'directory_not_found' })
})

t.test('another content is another version, the earlier one comes back, and all that was unpacked goes with the library', async t => {
  const { library, source: directory, file } = setUp(t)
  const leftBefore = unpacked()
  const first = await library.open(facts(), 'team')
  change(directory, { 'lib/mark.ts': 'export const mark = \'second\'\n' })
  pack(directory, file)
  const second = await library.open(facts('2'), 'team')
  t.not(second.version, first.version)
  t.equal(await second.find('Ada')!.systemPrompt(never), 'second')
  t.equal(await first.find('Ada')!.systemPrompt(never), 'first')
  const back = await library.open(facts('3'), `team@${first.version}`)
  t.equal(await back.find('Ada')!.systemPrompt(never), 'first')
  for (let edit = 0; edit < 8; edit++) {
    change(directory, { 'lib/mark.ts': `export const mark = '${edit}'\n` })
    pack(directory, file)
    t.equal(await (await library.open(facts(`edit ${edit}`), 'team')).find('Ada')!.systemPrompt(never), String(edit))
  }
  t.ok(unpacked().length > leftBefore.length)
  await library.close()
  t.strictSame(unpacked(), leftBefore, 'nothing is left')
})

function unpacked (): string[] {
  return readdirSync(tmpdir()).filter(name => name.startsWith('dramatis-casts-'))
}

t.test('the same files make the same bytes, which others can read', async t => {
  const [one, other] = [writeCast(t, files), writeCast(t, Object.fromEntries(Object.entries(files).reverse()))]
  const { bytes, files: names } = packDirectory(one)
  t.ok(bytes.equals(packDirectory(other).bytes))
  t.strictSame(names, ['ada.ts', 'bad.ts', 'lib/mark.ts', 'winter/ivo.ts'])
  const read = []
  for await (const file of readZip(bytes)) read.push([file.name, file.bytes.toString()])
  t.strictSame(Object.fromEntries(read), Object.fromEntries(names.map(name => [name, files[name as keyof typeof files]])))
  symlinkSync('ada.ts', join(one, 'link.ts'))
  t.throws(() => packDirectory(one), { message: /^link\.ts is a link/ })
})

const ada = { name: 'ada.ts', data: character('Ada') }
const zeros = Buffer.alloc(40_000_000)
/** Where nothing may be written. */
const outside = join(tmpdir(), 'evil.ts')
const hostile: [string, () => Buffer, RegExp][] = [
  ['no archive', () => Buffer.from('not a zip'), /cannot be used: /],
  ['cut off', () => writeZip([{ name: 'ada.ts', bytes: Buffer.from(ada.data) }]).subarray(0, -30), /cannot be used: /],
  ['empty', () => Buffer.alloc(0), /cannot be used: /],
  ['a name that leads upwards', () => archive(ada, { name: '../evil.ts', data: 'x' }), /\.\.\/evil\.ts/],
  ['a name that leads upwards later', () => archive(ada, { name: 'a/../../evil.ts', data: 'x' }), /evil/],
  ['an absolute name', () => archive(ada, { name: outside, data: 'x' }), /evil\.ts/],
  ['a name of another system', () => archive(ada, { name: 'C:evil.ts', data: 'x' }), /evil/],
  ['an empty name', () => archive(ada, { name: 'a//b.ts', data: 'x' }), /is no path/],
  ['a name too long', () => archive(ada, { name: 'x'.repeat(2000), data: 'x' }), /too long/],
  ['names too deep', () => archive(ada, { name: `${'x/'.repeat(40)}a.ts`, data: 'x' }), /too long/],
  ['a link', () => archive(ada, { name: 'link.ts', data: '/etc/passwd', mode: 0o120777 }), /neither a file nor a folder/],
  ['a device', () => archive(ada, { name: 'dev', data: '', mode: 0o020666 }), /neither a file nor a folder/],
  ['a name twice', () => archive(ada, ada), /is in it twice/],
  ['a name twice but for its case', () => archive(ada, { ...ada, name: 'ADA.ts' }), /is in it twice/],
  ['a file that is a folder too', () => archive(ada, { name: 'ada.ts/b.ts', data: 'x' }), /a file and a folder/],
  ['encrypted', () => archive({ ...ada, flags: 1 }), /encrypted/],
  ['a bomb', () => archive(ada, ...['a', 'b', 'c', 'd'].map(name => ({ name, data: zeros }))), /more than 134217728 bytes/],
  ['a bomb that lies about its size', () => archive(ada, { name: 'b', data: zeros, size: 10 }), /cannot be used: /],
  ['too many files', () => archive(...Array.from({ length: 4100 }, (none, index) => ({ name: `${index}.txt`, data: '' }))), /4100 files/],
  ['wrong contents', () => { const bytes = Buffer.from(writeZip([{ name: 'ada.ts', bytes: Buffer.from(ada.data) }])); bytes[60]! ^= 1; return bytes }, /checksum/]
]

t.test('a hostile or damaged file is refused with a reason, and leaves nothing behind', async t => {
  const place = writeCast(t, { 'good.ts': character('Good') })
  const { library } = createLibrary(t, place)
  const before = unpacked()
  for (const [index, [what, bytes, message]] of hostile.entries()) {
    const name = `${index}.zip`
    writeFileSync(join(place, name), bytes())
    await t.rejects(library.open(facts(), `default/${name}`), { code: 'directory_not_readable', message }, what)
  }
  t.notOk(existsSync(outside))
  for (const folder of unpacked().filter(name => !before.includes(name))) t.strictSame(readdirSync(join(tmpdir(), folder)), [])
})

t.test('the command packs what loads, and nothing else', async t => {
  const { 'bad.ts': broken, ...good } = files
  const directory = writeCast(t, { ...Object.fromEntries(Object.entries(good).map(([name, source]) => [`cast/${name}`, source])) })
  const cwd = directory
  const made = await runCommand(t, ['pack', 'cast', 'cast/out.zip', '--json'], { cwd })
  t.equal(made.code, 0, made.err)
  t.match(JSON.parse(made.out), { directory: 'cast', out: 'cast/out.zip', files: ['ada.ts', 'lib/mark.ts', 'winter/ivo.ts'], version: /^[0-9a-f]{12}$/, characters: [{ name: 'Ada' }] })
  const bytes = readFileSync(join(directory, 'cast/out.zip'))
  t.match(await runCommand(t, ['pack', 'cast', 'cast/out.zip'], { cwd }), { code: 1, err: /is there already/ })
  t.match(await runCommand(t, ['pack', 'cast', 'cast/out.zip', '--force'], { cwd }), { code: 0, out: /1 character in 3 files/ })
  t.ok(readFileSync(join(directory, 'cast/out.zip')).equals(bytes), 'not itself, when it is packed again')
  t.match(await runCommand(t, ['check', 'cast/out.zip'], { cwd }), { code: 0, out: /✔ Ada/ })
  change(directory, { 'cast/far.ts': character('Far', { before: 'import \'../../elsewhere.js\'' }) })
  t.match(await runCommand(t, ['pack', 'cast', 'other.zip'], { cwd }), { code: 1, err: /far\.ts:1 .*lies outside of the root[^]*Nothing was packed/ })
  t.notOk(existsSync(join(directory, 'other.zip')))
  t.match(await runCommand(t, ['pack', 'nowhere', 'other.zip'], { cwd }), { code: 1, err: /nowhere is not a directory/ })
  await t.rejects(command.run({ force: false, json: false }, ['cast', 'other.tar']), { name: 'UsageError', message: /^OUT must end in \.zip/ })
})

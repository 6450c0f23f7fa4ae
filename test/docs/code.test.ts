import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import { packageRoot } from '../../lib/package-root.js'
import { startServer } from '../support/server.js'
import { runCommand } from '../support/command.js'

const run = promisify(execFile)
const tsx = join(packageRoot, 'node_modules', 'tsx', 'dist')

interface Block { page: string, line: number, language: string, code: string }

const pages = ['README.md', ...readdirSync(join(packageRoot, 'docs')).filter(name => name.endsWith('.md')).map(name => join('docs', name))]

const blocks: Block[] = pages.flatMap(page => {
  const text = readFileSync(join(packageRoot, page), 'utf8')
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```/gm)].map(({ 1: language = '', 2: code = '', index }) => ({
    page, language, code, line: text.slice(0, index).split('\n').length
  }))
})
const of = (language: string, where: (block: Block) => boolean = () => true) => blocks.filter(block => block.language === language && where(block))
const name = ({ page, line }: Block) => `${page}:${line}`

t.test('every JSON of the docs is JSON', async t => {
  for (const block of of('json')) t.doesNotThrow(() => JSON.parse(block.code), name(block))
})

t.test('every character of the docs loads, and says what it is', async t => {
  for (const block of of('ts', ({ code }) => code.includes('export default defineCharacter'))) {
    const library = createCharacterLibrary({ directory: t.testdir({ 'character.ts': block.code }) })
    try {
      const registry = await library.open({ id: 'docs', startedAt: new Date(), language: null })
      t.same(registry.report.errors, [], name(block))
      t.match(await registry.first()!.systemPrompt(AbortSignal.timeout(10_000)), /\w/, name(block))
    } finally {
      await library.close()
    }
  }
})

t.test('every whole program of the docs runs', async t => {
  const server = await startServer(t)
  const programs = of('js', ({ code, page }) => code.startsWith('import ') && ['README.md', 'docs/client.md', 'docs/embedding.md'].includes(page))
  t.ok(programs.length >= 3)
  const folder = t.testdir({})
  mkdirSync(join(folder, 'node_modules'))
  for (const dependency of ['ws', 'fastify']) symlinkSync(join(packageRoot, 'node_modules', dependency), join(folder, 'node_modules', dependency))
  for (const [index, block] of programs.entries()) {
    const file = join(folder, `program-${index}.mjs`)
    const source = block.code
      .replaceAll('ws://127.0.0.1:8000', `ws://127.0.0.1:${server.port}`)
      .replaceAll('\'dramatis/client\'', JSON.stringify(pathToFileURL(join(packageRoot, 'lib', 'client', 'index.ts')).href))
      .replaceAll('\'dramatis\'', JSON.stringify(pathToFileURL(join(packageRoot, 'app.ts')).href))
      // What it needs beside itself stands elsewhere here, and it must end.
      .replace('\'./my-cast\'', JSON.stringify(join(packageRoot, 'characters')))
      .replace('port: 3000', 'port: 0') + (block.code.includes('app.close()') || !block.code.includes('app.listen') ? '' : '\nconsole.log(\'listens\')\nawait app.close()\n')
    writeFileSync(file, source)
    const { stdout } = await run(process.execPath, ['--require', join(tsx, 'preflight.cjs'), '--import', pathToFileURL(join(tsx, 'loader.mjs')).href, file], { timeout: 60_000, cwd: folder })
    t.match(stdout, /\w/, `${name(block)} says something`)
  }
})

t.test('every command of the docs is one, and those that need nothing else do what they say', async t => {
  const cwd = t.testdir({})
  symlinkSync(join(packageRoot, 'characters'), join(cwd, 'characters'))
  const server = await startServer(t)
  const lines = of('sh').flatMap(({ code, ...block }) => code.split('\n').map(line => ({ ...block, line: line.replace(/ +#.*$/, '') }))).filter(({ line }) => line.includes('npx dramatis'))
  t.ok(lines.length >= 6)
  const done = new Set<string>()
  for (const { page, line } of lines.toSorted((a, b) => Number(b.line.includes(' new ')) - Number(a.line.includes(' new ')))) {
    const { said = '', command = '' } = /^(?:echo "(?<said>[^"]*)" \| )?npx dramatis (?<command>.*)$/.exec(line)!.groups!
    if (done.has(command)) continue
    done.add(command)
    const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
    // The server of the example is the one that runs here.
    const at = args[0] === 'load' ? ['--url', server.http, '--sessions', '2', '--turns', '1'] : []
    const { code, err } = await runCommand(t, [...args, ...at], { cwd, input: `${said}\n` })
    t.equal(code, 0, `${page}: ${line}\n${err}`)
  }
})

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { runInNewContext } from 'node:vm'
import { transform } from 'esbuild'
import OpenAI from 'openai-7'
import { OpenAIRealtimeWS } from 'openai-7/realtime/ws'
import t from 'tap'
import { parse } from 'yaml'
import { readKeysFile } from '../../lib/access/keys-file.js'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import { createDemoLlm } from '../../lib/engines/demo/llm.js'
import { Environment } from '../../lib/environment.js'
import { packageRoot } from '../../lib/package-root.js'
import { startChatServer } from '../support/chat-server.js'
import { runCommand } from '../support/command.js'
import { Inbox } from '../support/inbox.js'
import { ServerProcess } from '../support/process.js'
import { isBuilt, loader, moduleFile } from '../support/program.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { startServer } from '../support/server.js'
import { left, name, take, takeOne, type Block } from './blocks.js'

const run = promisify(execFile)
const { scripts, overrides, allowScripts, peerDependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))

/** A folder in which programs find the packages that their authors have installed. */
function workshop (): string {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'node_modules'))
  for (const dependency of ['ws', 'fastify', 'ajv']) symlinkSync(join(packageRoot, 'node_modules', dependency), join(folder, 'node_modules', dependency))
  return folder
}

let programs = 0

/** Runs a program as it stands but for where it is; what it prints. */
async function runProgram (folder: string, source: string, port: number): Promise<string> {
  const text = source
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${port}`)
    .replaceAll('\'dramatis/client\'', JSON.stringify(pathToFileURL(moduleFile('lib/client/index')).href))
    .replaceAll('\'dramatis\'', JSON.stringify(pathToFileURL(moduleFile('app')).href))
    .replace('\'./my-cast\'', JSON.stringify(join(packageRoot, 'characters')))
    .replace('port: 3000', 'port: 0')
  const file = join(folder, `program-${++programs}.mjs`)
  writeFileSync(file, (await transform(text, { loader: 'ts', format: 'esm' })).code)
  return (await run(process.execPath, [...isBuilt ? [] : loader, file], { timeout: 60_000, cwd: folder })).stdout
}

t.test('the keys file is one', async t => {
  const file = join(t.testdir({ 'keys.json': takeOne('json', 'docs/access.md').code }), 'keys.json')
  t.strictSame(readKeysFile(file, ['team']).map(({ name }) => name), ['kiosk', 'phone'])
})

t.test('what an embedder is told to put into package.json is what this package has itself', async t => {
  const told = JSON.parse(takeOne('json', 'docs/engines-local.md').code)
  t.match(overrides, told.overrides)
  t.match(allowScripts, told.allowScripts)
})

t.test('the body of a client secret makes one', async t => {
  const { http } = await startServer(t)
  const block = takeOne('json', 'docs/session.md')
  const answer = await fetch(`${http}/v1/realtime/client_secrets`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: block.code })
  t.equal(answer.status, 200)
  t.match(await answer.json(), { value: /^ek_/, session: JSON.parse(block.code).session })
})

t.test('a session is taken up as the page says', async t => {
  const { port } = await startServer(t)
  const told = JSON.parse(takeOne('json', 'docs/resume.md').code)
  const { code } = takeOne('ts', 'docs/resume.md')
  // The library dials wss only: a plain connection is put under it.
  class Plain extends OpenAIRealtimeWS {
    constructor (props: object, client: OpenAI) { super({ ...props, options: { createConnection: () => connect({ host: '127.0.0.1', port }) } } as never, client) }
  }
  const begin = new Function('OpenAIRealtimeWS', 'client', `${code.replaceAll('wss://voice.example.com', `wss://localhost:${port}`)}\nreturn rt`) // eslint-disable-line no-new-func
  const rt = begin(Plain, new OpenAI({ apiKey: 'none', baseURL: `http://localhost:${port}/v1` })) as OpenAIRealtimeWS
  t.teardown(() => rt.close())
  const inbox = new Inbox()
  rt.on('event', inbox.push)
  const { session } = await inbox.next('session.created')
  t.strictSame(Object.keys(session.resume), Object.keys(told.session.resume))
  rt.socket.terminate()
  t.match((await inbox.next('session.created')).session, { id: session.id, resume: { resumed: true } })
})

t.test('every character loads, and says what it is', async t => {
  for (const block of take('ts', ({ code }) => code.includes('export default defineCharacter'))) {
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

t.test('the characters of the docs answer one after the other', async t => {
  const { port } = await startServer(t, { llm: createDemoLlm() })
  const { code } = takeOne('js', 'docs/several-characters.md')
  t.equal(await runProgram(workshop(), code, port), [
    'selected: Anna', 'selected: Anna', 'Anna: He is. Bob, a visitor!', 'Bob: Bob here. What is broken?', ''
  ].join('\n'))
})

t.test('every whole program runs', async t => {
  const { port } = await startServer(t)
  const folder = workshop()
  await Promise.all(take('js', ({ code }) => code.startsWith('import ') && !code.startsWith('import Ajv')).map(async block => {
    // A server is to serve on; here it must end.
    const end = block.code.includes('app.listen') && !block.code.includes('app.close()') ? '\nconsole.log(\'listens\')\nawait app.close()\n' : ''
    t.match(await runProgram(folder, block.code + end, port), /\w/, `${name(block)} says something`)
  }))
})

t.test('the schema at its URL knows the events', async t => {
  const { port } = await startServer(t)
  const { code } = takeOne('js', 'docs/protocol.md', 'import Ajv')
  const source = code.replace('\'ajv/dist/2020.js\'', JSON.stringify(pathToFileURL(join(packageRoot, 'node_modules', 'ajv', 'dist', '2020.js')).href)).replace('import Ajv', 'import { Ajv2020 as Ajv }')
  t.equal(await runProgram(workshop(), `${source}\nconsole.log(isEvent({ type: 'input_audio_buffer.cleared', event_id: 'event_1' }), isEvent({ type: 'x' }))`, port), 'true false\n')
})

t.test('the events of the README do what it says of them', async t => {
  const character = takeOne('js', 'README.md', 'send({ type: \'session.characters.reload\'')
  const mine = /```ts\n([^]*?)```/.exec(readFileSync(join(packageRoot, 'README.md'), 'utf8'))![1]!
  const { connect } = await startServer(t, { characters: { roots: { mine: t.testdir({ 'ferryman.ts': mine }) } } })
  const client = await connect()
  const [reload, select] = [...character.code.matchAll(/^send\((.*?)\)(?: +\/\/.*)?$/gm)].map(([, event]) => runInNewContext(`(${event})`) as { type: string })
  client.send(reload!)
  t.match(await client.next('session.characters.reloaded'), { directory: 'mine', loaded_count: 1 })
  await client.next('session.updated')
  client.send(select!)
  t.match(await client.next('session.updated'), { session: { character: 'Ferryman' } })
})

t.test('the engine of the docs is registered, and its contract is a test of the engines', async t => {
  const { code } = takeOne('ts', 'docs/engines.md', '// piper-tts.ts')
  const register = takeOne('js', 'docs/engines.md', 'app.register')
  const { port } = await startServer(t)
  const source = `${code}\nimport Fastify from 'fastify'\nimport dramatis from 'dramatis'\nconst app = Fastify()\n${register.code}\nawait app.ready()\nconsole.log((await app.inject('/health/ready')).json().engines.tts)\nawait app.close()`
  t.equal(await runProgram(workshop(), source, port), 'down\n', 'as no Piper runs here')
  // test/engines/contract.test.ts does as the page says, with the engine of the page.
  const contract = takeOne('ts', 'docs/engines.md', 'of contract(')
  const tested = readFileSync(join(packageRoot, 'test', 'engines', 'contract.test.ts'), 'utf8')
  t.match(tested, 'docs/engines.md')
  t.match(tested, /for \(const \{ promise, check \} of contract\(/)
  t.match(contract.code, /for \(const \{ promise, check \} of contract\(/)
})

/** The lines of shell blocks, without their comments and joined where they are continued. */
const lines = (blocks: Block[]) => blocks.flatMap(block => block.code.replaceAll(/\\\n */g, '').trim().split('\n').map(line => ({ block, line: line.replace(/ +#.*$/, '') })))

t.test('every command does what it says', async t => {
  const cwd = t.testdir({})
  symlinkSync(join(packageRoot, 'characters'), join(cwd, 'characters'))
  const server = await startServer(t)
  const done = new Set<string>()
  const commands = lines(take('sh', ({ code }) => code.includes('npx dramatis'))).filter(({ line }) => !done.has(line) && done.add(line))
  const runAll = async (list: typeof commands) => {
    for (const { block, line } of list) {
      const { said = '', command = '' } = /^(?:echo "(?<said>[^"]*)" \| )?npx dramatis (?<command>.*)$/.exec(line)!.groups!
      const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
      // The server of the example is the one that runs here.
      const at = args[0] === 'load' ? ['--url', server.http, '--sessions', '2', '--turns', '1', '--ramp', '0'] : []
      const { code, err } = await runCommand(t, [...args, ...at], { cwd, input: `${said}\n` })
      t.equal(code, 0, `${name(block)}: ${line}\n${err}`)
    }
  }
  // The others talk to the character that this one writes; those of a block follow each other.
  const isFirst = ({ line }: typeof commands[number]) => line.includes(' new ')
  await runAll(commands.filter(isFirst))
  const rest = commands.filter(command => !isFirst(command))
  await Promise.all([...new Set(rest.map(({ block }) => block))].map(block => runAll(rest.filter(command => command.block === block))))
})

t.test('every server starts as it is told to', async t => {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const cast = join(packageRoot, 'characters')
  await Promise.all(lines(take('sh', ({ code }) => /^([A-Z_]+=\S+ )+npm start$/m.test(code))).map(async ({ block, line }) => {
    if (line.startsWith('npm install ')) {
      t.ok(line.split(' ')[2]! in peerDependencies, `${name(block)}: ${line}`)
      return
    }
    const variables = Object.fromEntries([...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, variable = '', value = '']) => [variable, value]))
    for (const variable of Object.keys(variables)) t.ok(variable in Environment.properties, `${name(block)}: ${variable}`)
    if (variables.LLM_BASE_URL !== undefined) variables.LLM_BASE_URL = chat.url
    if (variables.CHARACTERS_DIR !== undefined) variables.CHARACTERS_DIR = cast
    if (variables.REDIS_URL !== undefined) {
      if (withoutRedis !== false) {
        t.comment(`${name(block)} is left out: ${withoutRedis}`)
        return
      }
      variables.REDIS_URL = (await RedisServer.start(t)).url
    }
    // Nobody speaks here: the local engines need not be loaded by each.
    const server = ServerProcess.start(t, { STT_BASE_URL: chat.url, TTS_BASE_URL: chat.url, ...variables })
    const port = await server.port()
    t.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200, `${name(block)}: ${line}`)
    server.child.kill('SIGTERM')
    t.match(await server.exited, { code: 0 })
  }))
})

t.test('the commands that this package cannot run on itself are made of what there is', async t => {
  // `.ci/run` does both on a fresh clone, and to run the tests within a test would never end.
  for (const block of take('sh', ({ code }) => /^npm ci && npm (start|test)\n$/.test(code))) {
    t.ok(block.code.trim().split(' ').at(-1)! in scripts, name(block))
  }
  // Installs packages: elsewhere, and by the network.
  const install = takeOne('sh', 'docs/engines-local.md', 'npm install')
  for (const dependency of install.code.replace('npm install', '').match(/[@\w/-]+/g)!) t.ok(dependency in peerDependencies, `${name(install)}: ${dependency}`)
  // The SDK of OpenTelemetry is the operator's own; test/tracing runs one.
  const traced = takeOne('sh', 'docs/tracing.md')
  t.ok('TRACING' in Environment.properties)
  t.match(traced.code, scripts.start.split(' ').at(-1), `${name(traced)} starts what npm start does`)
  // Takes minutes as a whole; test/conformance.test.ts runs it.
  const conformance = takeOne('sh', 'docs/conformance.md')
  const { stdout } = await run(process.execPath, [...loader, join(packageRoot, 'conformance', 'run.ts'), '--help'])
  for (const option of conformance.code.match(/--[a-z]+/g)!) t.match(stdout, option, `${name(conformance)}: ${option}`)
  for (const block of take('sh', ({ code }) => code.startsWith('npm run bench'))) {
    for (const bench of block.code.trim().split(' -- ')[1]!.split(' ')) t.ok(existsSync(join(packageRoot, 'bench', `${bench}.ts`)), `${name(block)}: ${bench}`)
  }
})

t.test('the schema is fetched by a command; what makes types of it is not ours', async t => {
  const { port } = await startServer(t)
  const block = takeOne('sh', 'docs/protocol.md', 'curl')
  const [fetched = '', made = ''] = lines([block]).map(({ line }) => line)
  t.match(made, /^npx json-schema-to-typescript realtime\.json/)
  const path = /^curl -s http:\/\/127\.0\.0\.1:8000(\S+) > realtime\.json$/.exec(fetched)![1]!
  t.match(await (await fetch(`http://127.0.0.1:${port}${path}`)).json(), { $defs: {} })
})

t.test('what Prometheus is told to scrape is one job', async t => {
  t.match(parse(takeOne('yaml', 'deploy/README.md').code), { scrape_configs: [{ job_name: 'dramatis' }] })
})

t.test('nothing else stands in the docs that looks like code', async t => {
  // A drawing, and what a report looks like.
  takeOne('', 'docs/namespaces.md', '│')
  takeOne('', 'docs/conformance.md', '✗')
  t.same(left(), [], 'each is run by a test: give it one')
})

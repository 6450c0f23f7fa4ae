import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readEnvironment } from '../lib/environment.js'
import { packageRoot } from '../lib/package-root.js'
import { TestClient } from './support/client.js'
import { character, writeCast } from './characters/casts.js'
import { ServerProcess, withoutSpeech } from './support/process.js'
import { childrenOf, isAlive } from './support/processes.js'
import { moduleFile, program } from './support/program.js'
import { until } from './support/until.js'

/** Starts a server that cannot run; it must end by itself with exactly one line. */
async function complaint (environment: Record<string, string>): Promise<string> {
  const server = ServerProcess.start(t, { LOG_LEVEL: 'silent', ...withoutSpeech, ...environment })
  const { code } = await server.exited
  const lines = server.output.trim().split('\n')
  if (code !== 1 || lines.length !== 1) throw new Error(`Expected exit 1 and one line, got ${code}:\n${server.output}`)
  return lines[0]!
}

t.test('it says where it listens and what to do next, answers, and stops with 0 on SIGTERM; then the port is free again', async t => {
  const first = ServerProcess.start(t)
  const port = await first.port()
  await first.prints(/Connect an OpenAI Realtime client to ws:\/\/.*\/v1\/realtime; the demo brain answers/)
  const client = await TestClient.connect(`ws://127.0.0.1:${port}/v1/realtime`)
  t.match(await client.ask('Hello, who are you?'), /\w+/)
  first.child.kill('SIGTERM')
  t.match(await client.closed, { code: 1001 })
  t.match(await first.exited, { code: 0 })

  const second = ServerProcess.start(t, { PORT: String(port), ...withoutSpeech })
  t.equal(await second.port(), port)
  const again = await TestClient.connect(`ws://127.0.0.1:${port}/v1/realtime`)
  t.match(await again.ask('Hello again'), /\w+/)
  await again.close()
})

t.test('who closes the terminal in which it runs ends it, and all processes of it', { skip: !existsSync('/usr/bin/script') && 'there is no script(1), which has a terminal' }, async t => {
  await Promise.all(['1', '2'].map(async WORKERS => {
    const command = ['exec', process.execPath, ...program('server')].join(' ')
    const terminal = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { cwd: packageRoot, env: { PATH: process.env.PATH, PORT: '0', WORKERS, ...withoutSpeech } })
    let shown = ''
    terminal.stdout.on('data', chunk => { shown += chunk })
    await until(() => shown.includes('Connect an OpenAI Realtime client'))
    const [server] = childrenOf(terminal.pid!, moduleFile('server'))
    const processes = [server!, ...childrenOf(server!, '')]
    t.teardown(() => { for (const pid of processes.filter(isAlive)) process.kill(pid, 'SIGKILL') })
    t.ok(processes.length >= Number(WORKERS))
    terminal.kill('SIGKILL')
    await until(() => !processes.some(isAlive))
  }))
})

t.test('what cannot start says so in one line', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => taken.once('listening', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo

  const causes: [environment: Record<string, string>, line: RegExp][] = [
    [{ PORT: String(port) }, new RegExp(`address already in use 127\\.0\\.0\\.1:${port}\\. Set PORT`)],
    [{ STT_BASE_URL: '', STT_MODEL: join(tmpdir(), 'no-such-model') }, /no-such-model/],
    [{ CHARACTERS_DIR: join(tmpdir(), 'no-such-cast') }, /no-such-cast/],
    [{ DEFAULT_CHARACTER: 'Nobody At All' }, /DEFAULT_CHARACTER|Nobody At All/],
    [{ HOST: '0.0.0.0' }, /API_KEYS is empty/],
    [{ TLS_CERT: tmpdir(), TLS_KEY: tmpdir() }, /^Cannot start: EISDIR/]
  ]
  await Promise.all(causes.map(async ([environment, line]) => t.match(await complaint(environment), line)))
})

t.test('a language model that cannot be reached is one warning, and the server serves', async t => {
  const server = ServerProcess.start(t, { LLM_BASE_URL: 'http://127.0.0.1:1/v1', LLM_MODEL: 'some-model', LLM_API_KEY: 'sk-very-secret', ...withoutSpeech })
  const port = await server.port()
  await server.prints(/cannot be reached/)
  t.equal(server.output.split('\n').filter(line => /The language model at .*cannot be reached/.test(line)).length, 1)
  t.notMatch(server.output, /\n\s+at /)

  const client = await TestClient.connect(`ws://127.0.0.1:${port}/v1/realtime?api_key=sk-in-query`, ['realtime', 'openai-insecure-api-key.sk-in-protocol'])
  client.say('Hello')
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  const { response } = await client.next('response.done')
  t.match(response, { status: 'failed', status_details: { type: 'failed', error: { code: 'engine_unavailable', message: /cannot be reached/ } } })
  await client.close()
  await server.prints(/session closed/)
  t.notMatch(server.output, /sk-/, 'no secret is logged')
})

t.test('a model server that repeats the key in its refusal does not get it into the log', async t => {
  const upstream = createHttpServer((request, response) => {
    response.writeHead(401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { message: `Incorrect API key provided: ${request.headers.authorization}`, code: 'invalid_api_key' } }))
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => upstream.once('listening', resolve))
  t.teardown(() => upstream.close())
  const { port: upstreamPort } = upstream.address() as AddressInfo

  const server = ServerProcess.start(t, { LLM_BASE_URL: `http://127.0.0.1:${upstreamPort}/v1`, LLM_MODEL: 'some-model', LLM_API_KEY: 'sk-very-secret', ...withoutSpeech })
  const client = await TestClient.connect(`ws://127.0.0.1:${await server.port()}/v1/realtime`)
  client.say('Hello')
  client.send({ type: 'response.create' })
  const { response } = await client.next('response.done')
  t.match(response.status_details, { error: { message: /refused the API key/ } })
  await client.close()
  await server.prints(/session closed/)
  t.match(server.output, /refused the API key/)
  t.notMatch(server.output, /sk-very-secret/)
})

t.test('a promise that a character forgets does not end the server', async t => {
  const cast = writeCast(t, {
    'careless.ts': `import { readFile } from 'node:fs/promises'
export default { name: 'Careless', voice: { source: 'file', path: 'mine/careless' }, instructions: { prompt: '' },
  systemPrompt () { readFile('/no/such/file'); return '' }, examples: [{ user: 'Hello', character: 'Hello yourself.' }] }`
  })
  const server = ServerProcess.start(t, { CHARACTERS_DIR: cast, ...withoutSpeech })
  const client = await TestClient.connect(`ws://127.0.0.1:${await server.port()}/v1/realtime`)
  t.equal(await client.ask('Hello'), 'Hello yourself.')
  await server.prints(/rejected and nobody awaits it/)
  t.match(await client.ask('Hello'), /\w/)
  await client.close()
})

t.test('a bug of the server\'s own is told, and ends neither the process nor a session; it still stops with 0', async t => {
  const server = ServerProcess.start(t, { DRAIN_SECONDS: '60', ...withoutSpeech }, true)
  const url = `ws://127.0.0.1:${await server.port()}/v1/realtime`
  const [speaking, idle] = [await TestClient.connect(url), await TestClient.connect(url)]
  // Not while a cast's code runs: what is thrown in its very turn may be taken for the cast's.
  server.child.kill('SIGUSR2')
  await server.prints(/"message":"thrown by the server"[^\n]*"msg":"An error was thrown and nobody caught it"/)
  await server.prints(/"message":"forgotten by the server"[^\n]*"msg":"A promise was rejected and nobody awaits it"/)
  t.match(await speaking.ask('Hello, who are you?'), /\w/)
  t.match(await idle.ask('And you?'), /\w/)
  server.child.kill('SIGTERM')
  t.match([await speaking.closed, await idle.closed], [{ code: 1001 }, { code: 1001 }])
  t.match(await server.exited, { code: 0 })
})

t.test('audio is not logged, whatever the level', async t => {
  const server = ServerProcess.start(t, { LOG_LEVEL: 'trace' })
  const client = await TestClient.connect(`ws://127.0.0.1:${await server.port()}/v1/realtime`)
  const audio = Buffer.alloc(4800, 'spoken').toString('base64')
  for (let i = 0; i < 20; i++) client.send({ type: 'input_audio_buffer.append', audio })
  t.match(await client.ask('Hello', { output_modalities: ['audio'] }), /\w+/)
  await client.close()
  await server.prints(/session closed/)
  t.notMatch(server.output, audio.slice(0, 40))
  t.ok(server.output.split('\n').length < 20, `${server.output.split('\n').length} lines`)
})

t.test('with a certificate it serves wss', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'dramatis-tls-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1',
    '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const server = ServerProcess.start(t, { TLS_CERT: cert, TLS_KEY: key, ...withoutSpeech })
  const client = await TestClient.connect(`wss://127.0.0.1:${await server.port()}/v1/realtime`, [], { rejectUnauthorized: false })
  t.match(await client.ask('Hello'), /\w+/)
  await client.close()
  await writeFile(key, 'not a key')
  t.match(await complaint({ TLS_CERT: cert, TLS_KEY: key }), /TLS_CERT|TLS_KEY/)
})

t.test('each variable sets its option, and a wrong value is named', async t => {
  const { options, host, port } = readEnvironment({
    PORT: '9000',
    API_KEYS: 'a, b',
    CHARACTERS_ROOTS: 'team=/srv/team,more=/srv/more',
    DEFAULT_CHARACTER: 'none',
    LLM_BASE_URL: 'http://127.0.0.1:11434/v1',
    OPENAI_API_KEY: 'sk',
    MAX_SESSIONS: '5',
    IDLE_TIMEOUT_SECONDS: '30',
    METRICS_SESSION_LABEL: 'true',
    ALLOWED_ORIGINS: 'https://a.example',
    LLM_MODEL: ''
  })
  t.match({ host, port }, { host: '127.0.0.1', port: 9000 })
  t.match(options, {
    apiKeys: ['a', 'b'],
    allowedOrigins: ['https://a.example'],
    characters: { roots: { team: '/srv/team', more: '/srv/more' }, default: null },
    llm: { engine: 'openai', baseUrl: 'http://127.0.0.1:11434/v1', apiKey: 'sk' },
    limits: { sessions: 5, idleSeconds: 30 },
    metrics: { sessionLabel: true }
  })
  for (const [name, value] of Object.entries({
    PORT: '1.5', MAX_SESSION_SECONDS: '0', LLM_BASE_URL: 'localhost:11434', LOG_LEVEL: 'loud', LLM_ENGINE: 'gpt', STT_ENGINE: 'ears', MAX_SESSIONS: '0', CHARACTERS_ROOTS: 'team', METRICS_SESSION_LABEL: 'yes', TLS_CERT: 'cert.pem'
  })) {
    t.throws(() => readEnvironment({ [name]: value }), { code: 'invalid_options', message: new RegExp(`^${name}\\b.*`) }, name)
  }
  t.throws(() => readEnvironment({ WORKERS: '2', NODE_NAME: 'n'.repeat(61) }), { message: /^NODE_NAME is too long/ })
})

t.test('what holds the event loop for ever is told on standard error, by its file', async t => {
  // The loop ends the process's own log too: the thread that watches has to say it.
  const cast = writeCast(t, { 'holder.ts': character('holder', { body: 'await null\n  for (;;) {}' }) })
  const server = ServerProcess.start(t, { CHARACTERS_DIR: cast, ...withoutSpeech })
  const client = await TestClient.connect(`ws://127.0.0.1:${await server.port()}/v1/realtime`)
  client.send({ type: 'response.create' })
  const { line } = (await server.prints(/^(?<line>.*The event loop is held.*)$/m)).groups!
  t.equal(JSON.parse(line!).file, join(cast, 'holder.ts'))
})

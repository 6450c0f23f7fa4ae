import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import t from 'tap'
import { WebSocket } from 'ws'
import dramatis from '../app.js'
import { packageRoot } from '../lib/package-root.js'
import { picture, v3 } from './support/cards.js'
import { castOf, characterSource } from './support/casts.js'
import { cannedEngines } from './support/engines.js'
import { eventually } from './support/fleet.js'
import { isBuilt } from './support/program.js'
import { samplesOf } from './support/prometheus.js'
import { refusal, type Refusal } from './support/refusal.js'
import { startServer, testServer } from './support/server.js'

const run = promisify(execFile)
const limits = { drainSeconds: 0 }
const json = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers })
  return { status: response.status, body: await response.json() as any }
}

t.test('the voices are the default cast without those that are hidden', async t => {
  const server = await startServer(t)
  const { body } = await json(`${server.http}/v1/voices`)
  const client = await server.connect()
  const created = client.of('session.created')[0]!
  t.ok(body.length >= 8)
  t.ok(body.every((one: any) => typeof one.name === 'string' && typeof one.voice.path === 'string' && typeof one.description === 'string'))
  t.not(body.length, created.session.characters.length, 'a hidden one can still be selected')
})

t.test('the voices of another cast are told to whoever may load it, with paths of its pictures', async t => {
  const keeper = v3('Old Keeper', { assets: [{ type: 'icon', uri: `data:image/png;base64,${picture().toString('base64')}`, name: 'main', ext: 'png' }] })
  const team = t.testdir({ ...castOf('Ben'), 'keeper.json': JSON.stringify(keeper) })
  const server = await startServer(t, { apiKeys: ['sk-one'], characters: { roots: { team } } })
  const authorization = 'Bearer sk-one'
  const { status, body } = await json(`${server.http}/v1/voices?characters=team`, { authorization })
  t.equal(status, 200)
  t.match(body, [{ name: 'Ben', voice: { source: 'file' } }, { name: 'Old Keeper', picture: '/v1/voices/Old%20Keeper/picture?characters=team' }])
  t.equal((await fetch(server.http + body[1].picture, { headers: { authorization } })).headers.get('content-type'), 'image/png')
  for (const path of ['/v1/voices?characters=team', body[1].picture]) t.equal((await fetch(server.http + path)).status, 401, path)
  t.match(await json(`${server.http}/v1/voices?characters=elsewhere`, { authorization }), { status: 400, body: { error: { code: 'directory_not_allowed', param: 'characters' } } })
})

t.test('the models are the one in use', async t => {
  const server = await startServer(t)
  const { body } = await json(`${server.http}/v1/models`)
  t.match(body, { object: 'list', data: [{ id: 'script', object: 'model', owned_by: 'scripted' }] })
})

t.test('the sessions are listed in pages to whoever has a key', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one'] })
  const authorization = 'Bearer sk-one'
  const clients = [await server.connect('', [], { authorization }), await server.connect('?character=Magnus', [], { authorization })]
  const [first, second] = clients.map(client => client.of('session.created')[0]!.session)
  await clients[1]!.ask('Hello')

  t.match(await json(`${server.http}/v1/sessions`), { status: 401, body: { error: { code: 'invalid_api_key' } } })
  const page = await json(`${server.http}/v1/sessions?limit=1`, { authorization })
  t.match(page.body, { data: [{ id: first!.id, directory: 'default', selected: first!.character, active_response: null }] })
  const { body } = await json(`${server.http}/v1/sessions?limit=1&after=${encodeURIComponent(page.body.next)}`, { authorization })
  t.match(body, { data: [{ id: second!.id, selected: 'Magnus', counters: { responses: 1, items: 2 } }], next: null })
  t.strictSame(body.data[0].characters, second!.characters)
})

t.test('an operator ends a session, or all of them and takes nobody in; both want a key', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one'] })
  const authorization = 'Bearer sk-one'
  const post = async (path: string, headers: Record<string, string> = { authorization }) => {
    const response = await fetch(server.http + path, { method: 'POST', headers })
    return { status: response.status, body: await response.json() as any }
  }
  const [first, second] = [await server.connect('', [], { authorization }), await server.connect('', [], { authorization })]
  const { id } = first.of('session.created')[0]!.session
  t.match(await post(`/v1/sessions/${id}/close`, {}), { status: 401 })
  t.match(await post('/v1/drain', {}), { status: 401 })
  t.match(await post('/v1/drain', { authorization, origin: 'https://elsewhere.example' }), { status: 403 })
  t.match(await post(`/v1/sessions/${id}/close`), { status: 200, body: { id, closed: true } })
  t.match(await first.closed, { code: 1001, reason: 'closed by the operator' })
  t.match(await post(`/v1/sessions/${id}/close`), { status: 404, body: { error: { code: 'session_not_found', param: 'id' } } })
  t.match(await post('/v1/drain'), { status: 202, body: { status: 'draining', sessions: 1 } })
  t.match(await second.closed, { code: 1001, reason: 'server shutting down' })
  t.match(await refusal(`ws://127.0.0.1:${server.port}/v1/realtime`, { authorization }), { status: 503, body: { error: { code: 'server_draining' } } })
})

t.test('an ephemeral key does nothing of what an operator does', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one'] })
  const post = { method: 'POST', body: '{"root":"default"}' }
  const ask = async (path: string, key: string, init = {}) => await fetch(server.http + path, { ...init, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } })
  const { value } = await (await ask('/v1/realtime/client_secrets', 'sk-one', { method: 'POST', body: '{}' })).json() as { value: string }
  const client = await server.connect('', [], { authorization: `Bearer ${value}` })
  const { id } = client.of('session.created')[0]!.session
  for (const path of ['/v1/sessions', '/v1/nodes']) t.equal((await ask(path, value)).status, 401, path)
  for (const path of [`/v1/sessions/${id}/close`, '/v1/characters/reload', '/v1/drain']) t.equal((await ask(path, value, post)).status, 401, path)
  t.match(await client.update({}), { id }, 'its session goes on')
})

t.test('the probes tell that the process lives, is ready, and what of it is up', async t => {
  const server = await startServer(t)
  t.strictSame(await json(`${server.http}/health/live`), { status: 200, body: { status: 'live' } })
  t.strictSame(await json(`${server.http}/health/ready`), { status: 200, body: { status: 'ready', engines: { stt: 'up', llm: 'up', tts: 'up' } } })
  t.strictSame(await json(`${server.http}/v1/health`), { status: 200, body: { ok: true, stt_up: true, llm_up: true, tts_up: true } })
})

t.test('a server whose engine is down says degraded, one without any says down', async t => {
  const engines = cannedEngines()
  const check = async () => { throw new Error('gone') }
  const degraded = await startServer(t, { llm: { ...engines.llm, check } })
  t.match(await json(`${degraded.http}/health/ready`), { status: 200, body: { status: 'degraded', engines: { llm: 'down', stt: 'up' } } })
  t.match(await json(`${degraded.http}/v1/health`), { body: { ok: false, llm_up: false, tts_up: true } })
  const down = await startServer(t, { llm: { ...engines.llm, check }, stt: { ...engines.stt, check }, tts: { ...engines.tts, check } })
  t.match(await json(`${down.http}/health/ready`), { status: 503, body: { status: 'down' } })
})

t.test('the metrics count sessions, responses and characters, without a label for each session', async t => {
  const server = await startServer(t)
  const client = await server.connect()
  await client.ask('Hello')
  const page = await (await fetch(`${server.http}/metrics`)).text()
  const count = client.of('session.created')[0]!.session.characters.length
  for (const line of [
    'dramatis_sessions_active 1', 'dramatis_sessions_total 1', `session_character_count ${count}`,
    `character_load_per_session_total ${count}`, 'dramatis_responses_total{status="completed"} 1'
  ]) t.match(page, line)
  t.notMatch(page, 'session_id')
  t.match(page, /nodejs_eventloop_lag_p99_seconds/)
})

t.test('the metrics name the character whose code held the event loop', async t => {
  const hold = 'async systemPrompt () { await null; const end = Date.now() + 900; while (Date.now() < end); return \'\' },'
  const server = await startServer(t, { characters: { directory: t.testdir({ 'holder.ts': characterSource('Holder', hold) }) } })
  const client = await server.connect()
  await client.ask('Hello')
  // The thread that saw it tells of it a moment later.
  await eventually(async () => samplesOf(await (await fetch(`${server.http}/metrics`)).text())
    .some(({ name, labels, value }) => name === 'dramatis_character_stuck_total' && labels.character === 'Holder' && value === 1))
})

t.test('the session label is there when asked for, and goes with the session', async t => {
  const server = await startServer(t, { metrics: { sessionLabel: true } })
  const client = await server.connect()
  const { id } = client.of('session.created')[0]!.session
  t.match(await (await fetch(`${server.http}/metrics`)).text(), `session_character_count{session_id="${id}"}`)
  await client.close()
  let page: string
  do page = await (await fetch(`${server.http}/metrics`)).text()
  while (!page.includes('dramatis_sessions_active 0'))
  t.notMatch(page, id)
})

t.test('a key opens the socket by header or by subprotocol, and only realtime is ever echoed', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one', 'sk-two'] })
  await server.connect('', [], { authorization: 'Bearer sk-two' })
  const client = await server.connect('', ['openai-insecure-api-key.sk-one', 'realtime'])
  t.equal(client.socket.protocol, 'realtime')
  for (const key of [undefined, 'sk-three', 'sk-on']) {
    const refused = await refusal(`ws://127.0.0.1:${server.port}/v1/realtime`, key === undefined ? {} : { authorization: `Bearer ${key}` })
    t.match(refused, { status: 401, body: { error: { type: 'invalid_request_error', code: 'invalid_api_key' } } })
  }
})

t.test('a page of another origin is refused, one of this host or localhost is not', async t => {
  const server = await startServer(t)
  const url = `ws://127.0.0.1:${server.port}/v1/realtime`
  t.match(await refusal(url, { origin: 'https://elsewhere.example' }), { status: 403, body: { error: { code: 'origin_not_allowed' } } })
  await server.connect('', [], { origin: 'http://localhost:5173' })
  await server.connect('', [], { origin: `http://127.0.0.1:${server.port}` })
})

t.test('a full server refuses the next session, and takes it when another has left', async t => {
  const server = await startServer(t, { limits: { sessions: 1 } })
  const url = `ws://127.0.0.1:${server.port}/v1/realtime`
  const client = await server.connect()
  t.match(await refusal(url), { status: 503, body: { error: { type: 'server_error', code: 'session_limit_reached' } } })
  await client.close()
  let again: Refusal | null
  do again = await refusal(url).catch(() => null)
  while (again?.status === 503)
})

t.test('plain requests and refused upgrades hold no place, however many come on one connection', async t => {
  const server = await startServer(t, { limits: { sessions: 2 } })
  for (let n = 0; n < 5; n++) t.match(await json(`${server.http}/v1/realtime`), { status: 426, body: { error: { code: 'upgrade_required' } } })
  const url = `ws://127.0.0.1:${server.port}/v1/realtime`
  for (let n = 0; n < 5; n++) {
    t.match(await refusal(`${url}?character=Nobody`), { status: 400, body: { error: { code: 'invalid_value', param: 'character' } } })
    t.match(await refusal(`${url}?characters=nowhere`), { status: 400, body: { error: { code: 'directory_not_allowed', param: 'characters' } } })
    t.match(await refusal(`${url}?call_id=rtc_1`), { status: 400, body: { error: { code: 'invalid_value', param: 'call_id' } } })
  }
  await server.connect()
  t.match(await (await fetch(`${server.http}/metrics`)).text(), /dramatis_sessions_rejected_total\{reason="directory_not_allowed"\} 5/)
})

t.test('it registers under any prefix, twice, beside the sockets and decorators of its embedder', async t => {
  const app = Fastify()
  await app.register(websocket)
  app.decorate('engines', 'mine')
  app.get('/own', { websocket: true }, socket => { socket.send('mine') })
  await app.register(dramatis, { prefix: '/ai', ...cannedEngines(), limits })
  await app.register(dramatis, { prefix: '/other', ...cannedEngines(), limits })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())

  const client = await testServer(t, app, '/ai').connect()
  t.equal(await client.ask('hi'), 'You said: hi')
  const other = await testServer(t, app, '/other').connect()
  t.equal(await other.ask('ho'), 'You said: ho')
  const { http, port } = testServer(t, app)
  t.equal((await fetch(`${http}/ai/metrics`)).status, 200)
  t.equal((await fetch(`${http}/v1/models`)).status, 404)
  const own = new WebSocket(`ws://127.0.0.1:${port}/own`)
  t.equal(String(await new Promise(resolve => own.once('message', resolve))), 'mine')
  own.close()
})

t.test('a wrong option is refused at registration by one line that names it', async t => {
  const bad = async (options: any) => { await Fastify().register(dramatis, options) }
  await t.rejects(bad({ limits: { sessions: 0 } }), { code: 'invalid_options', message: /^Option 'limits\.sessions' is wrong/ })
  for (const llm of [null, 'demo']) await t.rejects(bad({ llm }), { message: /^Option 'llm' is wrong/ })
  await t.rejects(bad({ vad: {} }), { message: /^Option 'vad\.detect' is wrong/ })
  await t.rejects(bad({ llm: { engine: 'other' } }), { message: /^Option 'llm\.engine' is wrong/ })
  await t.rejects(bad({ character: {} }), { message: /^Option 'character' is wrong/ })
})

t.test('closing the server ends sessions with 1001 after what they were saying, and leaves no namespace', async t => {
  let tell = () => {}
  const started = new Promise<void>(resolve => { tell = resolve })
  let finish = () => {}
  const told = new Promise<void>(resolve => { finish = resolve })
  const engines = cannedEngines(async function * () {
    tell()
    await told
    yield { type: 'text', delta: 'Goodbye.' }
    yield { type: 'end', reason: 'stop' }
  })
  const server = await startServer(t, { ...engines, limits: { drainSeconds: 10 } })
  const client = await server.connect()
  const answer = client.ask('Say goodbye')
  await started
  const closing = server.app.close()
  finish()
  t.equal(await answer, 'Goodbye.')
  t.match(await client.closed, { code: 1001, reason: 'server shutting down' })
  await closing
})

t.test('it embeds from a packed build by import and by require', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'dramatis-embed-'))
  t.teardown(() => rm(folder, { recursive: true }))
  // What is built is packed as it is: to build it once more, under the tests that run it, takes the most time of all.
  const { stdout } = await run('npm', ['pack', '--silent', ...isBuilt ? ['--ignore-scripts'] : [], '--pack-destination', folder], { cwd: packageRoot })
  await run('tar', ['-xzf', join(folder, stdout.trim().split('\n').at(-1)!), '-C', folder])
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  await symlink(join(folder, 'package'), join(modules, 'dramatis'))
  // Its dependencies are those installed here; only the package itself is the packed one.
  await symlink(join(packageRoot, 'node_modules'), join(folder, 'package', 'node_modules'))
  const body = `
    const engine = { name: 'none', voices: [], detect: async function * () {}, transcribe: async function * () {}, synthesize: async function * () {} }
    const app = Fastify()
    app.register(dramatis, { prefix: '/ai', vad: engine, stt: engine, tts: engine })
    app.listen({ port: 0 }).then(async url => {
      const voices = await (await fetch(url + '/ai/v1/voices')).json()
      console.log(typeof dramatis, voices.length > 8)
      await app.close()
    })`
  const fastify = JSON.stringify(join(packageRoot, 'node_modules', 'fastify', 'fastify.js'))
  await writeFile(join(folder, 'embed.mjs'), `import dramatis from 'dramatis'\nimport Fastify from ${fastify}\n${body}`)
  await writeFile(join(folder, 'embed.cjs'), `const dramatis = require('dramatis')\nconst Fastify = require(${fastify})\n${body}`)
  await Promise.all(['embed.mjs', 'embed.cjs'].map(async file => {
    const { stdout } = await run(process.execPath, [join(folder, file)])
    t.equal(stdout.trim(), 'function true', file)
  }))
})

import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import dramatis from '../../app.js'
import { Rate } from '../../lib/access/rate.js'
import { castOf } from '../support/casts.js'
import { cannedEngines } from '../support/engines.js'
import { ServerProcess, withoutSpeech } from '../support/process.js'
import { TestClient } from '../support/client.js'
import { refusal } from '../support/refusal.js'
import { until } from '../support/until.js'
import { readOptions } from '../../lib/options.js'
import { startServer, testServer, type TestServer } from '../support/server.js'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const urlOf = ({ port }: TestServer, query = '') => `ws://127.0.0.1:${port}/v1/realtime${query}`

/** A file of keys; changed as editors do it, by putting another in its place. */
function keysFile (t: Test, keys: Record<string, object>): { path: string, change: (keys: unknown) => void } {
  // Not t.testdir: a test may have another.
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-keys-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'keys.json')
  writeFileSync(path, JSON.stringify({ keys }))
  return {
    path,
    change: keys => {
      writeFileSync(`${path}.new`, typeof keys === 'string' ? keys : JSON.stringify({ keys }))
      renameSync(`${path}.new`, path)
    }
  }
}

async function mint (server: TestServer, key: string): Promise<{ status: number, headers: Headers, body: any }> {
  const response = await fetch(`${server.http}/v1/realtime/client_secrets`, { method: 'POST', headers: { ...bearer(key), 'content-type': 'application/json' }, body: '{}' })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

t.test('keys of the file open sessions, in the clear or by their hash, and others do not', async t => {
  const { path } = keysFile(t, { plain: { key: 'sk-plain-key' }, hashed: { sha256: createHash('sha256').update('sk-hashed-key').digest('hex') } })
  const server = await startServer(t, { keysFile: path, apiKeys: ['sk-of-options'] })
  for (const key of ['sk-plain-key', 'sk-hashed-key', 'sk-of-options']) await server.connect('', [], bearer(key))
  for (const key of ['sk-plain', 'sk-other-key', createHash('sha256').update('sk-hashed-key').digest('hex')]) {
    t.match(await refusal(urlOf(server), bearer(key)), { status: 401, body: { error: { code: 'invalid_api_key' } } })
  }
  t.match(await refusal(urlOf(server)), { status: 401 })
})

t.test('a file without keys lets nobody in', async t => {
  const server = await startServer(t, { keysFile: keysFile(t, {}).path })
  t.match(await refusal(urlOf(server)), { status: 401 })
})

t.test('a key has so many sessions, those of its ephemeral keys included', async t => {
  const { path } = keysFile(t, { kiosk: { key: 'sk-kiosk-key', sessions: 2 }, other: { key: 'sk-other-key' } })
  const server = await startServer(t, { keysFile: path })
  const first = await server.connect('', [], bearer('sk-kiosk-key'))
  const { body } = await mint(server, 'sk-kiosk-key')
  await server.connect('', [], bearer(body.value))
  for (const key of ['sk-kiosk-key', body.value]) {
    t.match(await refusal(urlOf(server), bearer(key)), { status: 429, body: { error: { code: 'rate_limit_exceeded' } } })
  }
  await server.connect('', [], bearer('sk-other-key'))
  await first.close()
  let again
  do again = await refusal(urlOf(server), bearer('sk-kiosk-key')).catch(() => null)
  while (again?.status === 429)
})

t.test('a key connects so many times a minute, and is told when to come back', async t => {
  const { path } = keysFile(t, { kiosk: { key: 'sk-kiosk-key', connectionsPerMinute: 2 } })
  const server = await startServer(t, { keysFile: path })
  await server.connect('', [], bearer('sk-kiosk-key'))
  t.equal((await mint(server, 'sk-kiosk-key')).status, 200)
  const refused = await mint(server, 'sk-kiosk-key')
  t.equal(refused.status, 429)
  t.ok(Number(refused.headers.get('retry-after')) >= 1)
  const { status, headers } = await refusal(urlOf(server), bearer('sk-kiosk-key'))
  t.equal(status, 429)
  t.ok(Number(headers['retry-after']) >= 1 && Number(headers['retry-after']) <= 30)
})

t.test('a rate fills again with time', async t => {
  let now = 0
  const rate = new Rate(2, () => now)
  t.strictSame([rate.take(), rate.take(), rate.take()], [0, 0, 30])
  now = 29_999
  t.equal(rate.take(), 1)
  now = 30_000
  t.equal(rate.take(), 0)
  now = 10 * 60_000
  t.strictSame([rate.take(), rate.take(), rate.take()], [0, 0, 30], 'and no further than its bound')
})

t.test('a key loads characters from its roots, at connect and later, by name or path', async t => {
  const directory = t.testdir({ main: castOf('Ada'), team: castOf('Bo'), secret: castOf('Cy') })
  const roots = { team: join(directory, 'team'), secret: join(directory, 'secret') }
  const { path } = keysFile(t, { kiosk: { key: 'sk-kiosk-key', roots: ['team'] }, all: { key: 'sk-all-roots' } })
  const server = await startServer(t, { keysFile: path, characters: { directory: join(directory, 'main'), roots } })
  const { value } = (await mint(server, 'sk-kiosk-key')).body
  for (const key of ['sk-kiosk-key', value]) {
    t.match(await refusal(urlOf(server, '?characters=secret'), bearer(key)), { status: 400, body: { error: { code: 'directory_not_allowed', param: 'characters' } } })
    const client = await server.connect('?characters=team', [], bearer(key))
    for (const directory of ['secret', roots.secret, 'nowhere', `${roots.secret}/nothing`]) {
      t.match(await client.fail({ type: 'session.characters.reload', directory }), { code: 'directory_not_allowed' }, directory)
    }
    client.send({ type: 'session.characters.reload', directory: 'default' })
    t.match(await client.next('session.characters.reloaded'), { directory: 'default' })
    await client.close()
  }
  await server.connect('?characters=secret', [], bearer('sk-all-roots'))
})

t.test('a public root is for every key, and each is told which roots are there for it', async t => {
  const directory = t.testdir({ main: castOf('Ada'), team: castOf('Bo'), secret: castOf('Cy'), lobby: castOf('Di') })
  const roots = Object.fromEntries(['team', 'secret', 'lobby', 'gone'].map(name => [name, join(directory, name)]))
  mkdirSync(roots['gone']!)
  const { path } = keysFile(t, { kiosk: { key: 'sk-kiosk-key', roots: ['team', 'gone'] }, none: { key: 'sk-none-key', roots: [] }, all: { key: 'sk-all-roots' } })
  const server = await startServer(t, { keysFile: path, characters: { directory: join(directory, 'main'), roots, publicRoots: ['lobby'] } })
  rmSync(roots['gone']!, { recursive: true })
  const version = /^[0-9a-f]{12}$/
  const listed = async (key: string) => await (await fetch(`${server.http}/v1/casts`, { headers: bearer(key) })).json()
  const [main, lobby] = [{ directory: 'default', public: true, version }, { directory: 'lobby', public: true, version }]
  t.match(await listed('sk-none-key'), { data: [main, lobby] })
  t.equal((await listed('sk-none-key') as { data: [] }).data.length, 2)
  const { value } = (await mint(server, 'sk-kiosk-key')).body
  for (const key of ['sk-kiosk-key', value]) {
    t.match(await listed(key), { data: [main, { directory: 'team', public: false, version }, lobby, { directory: 'gone', version: null }] })
    const client = await server.connect('?characters=lobby', [], bearer(key))
    t.match(await client.fail({ type: 'session.characters.reload', directory: 'secret' }), { code: 'directory_not_allowed' })
  }
  t.equal((await listed('sk-all-roots') as { data: [] }).data.length, 5)
  t.match(await listed('sk-nobody'), { error: { code: 'invalid_api_key' } })
  t.throws(() => readOptions({ characters: { publicRoots: ['nowhere'] } }), { message: /publicRoots' is wrong: there is no root 'nowhere'/ })
})

t.test('a key of the file has an event rate of its own', async t => {
  const { path } = keysFile(t, { kiosk: { key: 'sk-kiosk-key', eventsPerSecond: 50 } })
  const server = await startServer(t, { keysFile: path })
  const client = await server.connect('', [], bearer('sk-kiosk-key'))
  for (let n = 0; n < 150; n++) client.send({ type: 'session.characters.list' })
  t.match((await client.next('error')).error, { code: 'rate_limit_exceeded', message: /50 a second/ })
})

t.test('a key that is removed is gone with its sessions and its ephemeral keys; a broken file changes nothing; a replaced key keeps its sessions', async t => {
  const lines: string[] = []
  const { path, change } = keysFile(t, { kiosk: { key: 'sk-kiosk-key' }, phone: { key: 'sk-phone-key' } })
  const app = Fastify({ logger: { stream: { write: (line: string) => lines.push(line) } } })
  await app.register(dramatis, { ...cannedEngines(), keysFile: path, limits: { drainSeconds: 0 } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const server = testServer(t, app)
  const kiosk = await server.connect('', [], bearer('sk-kiosk-key'))
  const phone = await server.connect('', [], bearer('sk-phone-key'))
  const { value } = (await mint(server, 'sk-kiosk-key')).body

  change('{ "keys": sk-kiosk-key')
  await until(() => lines.some(line => /is not JSON\. The keys read before are kept/.test(line)))
  await (await server.connect('', [], bearer('sk-kiosk-key'))).close()

  change({ phone: { key: 'sk-phone-new-key' } })
  t.match(await kiosk.closed, { code: 1008, reason: 'key removed' })
  for (const key of ['sk-kiosk-key', value, 'sk-phone-key']) t.match(await refusal(urlOf(server), bearer(key)), { status: 401 })
  t.equal(await phone.ask('Still there?'), 'You said: Still there?')
  await server.connect('', [], bearer('sk-phone-new-key'))
  t.notMatch(lines.join('\n'), /sk-/)
})

t.test('SIGHUP reads the file at once, and no key gets into the log', async t => {
  const { path, change } = keysFile(t, { kiosk: { key: 'sk-kiosk-key' } })
  const server = ServerProcess.start(t, { KEYS_FILE: path, KEYS_IN_QUERY: 'true', LOG_LEVEL: 'trace', ...withoutSpeech })
  const url = `ws://127.0.0.1:${await server.port()}/v1/realtime`
  const client = await TestClient.connect(`${url}?api_key=sk-kiosk-key`)
  await (await TestClient.connect(url, ['realtime', 'openai-insecure-api-key.sk-kiosk-key'])).close()
  t.match(await refusal(`${url}?api_key=sk-wrong-key`), { status: 401 })
  change({})
  server.child.kill('SIGHUP')
  t.match(await client.closed, { code: 1008 })
  await server.prints(/keys reloaded/)
  t.match(server.output, /"key":"kiosk"/)
  t.notMatch(server.output, /sk-/)
})

t.test('a key in the query opens nothing unless it is switched on', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one'] })
  t.match(await refusal(urlOf(server, '?api_key=sk-one')), { status: 401 })
  const open = await startServer(t, { apiKeys: ['sk-one'], queryKeys: true })
  await open.connect('?api_key=sk-one')
  t.match(await refusal(urlOf(open, '?api_key=sk-two')), { status: 401 })
})

t.test('a file that is wrong stops the start with one line, which quotes no key', async t => {
  const wrong = async (keys: unknown): Promise<string> => {
    const { path, change } = keysFile(t, {})
    change(keys)
    const error: Error = await Promise.resolve(Fastify().register(dramatis, { ...cannedEngines(), keysFile: path })).then(() => new Error('It started.'), error => error)
    t.equal((error as { code?: string }).code, 'invalid_options')
    t.notMatch(error.message, /sk-|\n/)
    return error.message
  }
  t.match(await wrong('{ sk-not-json'), /is not JSON/)
  t.match(await wrong('[]'), /expected object/)
  t.match(await wrong({ one: { key: 'sk-one-long', sessions: 0 } }), /keys\.one\.sessions: expected integer to be greater or equal to 1/)
  t.match(await wrong({ one: { key: 'sk-one-long', sesions: 1 } }), /keys\.one\.sesions: unexpected property/)
  t.match(await wrong({ one: { key: 'sk' } }), /keys\.one\.key: expected string length greater or equal to 8/)
  t.match(await wrong({ one: {} }), /keys\.one must have either key or sha256/)
  t.match(await wrong({ one: { key: 'sk-one-long', roots: ['nowhere'] } }), /there is no root 'nowhere'/)
  t.match(await wrong({ one: { key: 'sk-one-long' }, two: { key: 'sk-one-long' } }), /keys\.two is the same key as keys\.one/)
})

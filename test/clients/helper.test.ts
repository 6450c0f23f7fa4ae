import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { RealtimeAgent, RealtimeSession } from '@openai/agents-realtime'
import OpenAI6 from 'openai'
import { OpenAIRealtimeWS as Beta6 } from 'openai/beta/realtime/ws'
import { OpenAIRealtimeWS as Ga6 } from 'openai/realtime/ws'
import OpenAI7 from 'openai-7'
import { OpenAIRealtimeWebSocket as GaNative } from 'openai-7/realtime/websocket'
import { OpenAIRealtimeWS as Ga7 } from 'openai-7/realtime/ws'
import t, { type Test } from 'tap'
import * as undici from 'undici'
import { WebSocket as Ws } from 'ws'
import { createCharacters, type Connection, type EventConnection } from '../../lib/client/index.js'
import { v2 } from '../support/cards.js'
import { castOf, characterSource } from '../support/casts.js'
import { startServer, type TestServer } from '../support/server.js'

// The library dials wss only, as its class for browsers does with whatever WebSocket is there.
globalThis.WebSocket = class extends undici.WebSocket {
  constructor (url: string | URL, protocols?: string | string[]) { super(String(url).replace(/^wss:/, 'ws:'), protocols) }
} as unknown as typeof WebSocket

const key = 'sk-test'

function serve (t: Test): Promise<TestServer> {
  const broken = characterSource('Broken').replace('name:', 'nam:')
  const team = t.testdir({ good: { ...castOf('Ada', 'Ben'), 'broken.ts': broken }, bad: { 'broken.ts': broken } })
  return startServer(t, { apiKeys: [key], characters: { roots: { team } } })
}

const url = (server: TestServer) => `ws://127.0.0.1:${server.port}/v1/realtime`

/** Everything that people hold, each connected to a server and closed with the test. */
const connections: Record<string, (t: Test, server: TestServer) => Promise<Connection>> = {
  async 'a WebSocket of ws' (t, server) {
    const socket = new Ws(url(server), { headers: { authorization: `Bearer ${key}` } })
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    return socket
  },
  async 'a WebSocket as in browsers' (t, server) {
    const socket = new undici.WebSocket(url(server), ['realtime', `openai-insecure-api-key.${key}`])
    t.teardown(() => socket.close())
    await new Promise(resolve => socket.addEventListener('open', resolve))
    return socket
  },
  async 'openai 6' (t, server) {
    return await opened(t, new Ga6({ model: 'm', options: plain(server) }, new OpenAI6({ apiKey: key, baseURL: `${server.http}/v1` })))
  },
  async 'openai 6, beta' (t, server) {
    return await opened(t, new Beta6({ model: 'm', options: plain(server) }, new OpenAI6({ apiKey: key, baseURL: `${server.http}/v1` })))
  },
  async 'openai 7' (t, server) {
    return await opened(t, new Ga7({ model: 'm', options: plain(server) }, new OpenAI7({ apiKey: key, baseURL: `${server.http}/v1` })))
  },
  async 'openai 7, for browsers' (t, server) {
    return await opened(t, new GaNative({ model: 'm' }, new OpenAI7({ apiKey: key, baseURL: `${server.http}/v1` })))
  },
  'a session of the agents SDK': agents,
  async 'its transport' (t, server) {
    const session = await agents(t, server)
    // Who holds only the transport cannot listen for the session, which passes on every `error` of the server.
    session.on('error', () => {})
    return session.transport
  },
  async 'an adapter of one\'s own' (t, server) {
    const client = await server.connect('', [], { authorization: `Bearer ${key}` })
    const adapter: EventConnection = {
      send: event => client.send(event),
      subscribe (onEvent, onClose) {
        const take = (data: unknown) => onEvent(JSON.parse(String(data)))
        client.socket.on('message', take).on('close', onClose)
        return () => { client.socket.off('message', take).off('close', onClose) }
      }
    }
    return adapter
  }
}

function plain (server: TestServer): object {
  return { createConnection: () => connectTcp({ host: '127.0.0.1', port: server.port }) }
}

async function opened<R extends { close (): void, on (type: any, listener: (event: any) => void): unknown }> (t: Test, realtime: R): Promise<R> {
  t.teardown(() => realtime.close())
  await new Promise(resolve => realtime.on('session.created', resolve))
  return realtime
}

async function agents (t: Test, server: TestServer): Promise<RealtimeSession> {
  const session = new RealtimeSession(new RealtimeAgent({ name: 'host' }), { transport: 'websocket', model: 'm' })
  t.teardown(() => session.close())
  await session.connect({ apiKey: key, url: url(server) })
  return session
}

for (const [name, connect] of Object.entries(connections)) {
  t.test(`over ${name}: list, select, reload, and what is refused`, async t => {
    const server = await serve(t)
    const characters = createCharacters(await connect(t, server))

    const { directory, characters: listed } = await characters.list()
    t.equal(directory, 'default')
    t.match(listed.find(one => one.name === 'Magnus'), { good: true, comment: String })
    t.match(await characters.select('Magnus'), { character: 'Magnus' })
    t.match(await characters.select('lantern-street/lucan'), { character: 'Lucan' }, 'by the path of a voice')
    t.match(await characters.select(null), { character: null })

    const reloaded = await characters.reload('team/good', { conversation: 'reset' })
    t.match(reloaded, { directory: 'team/good', loaded_count: 2, error_count: 1, total_files: 3, characters: [{ name: 'Ada' }, { name: 'Ben' }] })
    t.match(reloaded.errors, [{ file: 'broken.ts', code: 'invalid_character', message: /name/ }])
    t.match(await characters.select('Ben'), { character: 'Ben', characters: ['Ada', 'Ben'] })

    await t.rejects(characters.select('Magnus'), { name: 'CharacterRequestError', code: 'invalid_value', param: 'session.character', message: /'Ada', 'Ben'/ })
    await t.rejects(characters.reload('nowhere'), { code: 'directory_not_allowed', param: 'directory', errors: [] })
    await t.rejects(characters.reload('team/bad'), { code: 'no_valid_characters', errors: [{ file: 'broken.ts' }] })
    t.equal((await characters.list()).directory, 'team/good', 'a reload that failed has changed nothing')
  })
}

t.test('a client brings characters of its own, alone or over others, and a version back', async t => {
  const server = await serve(t)
  const characters = createCharacters(await connections['a WebSocket of ws']!(t, server))
  const zoe = { name: 'Zoe', instructions: { prompt: 'You are Zoe.' } }
  const own = await characters.reload({ characters: [zoe, v2('Keeper') as never] })
  t.match(own, { directory: 'inline', loaded_count: 2, errors: [], version: /^[0-9a-f]{12}$/ })
  t.equal((await characters.list()).version, own.version)
  const layered = await characters.reload(['team/good', { characters: [{ ...zoe, name: 'Ada' }] }])
  t.match(layered, { directory: 'team/good+inline', loaded_count: 2, characters: [{ name: 'Ada' }, { name: 'Ben' }] })
  const { version } = await characters.reload('team/good')
  t.match(await characters.reload(`team/good@${version}`), { directory: `team/good@${version}`, version })
  await t.rejects(characters.reload(['team/good', 'nowhere']), { code: 'directory_not_allowed', param: 'sources' })
  await t.rejects(characters.reload({ characters: [] }), { code: 'invalid_value', param: 'characters' })
  const broken = characters.reload({ characters: [{ name: '', instructions: {} }] })
  await t.rejects(broken, { code: 'no_valid_characters', errors: [{ file: 'characters[0]', code: 'invalid_character' }] })
})

t.test('edits are told to who watches, and to nobody who has stopped', async t => {
  const team = t.testdir({ ...castOf('Ada', 'Ben') })
  const server = await startServer(t, { apiKeys: [key], characters: { directory: team, watch: true } })
  const socket = await connections['a WebSocket of ws']!(t, server) as Ws
  const characters = createCharacters(socket)
  const told = new EventEmitter()
  const stop = await characters.watch(report => told.emit('changed', report), { broken: errors => told.emit('broken', errors) })
  const stopOther = await characters.watch(() => told.emit('other'))

  const changed = once(told, 'changed')
  const other = once(told, 'other')
  writeFileSync(join(team, 'ada.ts'), characterSource('Ada', 'greeting: \'Again.\''))
  t.match(await changed, [{ directory: 'default', loaded_count: 2, version: /^[0-9a-f]{12}$/, reason: undefined }])
  await other

  const broken = once(told, 'broken')
  writeFileSync(join(team, 'ben.ts'), 'export default {\n  name: }\n')
  t.match(await broken, [[{ file: 'ben.ts', line: 2, code: 'syntax_error' }]])

  stopOther()
  const again = once(told, 'changed')
  writeFileSync(join(team, 'ben.ts'), characterSource('Ben', 'greeting: \'Again.\''))
  await again
  const sent: string[] = []
  socket.send = (data: unknown) => { sent.push(String(data)) }
  stop()
  stop()
  t.match(sent.map(text => JSON.parse(text)), [{ type: 'session.characters.list', watch: false }])
  t.equal(socket.listenerCount('message'), 0, 'nothing is left behind')
})

t.test('requests at the same time get each their own answer', async t => {
  const server = await serve(t)
  const characters = createCharacters(await connections['a WebSocket of ws']!(t, server))
  const [first, ada, refused, good, second] = await Promise.allSettled([
    characters.list(), characters.select('Magnus'), characters.select('Nobody'), characters.reload('team/good'), characters.reload('default')
  ])
  t.match(first, { value: { directory: 'default' } })
  t.match(ada, { value: { character: 'Magnus' } })
  t.match(refused, { reason: { code: 'invalid_value' } })
  t.match(good, { value: { directory: 'team/good' } })
  t.match(second, { value: { directory: 'default' } })
})

t.test('what gets no answer ends: by time, by a signal, by the connection', async t => {
  const listeners = new Set<() => void>()
  const deaf: EventConnection = {
    send () {},
    subscribe (onEvent, onClose) {
      listeners.add(onClose)
      return () => listeners.delete(onClose)
    }
  }
  const characters = createCharacters(deaf)
  await t.rejects(characters.list({ timeoutMs: 1 }), { code: 'request_timeout' })
  const aborting = new AbortController()
  const aborted = characters.select('Magnus', { signal: aborting.signal })
  aborting.abort()
  await t.rejects(aborted, { code: 'request_aborted' })
  await t.rejects(characters.reload('default', { signal: AbortSignal.abort() }), { code: 'request_aborted' })
  const pending = characters.reload()
  for (const close of listeners) close()
  await t.rejects(pending, { code: 'connection_closed' })
  await new Promise(resolve => setTimeout(resolve, 0))
  t.equal(listeners.size, 0, 'nothing is left behind')
})

t.test('a connection that is closed says so, and what is no connection too', async t => {
  const server = await serve(t)
  const socket = await connections['a WebSocket of ws']!(t, server) as Ws
  const characters = createCharacters(socket)
  const pending = characters.list()
  socket.terminate()
  await t.rejects(pending, { code: 'connection_closed' })
  await t.rejects(characters.list(), { code: 'connection_closed' })
  t.throws(() => createCharacters({} as Connection), { name: 'TypeError', message: /no connection/ })
})

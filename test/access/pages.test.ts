import { request } from 'node:http'
import cors from '@fastify/cors'
import Fastify from 'fastify'
import t from 'tap'
import dramatis from '../../app.js'
import { isHostAllowed } from '../../lib/access/hosts.js'
import { readEnvironment } from '../../lib/environment.js'
import { cannedEngines } from '../support/engines.js'
import { refusal } from '../support/refusal.js'
import { startServer, testServer } from '../support/server.js'

const limits = { drainSeconds: 0 }

/** A request with a Host header of its own, which fetch does not let one set. */
function get (port: number, headers: Record<string, string>): Promise<{ status: number, body: any }> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/v1/voices', headers }, response => {
      let text = ''
      response.on('data', chunk => { text += chunk })
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }))
    }).on('error', reject).end()
  })
}

t.test('a page that has its own name lead to this machine is refused where no key is needed', async t => {
  const server = await startServer(t)
  const host = `rebound.example:${server.port}`
  t.match(await get(server.port, { host }), { status: 403, body: { error: { code: 'host_not_allowed' } } })
  t.match(await get(server.port, { host, 'x-forwarded-host': 'localhost' }), { status: 403 })
  t.match(await refusal(`ws://127.0.0.1:${server.port}/v1/realtime`, { host, origin: `http://${host}` }), { status: 403, body: { error: { code: 'host_not_allowed' } } })
  for (const name of ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST']) t.match(await get(server.port, { host: `${name}:${server.port}` }), { status: 200 }, name)
})

t.test('with a key, or a list of names, the list decides', async t => {
  const keyed = await startServer(t, { apiKeys: ['sk-one'] })
  t.match(await get(keyed.port, { host: 'voice.example' }), { status: 200 })
  const named = await startServer(t, { allowedHosts: ['voice.example'] })
  t.match(await get(named.port, { host: 'Voice.Example:443' }), { status: 200 })
  t.match(await get(named.port, { host: 'localhost' }), { status: 403 })
  t.ok(isHostAllowed('anything', '10.0.0.1', undefined), 'what is not of this machine alone is reached by any name')
  t.ok(isHostAllowed('localhost:1', '::ffff:127.0.0.1', undefined))
  t.notOk(isHostAllowed(undefined, '::1', undefined))
  t.strictSame(readEnvironment({ ALLOW_ANONYMOUS: 'true' }).options.allowedHosts, ['*'])
  t.strictSame(readEnvironment({ ALLOWED_HOSTS: 'a.example, b.example' }).options.allowedHosts, ['a.example', 'b.example'])
})

t.test('pages that may connect may read the HTTP routes, others may not', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one'], allowedOrigins: ['https://mine.example'] })
  const ask = (origin: string) => fetch(`${server.http}/v1/realtime/client_secrets`, {
    method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' }
  })
  const mine = await ask('https://mine.example')
  t.equal(mine.headers.get('access-control-allow-origin'), 'https://mine.example')
  t.match(mine.headers.get('access-control-allow-headers'), /authorization/)
  t.equal((await ask('https://theirs.example')).headers.get('access-control-allow-origin'), null)

  const read = (origin: string) => fetch(`${server.http}/v1/voices`, { headers: { origin } })
  t.equal((await read('https://mine.example')).headers.get('access-control-allow-origin'), 'https://mine.example')
  t.equal((await read('https://theirs.example')).headers.get('access-control-allow-origin'), null)
  const refused = await fetch(`${server.http}/v1/sessions`, { headers: { origin: 'https://mine.example' } })
  t.match({ status: refused.status, cors: refused.headers.get('access-control-allow-origin') }, { status: 401, cors: 'https://mine.example' }, 'a page can read why it is refused')
})

t.test('an embedder\'s own CORS stands', async t => {
  const app = Fastify()
  await app.register(cors, { origin: 'https://app.example' })
  await app.register(dramatis, { ...cannedEngines(), limits })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const response = await fetch(`${testServer(t, app).http}/v1/voices`, { headers: { origin: 'http://localhost:5173' } })
  t.equal(response.headers.get('access-control-allow-origin'), 'https://app.example')
})

t.test('behind a proxy that is trusted, addresses and hosts are those it forwards', async t => {
  const app = Fastify({ trustProxy: 'loopback' })
  await app.register(dramatis, { ...cannedEngines(), apiKeys: ['sk-one'], limits: { ...limits, sessionsPerAddress: 1 } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const server = testServer(t, app)
  const from = (address: string, more: Record<string, string> = {}) => ({ authorization: 'Bearer sk-one', 'x-forwarded-for': address, ...more })
  await server.connect('', [], from('192.0.2.1'))
  await server.connect('', [], from('192.0.2.2', { 'x-forwarded-host': 'voice.example', origin: 'https://voice.example' }))
  t.match(await refusal(`ws://127.0.0.1:${server.port}/v1/realtime`, from('192.0.2.1')), { status: 429 })
})

t.test('TRUST_PROXY is a switch, a number of hops, or addresses', async t => {
  const read = (value: string) => readEnvironment({ TRUST_PROXY: value }).trustProxy
  t.equal(read('true'), true)
  t.equal(read('false'), false)
  t.strictSame(read('loopback, 10.0.0.0/8, ::1'), ['loopback', '10.0.0.0/8', '::1'])
  const hops = read('2') as (address: string, hop: number) => boolean
  t.strictSame([hops('a', 0), hops('a', 1), hops('a', 2)], [true, true, false])
  for (const wrong of ['yes', '10.0.0.0/99', '10.0.0.300', 'loopback,maybe']) {
    t.throws(() => read(wrong), { code: 'invalid_options', message: /^TRUST_PROXY is wrong/ }, wrong)
  }
})

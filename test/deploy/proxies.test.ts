import Fastify, { type FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import dramatis, { type DramatisOptions } from '../../app.js'
import { TestClient } from '../support/client.js'
import { cannedEngines, tone } from '../support/engines.js'
import { caddy, nginx, type Proxy } from '../support/proxy.js'

interface Backend { app: FastifyInstance, port: number, lines: () => string }

async function backend (t: Test, options: DramatisOptions = {}): Promise<Backend> {
  let log = ''
  const app = Fastify({ trustProxy: ['127.0.0.1'], return503OnClosing: false, logger: { level: 'info', stream: { write: (line: string) => { log += line } } } })
  await app.register(dramatis, { ...cannedEngines(), apiKeys: ['sk-test'], ...options, limits: { drainSeconds: 0, ...options.limits } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { app, port: (app.server.address() as AddressInfo).port, lines: () => log }
}

/** Connects through a proxy whose certificate nobody knows. */
async function connect (t: Test, { url }: Proxy, query = ''): Promise<TestClient> {
  const client = await TestClient.connect(`${url.replace('https', 'wss')}/v1/realtime${query}`, ['realtime'], { rejectUnauthorized: false, headers: { authorization: 'Bearer sk-test', 'x-forwarded-for': '6.6.6.6' } })
  t.teardown(() => client.socket.terminate())
  return client
}

function status (url: string, path: string, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url + path, { method, rejectUnauthorized: false, agent: false, headers: { authorization: 'Bearer sk-test' } }, response => {
      response.resume()
      resolve(response.statusCode!)
    }).once('error', reject).end()
  })
}

const countOf = ({ lines }: Backend) => lines().split('"msg":"session opened"').length - 1

for (const [name, kind] of Object.entries({ nginx, caddy })) {
  t.test(`${name}, as in deploy/`, { skip: kind.without }, async t => {
    t.test('a conversation, with frames of megabytes, from the address that the proxy saw', async t => {
      const [first, second] = [await backend(t), await backend(t)]
      const proxy = await kind.start(t, [first.port, second.port], 90)
      const client = await connect(t, proxy)
      t.equal(client.socket.protocol, 'realtime')
      t.equal(await client.ask('Hello'), 'You said: Hello')
      client.append(tone(60_000, 0))
      await client.settle()
      client.say('Aloud')
      client.send({ type: 'response.create' })
      await client.next('response.done')
      t.ok(client.audio().length > 0)
      t.equal(await status(proxy.url, '/v1/models'), 200)
      t.equal(await status(proxy.url, '/metrics'), 404, 'no business of strangers')
      await connect(t, proxy)
      t.match(first.lines() + second.lines(), '"address":"127.0.0.1"')
      t.notMatch(first.lines() + second.lines(), '6.6.6.6', 'and not the one that the client claims')
      t.equal(countOf(first) + countOf(second), 2)
      t.equal(countOf(first), 1, 'the second session is where the first is not')
    })

    t.test('the log has no token of a session', async t => {
      const one = await backend(t)
      const proxy = await kind.start(t, [one.port, one.port], 90)
      const client = await connect(t, proxy, '?resume=new')
      const { token } = client.of('session.created')[0]!.session.resume!
      client.socket.terminate()
      await client.closed
      const again = await connect(t, proxy, `?resume=${token}`)
      t.equal(again.of('session.created')[0]!.session.resume!.resumed, true)
      await again.close()
      t.equal(await status(proxy.url, '/v1/voices'), 200)
      while (!proxy.log().includes('/v1/voices') || !proxy.log().includes('/v1/realtime'));
      t.notMatch(proxy.log(), 'resume_')
    })

    t.test('a quiet connection lives on the pings of the server', async t => {
      const one = await backend(t, { limits: { pingSeconds: 0.3 } })
      const proxy = await kind.start(t, [one.port, one.port], 1)
      const client = await connect(t, proxy)
      for (let ping = 0; ping < 7; ping++) await once(client.socket, 'ping')
      t.equal(await client.ask('Still there?'), 'You said: Still there?')
    })

    t.test('who is told to go learns why, and is let in by the server that stays', async t => {
      const [first, second] = [await backend(t), await backend(t)]
      const proxy = await kind.start(t, [first.port, second.port], 90)
      const client = await connect(t, proxy)
      const [leaving, staying] = countOf(first) === 1 ? [first, second] : [second, first]
      t.equal((await leaving.app.inject({ method: 'POST', url: '/v1/drain', headers: { authorization: 'Bearer sk-test' } })).statusCode, 202)
      t.match(await client.closed, { code: 1001, reason: 'server shutting down' })
      let opened = 0
      // Caddy sees it with its next probe.
      while (opened < 6) await connect(t, proxy).then(() => { opened++ }, () => {})
      t.equal(countOf(staying), 6)
    })

    t.test('a server that is gone is left out', async t => {
      const [first, second] = [await backend(t), await backend(t)]
      const proxy = await kind.start(t, [first.port, second.port], 90)
      await first.app.close()
      const clients = await Promise.all(Array.from({ length: 4 }, () => connect(t, proxy)))
      t.equal(countOf(second), clients.length)
    })
  })
}

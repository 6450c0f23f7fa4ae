import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import dramatis, { type DramatisOptions } from '../../app.js'
import { TestClient } from './client.js'
import { cannedEngines } from './engines.js'

export interface TestServer {
  app: FastifyInstance
  port: number
  /** Base URL of the HTTP routes. */
  http: string
  /** Connects a client, closed with the test. */
  connect (query?: string, protocols?: string[], headers?: Record<string, string>): Promise<TestClient>
}

/** Nobody is refused because the machine that runs the tests is busy. */
const limits: DramatisOptions['limits'] = { drainSeconds: 0, eventLoopLagMs: 0, engineLagMs: 0 }

/**
 * A server on a port of its own, closed with the test. Its engines answer at once and by script
 * unless the options name others.
 */
export async function startServer (t: Test, options: DramatisOptions = {}): Promise<TestServer> {
  const app = Fastify()
  await app.register(dramatis, { ...cannedEngines(), ...options, limits: { ...limits, ...options.limits } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return testServer(t, app)
}

/** A server whose engines are the local ones, as without any configuration. */
export async function startLocalServer (t: Test, options: DramatisOptions = {}): Promise<TestServer> {
  const app = Fastify()
  await app.register(dramatis, { ...options, limits: { ...limits, ...options.limits } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return testServer(t, app)
}

export function testServer (t: Test, app: FastifyInstance, prefix = ''): TestServer {
  const { port } = app.server.address() as AddressInfo
  return {
    app,
    port,
    http: `http://127.0.0.1:${port}${prefix}`,
    connect: async (query = '', protocols = [], headers = {}) => {
      const client = await TestClient.connect(`ws://127.0.0.1:${port}${prefix}/v1/realtime${query}`, protocols, { headers })
      t.teardown(() => client.close())
      return client
    }
  }
}

import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Registry } from 'prom-client'
import type { SharedEngines } from '../lib/engines/local/engine-channel.js'
import type { Link, Question } from '../lib/workers/link.js'
import type { Readiness } from '../lib/readiness.js'

export interface MachineOptions {
  /** To the process that knows all workers. */
  link: Pick<Link, 'ask'>
  /** The local engines of all workers. */
  engines: SharedEngines
}

/** Marks the questions of this process to itself: nobody outside can guess it. */
const own = randomUUID()
const OWN = 'x-own-health'

/** In a session process that is one of several: what it shares with the others, and `/metrics`, the health and the drain of all of them, whichever is asked. Before the routes. */
export default fp<MachineOptions>(async function machine (fastify, { link, engines }) {
  fastify.decorate('dramatisSharedEngines', engines)
  fastify.addHook('onSend', async (request, reply, payload) => {
    const url = request.routeOptions.url
    if (request.headers[OWN] === own || url === undefined) return payload
    if (request.method === 'POST' && url.endsWith('/v1/drain') && reply.statusCode === 202) {
      const sessions = await link.ask('drained')
      return sessions === undefined ? payload : JSON.stringify({ status: 'draining', sessions })
    }
    if (request.method !== 'GET') return payload
    if (url.endsWith('/metrics')) return await link.ask('metrics') ?? payload
    if (!url.endsWith('/health/ready')) return payload
    const readiness = await link.ask('ready') as Readiness | undefined
    if (readiness === undefined) return payload
    reply.code(readiness.code)
    return JSON.stringify(readiness.body)
  })
}, { name: 'dramatis-machine', fastify: '5.x' })

/** What one process answers for itself. */
export async function answerFor (fastify: FastifyInstance, what: Question): Promise<unknown> {
  if (what === 'metrics') {
    const { dramatisHttpMetrics: { client } } = fastify as unknown as { dramatisHttpMetrics: { client: { register: Registry } } }
    return await client.register.getMetricsAsJSON()
  }
  const host = fastify.dramatisOptions.allowedHosts?.find(name => name !== '*') ?? 'localhost'
  const { statusCode, payload } = await fastify.inject({ url: '/health/ready', headers: { host, [OWN]: own } })
  return { code: statusCode, body: JSON.parse(payload) }
}

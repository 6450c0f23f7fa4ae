import type { FastifyInstance } from 'fastify'
import { exportSchema } from '../../../lib/realtime/events/schema.js'

/** `GET /v1/realtime/schema`: JSON Schema of every event. Needs no key: it says nothing about this server's users. */
export default async function schema (fastify: FastifyInstance): Promise<void> {
  const body = JSON.stringify(exportSchema())
  fastify.get('/v1/realtime/schema', async (request, reply) => {
    // Pages of other origins may read it, as tools in a browser do.
    return await reply.header('access-control-allow-origin', '*').type('application/schema+json').send(body)
  })
}

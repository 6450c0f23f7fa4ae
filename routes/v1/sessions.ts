import type { FastifyInstance } from 'fastify'
import { createOperations } from '../../lib/operations.js'

const querystring = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    after: { type: 'string', maxLength: 64 }
  }
}

/**
 * `GET /v1/sessions`: who is connected and what it has loaded, oldest first; `next` is the `after` of the page
 * that follows, or null. `POST /v1/sessions/:id/close` ends one, `POST /v1/drain` all of them, for good.
 */
export default async function sessions (fastify: FastifyInstance): Promise<void> {
  const operations = createOperations(fastify.dramatisSessions, fastify.dramatisOptions.limits.drainSeconds, error => fastify.log.error(error, 'drain failed'))

  fastify.get<{ Querystring: { limit: number, after?: string } }>('/v1/sessions', {
    schema: { querystring },
    preHandler: fastify.dramatisAdmit
  }, async request => operations.list(request.query.limit, request.query.after))

  fastify.post<{ Params: { id: string } }>('/v1/sessions/:id/close', { preHandler: fastify.dramatisAdmit }, async request => {
    operations.close(request.params.id)
    request.log.info({ session: request.params.id }, 'closed by the operator')
    return { id: request.params.id, closed: true }
  })

  fastify.post('/v1/drain', { preHandler: fastify.dramatisAdmit }, async (request, reply) => {
    request.log.warn('drained by the operator')
    return await reply.code(202).send({ status: 'draining', sessions: operations.drain() })
  })
}

import type { FastifyInstance } from 'fastify'
import { RealtimeError } from '../../lib/errors.js'
import { createOperations } from '../../lib/operations.js'

const querystring = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    after: { type: 'string', maxLength: 128 }
  }
}
interface Query { limit: number, after?: string }

const reload = {
  type: 'object',
  required: ['root'],
  properties: { root: { type: 'string', maxLength: 256 } }
}

/**
 * What an operator sees and does, over all servers of the fleet: `GET /v1/sessions`, `GET /v1/nodes`,
 * `POST /v1/sessions/:id/close`, `POST /v1/characters/reload`; and `POST /v1/drain`, of this server alone and for good.
 * `next` of a page is the `after` of the one that follows, or null.
 */
export default async function sessions (fastify: FastifyInstance): Promise<void> {
  const { dramatisSessions, dramatisFleet: fleet, dramatisOptions: { limits, characters } } = fastify
  const operations = createOperations({
    sessions: dramatisSessions, fleet, drainSeconds: limits.drainSeconds, onError: error => fastify.log.error(error, 'drain failed')
  })
  const preHandler = fastify.dramatisAdmit

  fastify.get<{ Querystring: Query }>('/v1/sessions', { schema: { querystring }, preHandler }, async ({ query }) => await operations.list(query.limit, query.after))

  fastify.get<{ Querystring: Query }>('/v1/nodes', { schema: { querystring }, preHandler }, async ({ query }) => {
    const { data, next } = await operations.nodes(query.limit, query.after)
    return {
      data: data.map(({ name, draining, limit, sessions, silentMs }) => ({ name, status: draining ? 'draining' : 'ready', sessions, limit, silent_ms: silentMs })),
      next
    }
  })

  fastify.post<{ Params: { id: string } }>('/v1/sessions/:id/close', { preHandler }, async request => {
    await operations.close(request.params.id)
    request.log.info({ session: request.params.id }, 'closed by the operator')
    return { id: request.params.id, closed: true }
  })

  fastify.post<{ Body: { root: string } }>('/v1/characters/reload', { schema: { body: reload }, preHandler }, async (request, reply) => {
    const { root } = request.body
    if (root !== 'default' && !Object.hasOwn(characters.roots, root)) {
      throw new RealtimeError('directory_not_allowed', { param: 'root', message: `There is no root '${root.slice(0, 64)}'.` })
    }
    const told = await operations.reload(root)
    request.log.info({ root, ...told }, 'characters reloaded by the operator')
    return await reply.code(202).send({ root, ...told })
  })

  fastify.post('/v1/drain', { preHandler }, async (request, reply) => {
    request.log.warn('drained by the operator')
    return await reply.code(202).send({ status: 'draining', sessions: operations.drain() })
  })
}

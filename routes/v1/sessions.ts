import type { FastifyInstance } from 'fastify'

const querystring = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    after: { type: 'string', maxLength: 64 }
  }
}

/** `GET /v1/sessions`: who is connected and what it has loaded, oldest first; `next` is the `after` of the page that follows, or null. */
export default async function sessions (fastify: FastifyInstance): Promise<void> {
  fastify.get<{ Querystring: { limit: number, after?: string } }>('/v1/sessions', {
    schema: { querystring },
    preHandler: fastify.dramatisAdmit
  }, async request => fastify.dramatisSessions.page(request.query.limit, request.query.after))
}

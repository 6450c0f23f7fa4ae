import fp from 'fastify-plugin'
import { RealtimeError } from '../lib/errors.js'

/** Refusals over HTTP have the body that clients of the hosted API know. */
export default fp(async function errors (fastify) {
  fastify.setErrorHandler<Error & { statusCode?: number, validation?: { instancePath: string }[] }>((error, request, reply) => {
    if (error instanceof RealtimeError) {
      const { type, code, message, param, status, details, retryAfter } = error
      if (retryAfter !== null) reply.header('retry-after', String(retryAfter))
      return reply.code(status).send({ error: { type, code, message, param, ...details === undefined ? {} : { details } } })
    }
    const status = error.statusCode ?? 500
    if (status >= 500) request.log.error(error)
    return reply.code(status).send({
      error: status >= 500
        ? { type: 'server_error', code: 'server_error', message: 'The server had an error.', param: null }
        : { type: 'invalid_request_error', code: 'invalid_value', message: error.message, param: error.validation?.[0]?.instancePath.slice(1).replaceAll('/', '.') || null }
    })
  })
}, { name: 'dramatis-errors', fastify: '5.x' })

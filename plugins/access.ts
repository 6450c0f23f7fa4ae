import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createKeyCheck, presentedKey } from '../lib/access/api-keys.js'
import { isOriginAllowed } from '../lib/access/origins.js'
import { RealtimeError } from '../lib/errors.js'

/** `fastify.dramatisAdmit`: a preValidation hook for routes that need a key; also refuses foreign origins. */
export default fp(async function access (fastify) {
  const { apiKeys, allowedOrigins } = fastify.dramatisOptions
  const isKnown = createKeyCheck(apiKeys)

  fastify.decorate('dramatisAdmit', async (request: FastifyRequest) => {
    const { headers } = request
    if (!isOriginAllowed(headers.origin, headers.host, allowedOrigins)) throw refuse('origin_not_allowed')
    if (!isKnown(presentedKey(headers))) throw refuse('invalid_api_key')
  })

  function refuse (code: 'origin_not_allowed' | 'invalid_api_key'): RealtimeError {
    fastify.dramatisMetrics.rejected(code)
    return new RealtimeError(code)
  }
}, { name: 'dramatis-access', fastify: '5.x', dependencies: ['dramatis-metrics'] })

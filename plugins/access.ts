import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createKeyCheck, presentedKey } from '../lib/access/api-keys.js'
import { MemorySecrets } from '../lib/access/client-secrets.js'
import { isOriginAllowed } from '../lib/access/origins.js'
import { RealtimeError } from '../lib/errors.js'
import type { SessionUpdate } from '../lib/realtime/events/session-object.js'

/**
 * Hooks for routes that need a key; both also refuse foreign origins. `fastify.dramatisAdmit` takes API
 * keys alone, `fastify.dramatisAdmitSession` ephemeral ones too, and leaves what theirs brings in
 * `request.clientSecret`. `fastify.dramatisSecrets` holds those.
 */
export default fp(async function access (fastify) {
  const { apiKeys, allowedOrigins, limits } = fastify.dramatisOptions
  const isKnown = createKeyCheck(apiKeys)
  const secrets = new MemorySecrets<SessionUpdate>(limits.clientSecrets)
  fastify.decorate('dramatisSecrets', secrets)
  fastify.decorateRequest('clientSecret', null)

  fastify.decorate('dramatisAdmit', async (request: FastifyRequest) => {
    checkOrigin(request)
    const key = presentedKey(request.headers)
    if (!isKnown(key)) throw new RealtimeError('invalid_api_key')
  })

  fastify.decorate('dramatisAdmitSession', async (request: FastifyRequest) => {
    checkOrigin(request)
    const key = presentedKey(request.headers)
    if (key?.startsWith('ek_') === true) {
      request.clientSecret = await secrets.find(key)
      if (request.clientSecret !== null) return
      // Where everybody may connect, a key that is over must still not open a session without its settings.
      throw new RealtimeError('invalid_api_key')
    }
    if (!isKnown(key)) throw new RealtimeError('invalid_api_key')
  })

  function checkOrigin ({ headers }: FastifyRequest): void {
    if (!isOriginAllowed(headers.origin, headers.host, allowedOrigins)) throw new RealtimeError('origin_not_allowed')
  }
}, { name: 'dramatis-access', fastify: '5.x' })

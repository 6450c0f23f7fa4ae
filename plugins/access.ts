import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ClientSecrets } from '../lib/access/client-secrets.js'
import { Gate } from '../lib/access/gate.js'
import { isHostAllowed } from '../lib/access/hosts.js'
import { Keyring } from '../lib/access/keyring.js'
import { readKeysFile, watchKeysFile } from '../lib/access/keys-file.js'
import { Admissions } from '../lib/cluster/admission.js'
import { RealtimeError } from '../lib/errors.js'
import type { SessionUpdate } from '../lib/realtime/events/session-object.js'

/**
 * Who may connect. `fastify.dramatisAdmit` and `fastify.dramatisAdmitSession` are hooks for routes that need
 * a key: the first takes API keys alone, the second ephemeral ones too, and leaves what theirs brings in
 * `request.clientSecret`. Both refuse foreign origins, and leave the API key in `request.apiKey`.
 * `fastify.dramatisAdmissions` gives sessions their places and counts connections; opening a session does, so the second
 * hook does not. `fastify.dramatisSecrets` holds ephemeral keys; `fastify.dramatisReloadKeys` reads the keys file again.
 */
export default fp(async function access (fastify) {
  const { apiKeys, keysFile, queryKeys, allowedOrigins, allowedHosts, limits, characters } = fastify.dramatisOptions
  const sessions = fastify.dramatisSessions
  const keyring = new Keyring(apiKeys)
  const roots = Object.keys(characters.roots)
  const secrets = new ClientSecrets<SessionUpdate>(fastify.dramatisFleet.store, { entries: limits.clientSecrets, bytes: limits.clientSecretBytes })
  const admissions = new Admissions(sessions, fastify.dramatisFleet, keyring, limits.sessionsPerAddress)
  if (keysFile !== undefined) keyring.replace(readKeysFile(keysFile, roots))
  fastify.decorate('dramatisKeyring', keyring)
  fastify.decorate('dramatisSecrets', secrets)
  fastify.decorate('dramatisAdmissions', admissions)
  fastify.addHook('onClose', () => secrets.end())
  fastify.decorateRequest('clientSecret', null)
  fastify.decorateRequest('apiKey', null)
  fastify.decorateRequest('sessionId', '')

  fastify.decorate('dramatisReloadKeys', () => {
    if (keysFile === undefined) return
    try {
      const gone = keyring.replace(readKeysFile(keysFile, roots))
      // Who is no longer trusted is not listened to any longer either.
      for (const name of gone) sessions.revoke(name)
      fastify.log.info({ removed: gone }, 'keys reloaded')
    } catch (error) {
      fastify.log.error(`${(error as Error).message} The keys read before are kept.`)
    }
  })

  if (keysFile !== undefined) {
    const stopWatching = watchKeysFile(keysFile, fastify.dramatisReloadKeys)
    fastify.addHook('onClose', async () => stopWatching())
  }

  const anyHost = allowedHosts === undefined && !keyring.open
  if (!anyHost) {
    fastify.addHook('onRequest', async ({ headers, socket }) => {
      if (!isHostAllowed(headers.host, socket?.localAddress, allowedHosts)) throw new RealtimeError('host_not_allowed')
    })
  }

  const gate = new Gate({ keyring, secrets, queryKeys, allowedOrigins })
  fastify.decorate('dramatisAdmit', async (request: FastifyRequest) => {
    request.apiKey = gate.admit(request)
    if (request.apiKey !== null) await admissions.count(request.apiKey)
  })
  fastify.decorate('dramatisAdmitSession', async (request: FastifyRequest) => {
    const { key, secret } = await gate.admitSession(request)
    request.apiKey = key
    request.clientSecret = secret
  })
}, { name: 'dramatis-access', fastify: '5.x', dependencies: ['dramatis-sessions', 'dramatis-cluster'] })

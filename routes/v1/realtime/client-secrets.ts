import type { FastifyInstance, FastifyRequest } from 'fastify'
import { allowanceOf } from '../../../lib/access/allowance.js'
import type { Key } from '../../../lib/access/keyring.js'
import { openNamed } from '../../../lib/characters/named-cast.js'
import { previewSession, readSecretRequest } from '../../../lib/realtime/client-secret.js'
import { betaSession } from '../../../lib/realtime/dialects/beta.js'
import { betaSecretError, gaSecretRequest } from '../../../lib/realtime/dialects/beta-secret.js'
import type { SessionObject, SessionUpdate } from '../../../lib/realtime/events/session-object.js'
import { createId } from '../../../lib/realtime/ids.js'
import { checkConfiguration } from '../../../lib/realtime/sizes.js'

type Preview = SessionObject & { characters_directory?: string }
interface Made { value: string, expires_at: number, session: Preview }

/** Ephemeral keys for clients that must not know an API key (PROTOCOL section 2.2), in GA's and in beta's shape. */
export default async function clientSecrets (fastify: FastifyInstance): Promise<void> {
  const { dramatisOptions: options, dramatisEngines: engines, dramatisSecrets: secrets } = fastify
  const hooks = { preHandler: fastify.dramatisAdmit }

  fastify.post('/v1/realtime/client_secrets', hooks, async request => await make(request.body, request))

  fastify.post('/v1/realtime/sessions', hooks, async request => {
    const { value, expires_at: expiresAt, session } = await makeFromBeta(request, 'realtime')
    return { ...betaSession(session), client_secret: { value, expires_at: expiresAt } }
  })

  fastify.post('/v1/realtime/transcription_sessions', hooks, async request => {
    const { value, expires_at: expiresAt, session } = await makeFromBeta(request, 'transcription')
    return { ...betaSession(session), modalities: ['audio', 'text'], client_secret: { value, expires_at: expiresAt } }
  })

  async function make (body: unknown, { apiKey }: FastifyRequest): Promise<Made> {
    const { seconds, configuration, directory } = readSecretRequest(body, options.strict)
    checkConfiguration(configuration, options.limits)
    const session = await preview(configuration, directory, apiKey)
    const value = createId('ek')
    const expiresAt = Math.floor(Date.now() / 1000) + seconds
    await secrets.add(value, { configuration, key: apiKey?.name ?? null, cast: session.characters_directory ?? null }, seconds * 1000)
    return { value, expires_at: expiresAt, session }
  }

  async function makeFromBeta (request: FastifyRequest, type: string): Promise<Made> {
    try {
      return await make(gaSecretRequest(request.body, type), request)
    } catch (error) {
      throw betaSecretError(error)
    }
  }

  /** The session as it will begin, with the cast in the version it will have if one is named. Rejects if there can be no such session. */
  async function preview (configuration: SessionUpdate, directory: string | undefined, apiKey: Key | null): Promise<Preview> {
    const registry = await openNamed(fastify.dramatisLibrary, { id: createId('sess'), startedAt: new Date(), language: null }, {
      directory, param: 'session.characters_directory', allowance: allowanceOf(apiKey, options.characters.publicRoots)
    })
    try {
      const session = previewSession(configuration, registry, engines, options.characters.default)
      return directory === undefined ? session : { ...session, characters_directory: registry.pinned }
    } finally {
      await registry.purge()
    }
  }
}

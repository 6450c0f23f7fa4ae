import type { FastifyInstance, FastifyRequest } from 'fastify'
import { allowanceOf } from '../../../lib/access/allowance.js'
import type { Key } from '../../../lib/access/keyring.js'
import { openNamed } from '../../../lib/characters/named-cast.js'
import { RealtimeError } from '../../../lib/errors.js'
import { Casting } from '../../../lib/realtime/casting.js'
import { readSecretRequest } from '../../../lib/realtime/client-secret.js'
import { describeSession } from '../../../lib/realtime/describe.js'
import { betaError, betaSession, gaSession } from '../../../lib/realtime/dialects/beta.js'
import type { SessionObject, SessionUpdate } from '../../../lib/realtime/events/session-object.js'
import { createId } from '../../../lib/realtime/ids.js'
import { checkConfiguration } from '../../../lib/realtime/sizes.js'
import { startingSettings, updateSettings } from '../../../lib/realtime/settings.js'

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

  /** The beta has the session's fields beside those of the key, whose lifetime has two names. */
  async function makeFromBeta (request: FastifyRequest, type: string): Promise<Made> {
    const flat = request.body ?? {}
    if (typeof flat !== 'object' || Array.isArray(flat)) return await make(flat, request)
    const { client_secret: secret, ...fields } = flat as { client_secret?: { expires_after?: unknown, expires_at?: unknown } }
    try {
      const lifetime = secret?.expires_after ?? secret?.expires_at
      return await make({ ...lifetime === undefined ? {} : { expires_after: lifetime }, session: gaSession(fields, type) }, request)
    } catch (error) {
      if (!(error instanceof RealtimeError)) throw error
      const { param, message } = betaError({ param: error.param, message: error.message })
      throw new RealtimeError(error.code, { message, param: param?.replace(/^session\./, '') ?? null })
    }
  }

  /** The whole session as it will begin, with the cast in the version it will have if one is named. Rejects if there can be no such session. */
  async function preview (configuration: SessionUpdate, directory: string | undefined, apiKey: Key | null): Promise<Preview> {
    const settings = updateSettings(startingSettings(configuration.type), configuration)
    const registry = await openNamed(fastify.dramatisLibrary, { id: createId('sess'), startedAt: new Date(), language: null }, {
      directory, param: 'session.characters_directory', allowance: allowanceOf(apiKey, options.characters.publicRoots)
    })
    try {
      const casting = new Casting(registry, engines.tts, options.characters.default)
      casting.prepare(configuration)()
      const model = configuration.model ?? engines.llm.model
      const session = describeSession({ id: registry.session.id, model, expiresAt: 0, settings, casting, registry, engines })
      return directory === undefined ? session : { ...session, characters_directory: registry.pinned }
    } finally {
      await registry.purge()
    }
  }
}

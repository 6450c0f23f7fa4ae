import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { allowanceOf } from '../lib/access/allowance.js'
import { checkDefaultCast } from '../lib/characters/default-cast.js'
import { createCharacterLibrary } from '../lib/characters/library.js'
import { openNamed } from '../lib/characters/named-cast.js'
import { RealtimeError } from '../lib/errors.js'
import { OptionsError } from '../lib/options.js'

/**
 * `request.characters`: every request to the Realtime route gets a registry of its own, filled with the
 * default cast or the one it names; the route purges it when its connection is gone.
 */
export default fp(async function characterLibrary (fastify) {
  const { directory, roots, watch } = fastify.dramatisOptions.characters
  const { characters, castBytes, castSeconds, inlineCharacters, inlineBytes } = fastify.dramatisOptions.limits
  const metrics = fastify.dramatisMetrics
  const library = createCharacterLibrary({
    directory,
    roots,
    watch,
    limits: { characters, castBytes, castMs: castSeconds * 1000, inlineCharacters, inlineBytes },
    log: fastify.log,
    observe: event => {
      switch (event.type) {
        case 'loaded':
          if (!event.reload) break
          metrics.charactersLoaded(event.session, event.count)
          metrics.reloaded(event.durationMs / 1000)
          break
        case 'load_error':
          metrics.loadError(event.code)
          break
        case 'fault':
          metrics.characterFault(event.code)
          break
        case 'stuck':
          metrics.characterStuck(event.character)
      }
    }
  })
  metrics.watchNamespaces(() => library.live)
  fastify.decorate('dramatisLibrary', library)
  fastify.decorateRequest('characters', null)

  fastify.addHook('onReady', async () => {
    for (const [name, path] of Object.entries({ default: directory, ...roots })) {
      await library.resolve(name).catch(error => { throw new OptionsError(`The characters' directory ${path} cannot be used: ${error.message}`) })
    }
    await library.watching
    await checkDefaultCast(library, fastify.dramatisOptions.characters, fastify.log)
    for (const name of Object.keys(roots)) {
      await library.prepare(name).catch(error => fastify.log.warn({ err: error }, `The characters of '${name}' could not be compiled`))
    }
  })
  // Namespaces of sessions whose sockets never closed.
  fastify.addHook('onClose', () => library.close())
}, { name: 'dramatis-characters', fastify: '5.x', dependencies: ['dramatis-metrics'] })

/** Fills `request.characters` with the cast that its session had before, or that of the ephemeral key, or the one that the URL names, or the default one. */
export async function openCast (request: FastifyRequest): Promise<void> {
  const { characters } = request.query as { characters?: string }
  const before = request.resumption?.snapshot ?? null
  const pinned = request.clientSecret?.cast ?? undefined
  if (before === null && pinned !== undefined && characters !== undefined) {
    throw new RealtimeError('invalid_value', { param: 'characters', message: 'This key brings a cast of its own: leave \'characters\' out.' })
  }
  const session = { id: request.sessionId, startedAt: new Date(), language: null }
  const { dramatisLibrary: library, dramatisMetrics: metrics, dramatisOptions: { characters: { publicRoots } } } = request.server
  const registry = await openNamed(library, session, {
    directory: before?.cast ?? pinned ?? characters,
    param: before === null ? 'characters' : 'resume',
    allowance: allowanceOf(request.apiKey, publicRoots)
  })
  request.characters = registry
  metrics.charactersLoaded(session.id, registry.size)
  // The connection went while the cast was loading: nobody else will come to let it go.
  if (request.raw.socket.destroyed) await closeCast(request)
}

/** Lets the request's cast go. Idempotent. */
export async function closeCast ({ characters, server }: FastifyRequest): Promise<void> {
  if (characters === null) return
  await characters.purge()
  server.dramatisMetrics.forget(characters.session.id)
}

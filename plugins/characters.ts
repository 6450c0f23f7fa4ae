import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createCharacterLibrary } from '../lib/characters/library.js'
import { RealtimeError } from '../lib/errors.js'
import { OptionsError } from '../lib/options.js'
import { createId } from '../lib/realtime/ids.js'

/**
 * `request.characters`: every request to the Realtime route gets a registry of its own, filled with the
 * default cast or the one it names; the route purges it when its connection is gone.
 */
export default fp(async function characters (fastify) {
  const { directory, roots, watch } = fastify.dramatisOptions.characters
  const metrics = fastify.dramatisMetrics
  const library = createCharacterLibrary({
    directory,
    roots,
    watch,
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
          metrics.characterStuck()
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
    await checkDefaultCast(fastify)
    for (const name of Object.keys(roots)) {
      await library.prepare(name).catch(error => fastify.log.warn({ err: error }, `The characters of '${name}' could not be compiled`))
    }
  })
  // Namespaces of sessions whose sockets never closed.
  fastify.addHook('onClose', () => library.close())
}, { name: 'dramatis-characters', fastify: '5.x', dependencies: ['dramatis-metrics'] })

/** Loads the default cast once, so that the first session finds it compiled, and its faults are told at the start. */
async function checkDefaultCast (fastify: FastifyInstance): Promise<void> {
  const { directory, default: name } = fastify.dramatisOptions.characters
  const registry = await fastify.dramatisLibrary.open({ id: 'start', startedAt: new Date(), language: null })
  const { errors } = registry.report
  for (const error of errors) fastify.log.warn(error, `${error.file} is left out of the default cast: ${error.message}`)
  const names = registry.names()
  await registry.purge()
  if (names.length === 0) throw new OptionsError(`The characters' directory ${directory} has no valid character${errors[0] === undefined ? '' : `: ${errors[0].file}: ${errors[0].message}`}`)
  if (typeof name === 'string' && !names.includes(name)) throw new OptionsError(`The default character '${name}' is not in the cast of ${directory}: ${names.join(', ')}.`)
}

/**
 * Fills `request.characters`. Rejects with a `RealtimeError`, param `characters`, if the request names a
 * directory that has none.
 */
export async function openCast (request: FastifyRequest): Promise<void> {
  const { characters: directory } = request.query as { characters?: string }
  const session = { id: createId('sess'), startedAt: new Date(), language: null }
  const { roots } = request.apiKey?.limits ?? {}
  const registry = await request.server.dramatisLibrary.open(session, directory, roots).catch(error => {
    throw error instanceof RealtimeError ? new RealtimeError(error.code, { message: error.message, param: 'characters' }) : error
  })
  request.characters = registry
  request.server.dramatisMetrics.charactersLoaded(session.id, registry.size)
  // The connection went while the cast was loading: nobody else will come to let it go.
  if (request.raw.socket.destroyed) await closeCast(request)
  if (registry.size === 0 && directory !== undefined) {
    throw new RealtimeError('no_valid_characters', { param: 'characters', details: registry.report.errors })
  }
}

/** Lets the request's cast go. Idempotent. */
export async function closeCast ({ characters, server }: FastifyRequest): Promise<void> {
  if (characters === null) return
  await characters.purge()
  server.dramatisMetrics.forget(characters.session.id)
}

import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Key } from '../lib/access/keyring.js'
import type { SessionFacts } from '../lib/characters/character.js'
import { createCharacterLibrary, type Allowance } from '../lib/characters/library.js'
import type { CharacterRegistry } from '../lib/characters/registry.js'
import { reopenCast, type SavedCast } from '../lib/characters/reopen.js'
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
  const registry = await fastify.dramatisLibrary.open({ id: 'start', startedAt: new Date(), language: null }).catch(error => {
    throw error instanceof RealtimeError ? new OptionsError(`The characters' directory ${directory} cannot be loaded: ${error.message}`) : error
  })
  const { errors } = registry.report
  for (const error of errors) fastify.log.warn(error, `${error.file} is left out of the default cast: ${error.message}`)
  const names = registry.names()
  await registry.purge()
  if (names.length === 0) throw new OptionsError(`The characters' directory ${directory} has no valid character${errors[0] === undefined ? '' : `: ${errors[0].file}: ${errors[0].message}`}`)
  if (typeof name === 'string' && !names.includes(name)) throw new OptionsError(`The default character '${name}' is not in the cast of ${directory}: ${names.join(', ')}.`)
}

/** A cast that somebody named, or the default one. Rejects with a `RealtimeError` of that field if a named one has no character. */
export async function openNamed (session: SessionFacts, { fastify, key, directory, param }: Named): Promise<CharacterRegistry> {
  const { dramatisLibrary: library, dramatisOptions: { characters: { publicRoots } } } = fastify
  const allowance = allowanceOf(key, publicRoots)
  const opening = typeof directory === 'object' ? reopenCast(library, session, directory, allowance) : library.open(session, directory, allowance)
  const registry = await opening.catch(error => {
    throw error instanceof RealtimeError ? new RealtimeError(error.code, { message: error.message, param }) : error
  })
  if (registry.size > 0 || directory === undefined) return registry
  const { errors } = registry.report
  await registry.purge()
  throw new RealtimeError('no_valid_characters', { param, details: errors })
}

/** What the sessions of a key may load. */
function allowanceOf (key: Key | null, publicRoots: readonly string[]): Allowance {
  if (key === null) return {}
  const { roots, characters, castBytes, castSeconds, inlineCharacters, inlineBytes } = key.limits
  const quotas = { characters, castBytes, castMs: castSeconds === undefined ? undefined : castSeconds * 1000, inlineCharacters, inlineBytes }
  return { roots: roots === undefined ? undefined : [...roots, ...publicRoots], quotas: Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined)) }
}

interface Named {
  fastify: FastifyInstance
  key: Key | null
  /** As it is named, or as it was when a session had it before. */
  directory: string | SavedCast | undefined
  param: string
}

/** Fills `request.characters` with the cast that its session had before, or that of the ephemeral key, or the one that the URL names, or the default one. */
export async function openCast (request: FastifyRequest): Promise<void> {
  const { characters } = request.query as { characters?: string }
  const before = request.resumption?.snapshot ?? null
  const pinned = request.clientSecret?.cast ?? undefined
  if (before === null && pinned !== undefined && characters !== undefined) {
    throw new RealtimeError('invalid_value', { param: 'characters', message: 'This key brings a cast of its own: leave \'characters\' out.' })
  }
  const session = { id: request.sessionId, startedAt: new Date(), language: null }
  const registry = await openNamed(session, {
    fastify: request.server,
    key: request.apiKey,
    directory: before?.cast ?? pinned ?? characters,
    param: before === null ? 'characters' : 'resume'
  })
  request.characters = registry
  request.server.dramatisMetrics.charactersLoaded(session.id, registry.size)
  // The connection went while the cast was loading: nobody else will come to let it go.
  if (request.raw.socket.destroyed) await closeCast(request)
}

/** Lets the request's cast go. Idempotent. */
export async function closeCast ({ characters, server }: FastifyRequest): Promise<void> {
  if (characters === null) return
  await characters.purge()
  server.dramatisMetrics.forget(characters.session.id)
}

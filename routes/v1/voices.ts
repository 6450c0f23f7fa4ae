import type { FastifyInstance, FastifyRequest } from 'fastify'
import { cached } from '../../lib/cached.js'
import { readPicture, type Picture } from '../../lib/characters/cards/picture.js'
import type { CharacterRegistry } from '../../lib/characters/registry.js'
import { openNamed } from '../../plugins/characters.js'

/** An answer is as old as this at most: loading a cast runs its code, and anybody may ask. Milliseconds. */
const TTL_MS = 5000

const querystring = { type: 'object', properties: { characters: { type: 'string', maxLength: 4096 } } }
interface Query { characters?: string }

interface Shown { voices: unknown, pictures: ReadonlyMap<string, Picture> }

/**
 * `GET /v1/voices`: the default cast, without those that are hidden; with `?characters=`, the cast that a session would get by
 * that, to whoever may have one. `GET /v1/voices/:name/picture`: what one looks like.
 */
export default async function voices (fastify: FastifyInstance): Promise<void> {
  const session = () => ({ id: 'voices', startedAt: new Date(), language: null })
  const standard = cached(TTL_MS, async () => await show(await fastify.dramatisLibrary.open(session())))

  async function list (request: FastifyRequest<{ Querystring: Query }>): Promise<Shown> {
    const { characters: directory } = request.query
    if (directory === undefined) return await standard()
    await fastify.dramatisAdmitSession(request)
    return await show(await openNamed(session(), { fastify, key: request.apiKey, directory, param: 'characters' }), `?characters=${encodeURIComponent(directory)}`)
  }

  async function show (registry: CharacterRegistry, query = ''): Promise<Shown> {
    try {
      const pictures = new Map<string, Picture>()
      const shown = registry.names().flatMap(name => {
        const { voice, metadata, picture } = registry.find(name)!
        if (metadata?.good === false) return []
        if (picture !== undefined) pictures.set(name, picture)
        const description = 'description' in voice ? voice.description ?? null : null
        const path = `${fastify.prefix}/v1/voices/${encodeURIComponent(name)}/picture${query}`
        return [{ name, voice, metadata: metadata ?? {}, description, ...picture === undefined ? {} : { picture: path } }]
      })
      // A copy: what is kept must not keep the cast.
      return { voices: JSON.parse(JSON.stringify(shown)) as unknown, pictures }
    } finally {
      await registry.purge()
    }
  }

  fastify.get<{ Querystring: Query }>('/v1/voices', { schema: { querystring } }, async request => (await list(request)).voices)

  fastify.get<{ Params: { name: string }, Querystring: Query }>('/v1/voices/:name/picture', { schema: { querystring } }, async (request, reply) => {
    const known = (await list(request)).pictures.get(request.params.name)
    const picture = known === undefined ? undefined : await readPicture(known)
    if (picture === undefined) return await reply.callNotFound()
    return await reply
      .type(picture.type)
      .header('cache-control', 'no-cache')
      // What somebody drew must never run as a page.
      .header('x-content-type-options', 'nosniff')
      .header('content-security-policy', 'default-src \'none\'; sandbox')
      .send(picture.bytes)
  })
}

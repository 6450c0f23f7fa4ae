import type { FastifyInstance, FastifyRequest } from 'fastify'
import { allowanceOf } from '../../lib/access/allowance.js'
import { cached } from '../../lib/cached.js'
import { readPicture } from '../../lib/characters/cards/picture.js'
import { openNamed } from '../../lib/characters/named-cast.js'
import { listVoices, type VoiceList } from '../../lib/characters/voice-list.js'

/** An answer is as old as this at most: loading a cast runs its code, and anybody may ask. Milliseconds. */
const TTL_MS = 5000

const querystring = { type: 'object', properties: { characters: { type: 'string', maxLength: 4096 } } }
interface Query { characters?: string }

/**
 * `GET /v1/voices`: the default cast, without those that are hidden; with `?characters=`, the cast that a session would get by
 * that, to whoever may have one. `GET /v1/voices/:name/picture`: what one looks like.
 */
export default async function voices (fastify: FastifyInstance): Promise<void> {
  const { dramatisLibrary: library, dramatisOptions: { characters: { publicRoots } } } = fastify
  const session = () => ({ id: 'voices', startedAt: new Date(), language: null })
  const pictureUrl = (name: string, query = ''): string => `${fastify.prefix}/v1/voices/${encodeURIComponent(name)}/picture${query}`
  const standard = cached(TTL_MS, async () => await listVoices(await library.open(session()), pictureUrl))

  async function list (request: FastifyRequest<{ Querystring: Query }>): Promise<VoiceList> {
    const { characters: directory } = request.query
    if (directory === undefined) return await standard()
    await fastify.dramatisAdmitSession(request)
    const registry = await openNamed(library, session(), { directory, param: 'characters', allowance: allowanceOf(request.apiKey, publicRoots) })
    return await listVoices(registry, name => pictureUrl(name, `?characters=${encodeURIComponent(directory)}`))
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

import type { FastifyInstance } from 'fastify'
import { readPicture, type Picture } from '../../lib/characters/cards/picture.js'
import { cached } from '../../lib/cached.js'

/** An answer is as old as this at most: loading a cast runs its code, and anybody may ask. Milliseconds. */
const TTL_MS = 5000

/** `GET /v1/voices`: the default cast, without those that are hidden. `GET /v1/voices/:name/picture`: what one looks like. */
export default async function voices (fastify: FastifyInstance): Promise<void> {
  const list = cached(TTL_MS, async () => {
    const registry = await fastify.dramatisLibrary.open({ id: 'voices', startedAt: new Date(), language: null })
    try {
      const pictures = new Map<string, Picture>()
      const shown = registry.names().flatMap(name => {
        const { voice, metadata, picture } = registry.find(name)!
        if (metadata?.good === false) return []
        if (picture !== undefined) pictures.set(name, picture)
        const description = 'description' in voice ? voice.description ?? null : null
        const path = `${fastify.prefix}/v1/voices/${encodeURIComponent(name)}/picture`
        return [{ name, voice, metadata: metadata ?? {}, description, ...picture === undefined ? {} : { picture: path } }]
      })
      // A copy: what is kept must not keep the cast.
      return { voices: JSON.parse(JSON.stringify(shown)) as unknown, pictures }
    } finally {
      await registry.purge()
    }
  })

  fastify.get('/v1/voices', async () => (await list()).voices)

  fastify.get<{ Params: { name: string } }>('/v1/voices/:name/picture', async (request, reply) => {
    const known = (await list()).pictures.get(request.params.name)
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

import type { FastifyInstance } from 'fastify'
import { cached } from '../../lib/cached.js'

/** An answer is as old as this at most: loading a cast runs its code, and anybody may ask. Milliseconds. */
const TTL_MS = 5000

/** `GET /v1/voices`: the default cast, without those that are hidden. */
export default async function voices (fastify: FastifyInstance): Promise<void> {
  fastify.get('/v1/voices', cached(TTL_MS, async () => {
    const registry = await fastify.dramatisLibrary.open({ id: 'voices', startedAt: new Date(), language: null })
    try {
      const shown = registry.names().flatMap(name => {
        const { voice, metadata } = registry.find(name)!
        if (metadata?.good === false) return []
        return [{ name, voice, metadata: metadata ?? {}, description: 'description' in voice ? voice.description ?? null : null }]
      })
      // A copy: what is kept must not keep the cast.
      return JSON.parse(JSON.stringify(shown))
    } finally {
      await registry.purge()
    }
  }))
}

import type { FastifyInstance } from 'fastify'

/** `GET /v1/voices`: the default cast, without those that are hidden. */
export default async function voices (fastify: FastifyInstance): Promise<void> {
  fastify.get('/v1/voices', async () => {
    const registry = await fastify.dramatisLibrary.open({ id: 'voices', startedAt: new Date(), language: null })
    try {
      return registry.names().flatMap(name => {
        const { voice, metadata } = registry.find(name)!
        if (metadata?.good === false) return []
        return [{ name, voice, metadata: metadata ?? {}, description: voice.source === 'file' ? voice.description ?? null : null }]
      })
    } finally {
      await registry.purge()
    }
  })
}

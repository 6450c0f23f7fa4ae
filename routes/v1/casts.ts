import type { FastifyInstance } from 'fastify'
import { allowanceOf } from '../../lib/access/allowance.js'

/**
 * `GET /v1/casts`: the roots that whoever asks may load characters from, by the names that a session gives, and the
 * version that each has now; null if it cannot be read.
 */
export default async function casts (fastify: FastifyInstance): Promise<void> {
  const { dramatisLibrary: library, dramatisOptions: { characters: { roots, publicRoots } } } = fastify

  fastify.get('/v1/casts', { preHandler: fastify.dramatisAdmitSession }, async ({ apiKey }) => {
    const { roots: allowed } = allowanceOf(apiKey, publicRoots)
    const names = ['default', ...Object.keys(roots).filter(name => allowed === undefined || allowed.includes(name))]
    const data = await Promise.all(names.map(async directory => ({
      directory,
      version: await library.prepare(directory).catch(() => null),
      public: directory === 'default' || publicRoots.includes(directory)
    })))
    return { data }
  })
}

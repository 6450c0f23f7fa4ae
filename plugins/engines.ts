import fp from 'fastify-plugin'
import { createEngines } from '../lib/engines/create.js'
import { EngineError } from '../lib/engines/engine.js'

/** `fastify.dramatisEngines`: made here unless the embedder passed its own; those it closes itself. */
export default fp(async function engines (fastify) {
  const { engines, own } = createEngines(fastify.dramatisOptions)
  fastify.decorate('dramatisEngines', engines)

  fastify.addHook('onReady', async () => {
    await Promise.all(Object.values(engines).map(async engine => {
      try {
        await engine.start?.()
      } catch (error) {
        // What runs elsewhere may come up later; what should run here never will.
        if (!(error instanceof EngineError) || error.code !== 'engine_unavailable' || engine.name === 'local') throw error
        fastify.log.warn({ engine: engine.name }, error.message)
      }
    }))
  })

  fastify.addHook('onClose', async () => {
    await Promise.allSettled(own.map(engine => engine.close?.()))
  })
}, { name: 'dramatis-engines', fastify: '5.x' })

import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { createEngines } from '../lib/engines/create.js'
import { EngineError, type Engine } from '../lib/engines/engine.js'
import { guardEngines } from '../lib/engines/guard/engines.js'
import { createHealthCheck } from '../lib/engines/health.js'

/** Fastify gives every hook ten seconds; an engine may need longer. Milliseconds. */
const PATIENCE_MS = 8000

/**
 * `fastify.dramatisEngines`, guarded: made here unless the embedder passed its own; those it closes itself.
 * `fastify.dramatisHealth` asks them how they are, for all who want to know.
 */
export default fp(async function engines (fastify) {
  const { engines, fallbacks, policies, own } = createEngines(fastify.dramatisOptions, fastify.dramatisSharedEngines)
  const all: Engine[] = [...Object.values(engines), ...Object.values(fallbacks).filter(engine => engine !== undefined)]
  const guard = guardEngines({ engines, fallbacks, policies, observer: fastify.dramatisMetrics.engines })
  fastify.decorate('dramatisGuard', guard)
  fastify.decorate('dramatisEngines', guard.engines)
  const check = createHealthCheck(guard.engines)
  fastify.decorate('dramatisHealth', check)
  fastify.dramatisMetrics.watchEngines(check)

  fastify.addHook('onReady', async () => {
    const starting = startAll()
    const patience = new AbortController()
    try {
      await Promise.race([starting, sleep(PATIENCE_MS, undefined, { signal: patience.signal })])
    } finally {
      patience.abort()
    }
    // On a slow machine models go on loading while the server already listens.
    starting.catch(error => fastify.log.error(error, 'an engine did not start'))
  })

  /** Rejects with the first fault that nothing will mend, once every engine has ended its start. */
  async function startAll (): Promise<void> {
    const started = await Promise.allSettled(all.map(async engine => engine.start?.()))
    // All are waited for: a worker that is still loading does not survive the end of the process well.
    for (const [index, result] of started.entries()) {
      const { name, about } = all[index]!
      if (about !== undefined) fastify.log.info({ engine: name }, about)
      if (result.status === 'fulfilled') continue
      const error: unknown = result.reason
      // What runs elsewhere may come up later; what should run here never will.
      if (!(error instanceof EngineError) || error.code !== 'engine_unavailable' || name === 'local') throw error
      fastify.log.warn({ engine: name }, error.message)
    }
  }

  fastify.addHook('onClose', async () => {
    await Promise.allSettled(own.map(engine => engine.close?.()))
  })
}, { name: 'dramatis-engines', fastify: '5.x', dependencies: ['dramatis-metrics'] })

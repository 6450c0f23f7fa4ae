import fp from 'fastify-plugin'
import { createEngines } from '../lib/engines/create.js'
import type { Engine } from '../lib/engines/engine.js'
import { guardEngines } from '../lib/engines/guard/engines.js'
import { createHealthCheck } from '../lib/engines/health.js'
import { startEngines } from '../lib/engines/start.js'

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

  fastify.addHook('onReady', () => startEngines(all, fastify.log, PATIENCE_MS))
  fastify.addHook('onClose', async () => {
    await Promise.allSettled(own.map(engine => engine.close?.()))
  })
}, { name: 'dramatis-engines', fastify: '5.x', dependencies: ['dramatis-metrics'] })

import fp from 'fastify-plugin'
import { createStore, nodeName, withoutPassword } from '../lib/cluster/create.js'
import { Fleet } from '../lib/cluster/fleet.js'
import { StoreError } from '../lib/cluster/store.js'
import { OptionsError } from '../lib/options.js'

/**
 * `fastify.dramatisFleet`: this server among those that share its store. Without Redis the store is in memory, and the
 * fleet is this server.
 */
export default fp(async function cluster (fastify) {
  const { dramatisSessions: sessions, dramatisMetrics: metrics, dramatisOptions: { cluster: settings } } = fastify
  const fleet = new Fleet({
    store: createStore(settings),
    node: nodeName(settings),
    leaseMs: settings.leaseSeconds * 1000,
    describe: () => ({ draining: sessions.draining, limit: sessions.limit }),
    log: fastify.log,
    onFallback: metrics.openedAlone
  })
  fastify.decorate('dramatisFleet', fleet)
  metrics.watchStore(() => fleet.up)
  sessions.onDrain(() => fleet.tell())

  fastify.addHook('onReady', async () => {
    await fleet.start(settings.optional).catch(error => {
      if (!(error instanceof StoreError)) throw error
      throw new OptionsError(`Redis at ${withoutPassword(settings.redisUrl ?? '')} cannot be used: ${error.message} Start it, or set REDIS_OPTIONAL=true to serve without it until it is there.`)
    })
    if (settings.redisUrl !== undefined) fastify.log.info({ node: fleet.node, redis: withoutPassword(settings.redisUrl) }, 'member of a fleet')
  })
  fastify.addHook('onClose', () => fleet.stop())
}, { name: 'dramatis-cluster', fastify: '5.x', dependencies: ['dramatis-sessions', 'dramatis-metrics'] })

import fp from 'fastify-plugin'
import { Resumptions } from '../lib/realtime/resume/resumptions.js'

/** `fastify.dramatisResumptions`: sessions that another connection may take up. Their last checkpoints are out before the store is let go. */
export default fp(async function resume (fastify) {
  const { dramatisFleet: { store, node, messages }, dramatisMetrics: metrics, dramatisOptions: { limits, cluster } } = fastify
  const resumptions: Resumptions = new Resumptions({
    store,
    node,
    // A store elsewhere has bounds of its own.
    room: cluster.redisUrl === undefined ? { entries: limits.sessions * 4 * (store.share ?? 1), bytes: limits.resumeTotalBytes } : undefined,
    seconds: limits.resumeSeconds,
    sessionSeconds: limits.sessionSeconds,
    maxBytes: limits.resumeBytes,
    tell: async (holder, key) => { await messages.ask(holder, 'release', key) },
    observe: outcome => metrics.checkpoint(outcome),
    fault: error => fastify.log.warn({ err: error }, 'sessions could not be kept')
  })
  messages.answer('release', (key: unknown) => resumptions.release(String(key)))
  fastify.decorate('dramatisResumptions', resumptions)
  fastify.decorateRequest('resumption', null)
  fastify.addHook('onClose', () => resumptions.settled())
}, { name: 'dramatis-resume', fastify: '5.x', dependencies: ['dramatis-metrics', 'dramatis-cluster'] })

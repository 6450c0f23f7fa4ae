import fp from 'fastify-plugin'
import { Resumptions } from '../lib/realtime/resume/resumptions.js'

/** `fastify.dramatisResumptions`: sessions that another connection may take up. Their last checkpoints are out before the server has closed. */
export default fp(async function resume (fastify) {
  const { limits } = fastify.dramatisOptions
  const metrics = fastify.dramatisMetrics
  const { store, node, messages } = fastify.dramatisFleet
  const resumptions = new Resumptions({
    store,
    node,
    room: { entries: limits.sessions * 4, bytes: limits.resumeTotalBytes },
    seconds: limits.resumeSeconds,
    sessionSeconds: limits.sessionSeconds,
    maxBytes: limits.resumeBytes,
    observe: outcome => metrics.checkpoint(outcome),
    fault: error => fastify.log.warn({ err: error }, 'sessions could not be kept')
  })
  messages.on(message => resumptions.hear(message))
  fastify.decorate('dramatisResumptions', resumptions)
  fastify.decorateRequest('resumption', null)
  fastify.addHook('onClose', async () => {
    await resumptions.settled()
  })
}, { name: 'dramatis-resume', fastify: '5.x', dependencies: ['dramatis-metrics', 'dramatis-cluster'] })

import fp from 'fastify-plugin'
import { Overload } from '../lib/overload.js'

/** `fastify.dramatisOverload`: whether new sessions are refused, as the machine cannot keep up with those it has. */
export default fp(async function overload (fastify) {
  const { dramatisGuard: guard, dramatisMetrics: metrics, dramatisOptions: { limits } } = fastify
  const overload = new Overload(limits, () => Math.max(guard.lag('vad'), guard.lag('stt'), guard.lag('tts')))
  fastify.decorate('dramatisOverload', overload)
  metrics.watchLoad(() => overload.refusing, stage => guard.lag(stage) / 1000)
  fastify.addHook('onReady', async () => { overload.start() })
  fastify.addHook('onClose', async () => { overload.stop() })
}, { name: 'dramatis-overload', fastify: '5.x', dependencies: ['dramatis-engines', 'dramatis-metrics'] })

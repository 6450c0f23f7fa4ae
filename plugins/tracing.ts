import fp from 'fastify-plugin'
import { loadTracing } from '../lib/tracing/tracing.js'

/** `fastify.dramatisTracing`, or null: then nothing of OpenTelemetry is loaded. */
export default fp(async function tracing (fastify) {
  fastify.decorate('dramatisTracing', fastify.dramatisOptions.tracing ? await loadTracing() : null)
}, { name: 'dramatis-tracing', fastify: '5.x' })

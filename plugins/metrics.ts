import fp from 'fastify-plugin'
import fastifyMetrics from 'fastify-metrics'
import promClient, { Registry } from 'prom-client'
import { createMetrics } from '../lib/metrics.js'

/** `GET /metrics`, and `fastify.dramatisMetrics` to report to. Each server has a registry of its own. */
export default fp(async function metrics (fastify) {
  const register = new Registry()
  fastify.decorate('dramatisMetrics', createMetrics(register, {
    sessionLabel: fastify.dramatisOptions.metrics.sessionLabel,
    sessions: fastify.dramatisSessions
  }))

  await fastify.register(fastifyMetrics.default, {
    name: 'dramatisHttpMetrics',
    endpoint: '/metrics',
    promClient: { ...promClient, register } as typeof promClient,
    defaultMetrics: { enabled: true, register },
    routeMetrics: {
      enabled: { histogram: true, summary: false },
      overrides: { histogram: { registers: [register] }, summary: { registers: [register] } }
    }
  })
  // fastify-metrics registers it though it is switched off.
  register.removeSingleMetric('http_request_summary_seconds')
}, { name: 'dramatis-metrics', fastify: '5.x', dependencies: ['dramatis-sessions'] })

import type { FastifyInstance } from 'fastify'
import { describeReadiness } from '../../lib/readiness.js'

/** Probes: `/health/live` for the process, `/health/ready` for traffic, `/v1/health` in the shape unmute's clients read. */
export default async function health (fastify: FastifyInstance): Promise<void> {
  const { dramatisHealth: check, dramatisSessions: sessions, dramatisFleet: fleet, dramatisGuard: guard, dramatisOverload: overload } = fastify

  fastify.get('/health/live', async () => ({ status: 'live' }))

  fastify.get('/health/ready', async (request, reply) => {
    const { code, body } = describeReadiness({
      engines: await check(),
      circuits: guard.circuits(),
      store: fleet.up,
      overloaded: overload.refusing,
      draining: sessions.draining
    })
    return await reply.code(code).send(body)
  })

  fastify.get('/v1/health', async () => {
    const { stt, llm, tts } = await check()
    return { ok: stt && llm && tts, stt_up: stt, llm_up: llm, tts_up: tts }
  })
}

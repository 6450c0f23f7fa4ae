import type { FastifyInstance } from 'fastify'

/** Probes: `/health/live` for the process, `/health/ready` for traffic, `/v1/health` in the shape unmute's clients read. */
export default async function health (fastify: FastifyInstance): Promise<void> {
  const { dramatisHealth: check, dramatisSessions: sessions, dramatisFleet: fleet } = fastify

  fastify.get('/health/live', async () => ({ status: 'live' }))

  fastify.get('/health/ready', async (request, reply) => {
    const engines = await check()
    const up = Object.values(engines).filter(Boolean).length
    const circuits = fastify.dramatisGuard.circuits()
    const overloaded = fastify.dramatisOverload.refusing
    const whole = up === 3 && fleet.up && Object.keys(circuits).length === 0 && !overloaded
    const status = sessions.draining ? 'draining' : whole ? 'ready' : up === 0 ? 'down' : 'degraded'
    // While new sessions are refused, a balancer had better choose another server.
    reply.code((status === 'ready' || status === 'degraded') && !overloaded ? 200 : 503)
    return {
      status,
      engines: { stt: word(engines.stt), llm: word(engines.llm), tts: word(engines.tts) },
      ...fleet.up ? {} : { store: 'down' },
      ...whole ? {} : { overloaded, circuits: { stt: 'closed', llm: 'closed', tts: 'closed', ...circuits } }
    }
  })

  fastify.get('/v1/health', async () => {
    const { stt, llm, tts } = await check()
    return { ok: stt && llm && tts, stt_up: stt, llm_up: llm, tts_up: tts }
  })
}

function word (up: boolean): 'up' | 'down' {
  return up ? 'up' : 'down'
}

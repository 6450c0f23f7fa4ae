import fp from 'fastify-plugin'
import { LiveSessions } from '../lib/realtime/live-sessions.js'

/** `fastify.dramatisSessions`. At close, before sockets are cut, sessions may finish what they say. */
export default fp(async function sessions (fastify) {
  const { limits } = fastify.dramatisOptions
  const live = new LiveSessions(limits.sessions, limits.sessionsPerAddress)
  fastify.decorate('dramatisSessions', live)
  fastify.addHook('preClose', () => live.drain(limits.drainSeconds))
}, { name: 'dramatis-sessions', fastify: '5.x' })

import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { Heartbeat } from '../lib/realtime/heartbeat.js'

/**
 * Sockets: the embedder's @fastify/websocket if it registered one before, else our own.
 * `fastify.dramatisHeartbeat` finds those whose other end is gone.
 */
export default fp(async function sockets (fastify) {
  const { limits } = fastify.dramatisOptions
  const heartbeat = new Heartbeat(limits.pingSeconds)
  fastify.decorate('dramatisHeartbeat', heartbeat)
  fastify.addHook('onClose', async () => heartbeat.stop())

  if (fastify.hasDecorator('websocketServer')) return
  await fastify.register(websocket, {
    options: {
      maxPayload: limits.frameBytes,
      // Audio does not shrink, and a deflating socket takes half a megabyte.
      perMessageDeflate: false,
      // Of the protocols a browser offers one carries its key: only this one is ever answered.
      handleProtocols: offered => offered.has('realtime') ? 'realtime' : false
    },
    // The session's own line tells of it; the stack of what a client did wrong helps nobody.
    errorHandler (error, socket, request) {
      if (!('code' in error)) request.log.error(error)
      socket.terminate()
    },
    // Sessions are ended by plugins/sessions.ts, with a code.
    preClose: async () => {}
  })
}, { name: 'dramatis-websocket', fastify: '5.x' })

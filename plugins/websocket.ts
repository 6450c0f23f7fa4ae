import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'

/** Sockets: the embedder's @fastify/websocket if it registered one before, else our own. */
export default fp(async function sockets (fastify) {
  if (fastify.hasDecorator('websocketServer')) return
  await fastify.register(websocket, {
    options: {
      maxPayload: fastify.dramatisOptions.limits.frameBytes,
      // Of the protocols a browser offers one carries its key: only this one is ever answered.
      handleProtocols: offered => offered.has('realtime') ? 'realtime' : false
    },
    // Sessions are ended by plugins/sessions.ts, with a code.
    preClose: async () => {}
  })
}, { name: 'dramatis-websocket', fastify: '5.x' })

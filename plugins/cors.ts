import cors from '@fastify/cors'
import fp from 'fastify-plugin'
import { isOriginAllowed } from '../lib/access/origins.js'

/** Pages of the origins that may connect may read the HTTP routes too. An embedder's own @fastify/cors stands instead. */
export default fp(async function crossOrigin (fastify) {
  if (fastify.hasRequestDecorator('corsPreflightEnabled')) return
  const { allowedOrigins } = fastify.dramatisOptions
  await fastify.register(cors, {
    // A page of the server's own origin needs no leave: it is not asked about here.
    origin: (origin, decide) => decide(null, origin !== undefined && isOriginAllowed(origin, undefined, allowedOrigins)),
    methods: ['GET', 'POST'],
    exposedHeaders: ['retry-after'],
    maxAge: 600
  })
}, { name: 'dramatis-cors', fastify: '5.x' })

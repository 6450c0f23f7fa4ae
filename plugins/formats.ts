import fp from 'fastify-plugin'
import { loadFormats } from '../lib/audio/formats.js'

/** Telephone audio is ready before the first session, which can then switch to it within one event. */
export default fp(async function formats (fastify) {
  fastify.addHook('onReady', loadFormats)
}, { name: 'dramatis-formats', fastify: '5.x' })

import './plugins/augment.js'
import type { FastifyInstance } from 'fastify'
import { readOptions, type DramatisOptions } from './lib/options.js'
import access from './plugins/access.js'
import characters from './plugins/characters.js'
import cluster from './plugins/cluster.js'
import cors from './plugins/cors.js'
import engines from './plugins/engines.js'
import errors from './plugins/errors.js'
import formats from './plugins/formats.js'
import metrics from './plugins/metrics.js'
import overload from './plugins/overload.js'
import resume from './plugins/resume.js'
import sessions from './plugins/sessions.js'
import tracing from './plugins/tracing.js'
import websocket from './plugins/websocket.js'
import health from './routes/health/index.js'
import pages from './routes/pages.js'
import casts from './routes/v1/casts.js'
import models from './routes/v1/models.js'
import clientSecrets from './routes/v1/realtime/client-secrets.js'
import realtime from './routes/v1/realtime/index.js'
import schema from './routes/v1/realtime/schema.js'
import sessionList from './routes/v1/sessions.js'
import voices from './routes/v1/voices.js'

/**
 * The whole server as a Fastify plugin: `app.register(dramatis, { prefix, ...options })`. Reads no
 * environment; throws an `OptionsError` for wrong options when it is registered.
 */
async function dramatis (fastify: FastifyInstance, options: DramatisOptions): Promise<void> {
  fastify.decorate('dramatisOptions', readOptions(options))

  await fastify.register(errors)
  await fastify.register(sessions)
  await fastify.register(metrics)
  await fastify.register(cluster)
  await fastify.register(tracing)
  await fastify.register(resume)
  await fastify.register(websocket)
  await fastify.register(cors)
  await fastify.register(access)
  await fastify.register(engines)
  await fastify.register(overload)
  await fastify.register(formats)
  await fastify.register(characters)

  await fastify.register(realtime)
  await fastify.register(clientSecrets)
  await fastify.register(schema)
  await fastify.register(voices)
  await fastify.register(casts)
  await fastify.register(models)
  await fastify.register(sessionList)
  await fastify.register(health)
  await fastify.register(pages)
}

export default dramatis
// What `require('dramatis')` gives.
export { dramatis as 'module.exports' }

export { EngineError, SAMPLE_RATE } from './lib/engines/engine.js'
export type * from './lib/engines/engine.js'
// For who writes an engine.
export { createResampler, type Resampler } from './lib/audio/resample.js'
export { readWav, toWav, type Wav } from './lib/audio/wav.js'
export { abortable } from './lib/engines/abortable.js'
export { createAutoLlm } from './lib/engines/auto.js'
export { createDemoLlm } from './lib/engines/demo/llm.js'
export { createLocalStt, type LocalSttOptions } from './lib/engines/local/stt.js'
export { createLocalTts, type LocalTtsOptions } from './lib/engines/local/tts.js'
export { createLocalVad, type LocalVadOptions } from './lib/engines/local/vad.js'
export { createKyutaiStt } from './lib/engines/kyutai/stt.js'
export { createKyutaiTts } from './lib/engines/kyutai/tts.js'
export type { KyutaiOptions } from './lib/engines/kyutai/instances.js'
export { createOpenAiLlm, type OpenAiLlmOptions } from './lib/engines/openai/llm.js'
export { createOpenAiStt, type OpenAiSttOptions } from './lib/engines/openai/stt.js'
export { createOpenAiTts, type OpenAiTtsOptions } from './lib/engines/openai/tts.js'
export type * from './lib/cluster/store.js'
export { errorCodes, RealtimeError, type ErrorCode } from './lib/errors.js'
export { OptionsError, type DramatisOptions } from './lib/options.js'
export type { ClientEvent, ServerEvent } from './lib/realtime/events/typed.js'

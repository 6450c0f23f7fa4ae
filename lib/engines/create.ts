import type { LlmSettings, Options, SpeechSettings } from '../options.js'
import { createAutoLlm } from './auto.js'
import { createDemoLlm } from './demo/llm.js'
import type { Engine, Engines, LlmEngine, SttEngine, TtsEngine } from './engine.js'
import type { Fallbacks } from './guard/engines.js'
import type { Policy, Stage } from './guard/policy.js'
import { createKyutaiStt } from './kyutai/stt.js'
import { createKyutaiTts } from './kyutai/tts.js'
import type { SharedEngines } from './local/engine-channel.js'
import { createLocalStt } from './local/stt.js'
import { createLocalTts } from './local/tts.js'
import { createLocalVad } from './local/vad.js'
import { createOpenAiLlm } from './openai/llm.js'
import { createOpenAiStt } from './openai/stt.js'
import { createOpenAiTts } from './openai/tts.js'

export interface CreatedEngines {
  engines: Engines
  /** Those that stand in for one that fails. */
  fallbacks: Fallbacks
  /** How each is to be guarded, as far as the options say. */
  policies: Partial<Record<Stage, Partial<Policy>>>
  /** Ours to close. */
  own: Engine[]
}

/**
 * The engines that options ask for. Nothing is loaded yet.
 *
 * @param shared the local ones of several processes; none: this process loads its own
 */
export function createEngines (options: Pick<Options, 'llm' | 'stt' | 'tts' | 'vad'>, shared?: SharedEngines): CreatedEngines {
  const own: Engine[] = []
  const made = <T extends Engine>(engine: T): T => {
    own.push(engine)
    return engine
  }
  const stt = (given: SpeechSettings | SttEngine): SttEngine => 'transcribe' in given ? given : made(createStt(given, shared))
  const llm = (given: LlmSettings | LlmEngine): LlmEngine => 'generate' in given ? given : made(createLlm(given))
  const tts = (given: SpeechSettings | TtsEngine): TtsEngine => 'synthesize' in given ? given : made(createTts(given, shared))
  return {
    engines: {
      vad: options.vad ?? made(createLocalVad({}, shared)),
      stt: stt(options.stt ?? {}),
      llm: llm(options.llm ?? {}),
      tts: tts(options.tts ?? {})
    },
    fallbacks: {
      stt: fallback(options.stt, stt),
      llm: fallback(options.llm, llm),
      tts: fallback(options.tts, tts)
    },
    policies: { stt: policy(options.stt), llm: policy(options.llm), tts: policy(options.tts) },
    own
  }
}

function createLlm (options: LlmSettings): LlmEngine {
  switch (options.engine ?? (options.baseUrl === undefined ? 'demo' : 'openai')) {
    case 'demo': return createDemoLlm()
    case 'auto': return createAutoLlm({ ...options, firstTokenTimeoutMs: options.firstResultTimeoutMs, retries: 0 })
    // The guard tries again, whatever engine it is.
    case 'openai': return createOpenAiLlm({ ...options, firstTokenTimeoutMs: options.firstResultTimeoutMs, retries: 0 })
  }
}

function createStt (options: SpeechSettings, shared: SharedEngines | undefined): SttEngine {
  switch (options.engine ?? (options.baseUrl === undefined ? 'local' : 'openai')) {
    case 'local': return createLocalStt({ model: options.model }, shared)
    case 'openai': return createOpenAiStt({ ...options, firstTokenTimeoutMs: options.firstResultTimeoutMs })
    case 'kyutai': return createKyutaiStt(options)
  }
}

function createTts (options: SpeechSettings, shared: SharedEngines | undefined): TtsEngine {
  switch (options.engine ?? (options.baseUrl === undefined ? 'local' : 'openai')) {
    case 'local': return createLocalTts({ model: options.model }, shared)
    case 'openai': return createOpenAiTts({ ...options, firstTokenTimeoutMs: options.firstResultTimeoutMs })
    case 'kyutai': return createKyutaiTts(options)
  }
}

function fallback<T extends LlmSettings | SpeechSettings | Engine, E extends Engine> (given: T | undefined, create: (options: T) => E): E | undefined {
  const wanted = given !== undefined && 'fallback' in given ? given.fallback : undefined
  return wanted === undefined ? undefined : create(wanted as T)
}

/** An engine that is given as an object is asked once, unless it says otherwise itself. */
function policy (options: LlmSettings | SpeechSettings | Engine | undefined): Partial<Policy> {
  if (options !== undefined && 'name' in options) return {}
  const { firstResultTimeoutMs, stallTimeoutMs, breakerFaults, breakerSeconds, retries = 1 } = options ?? {}
  return { firstResultTimeoutMs, stallTimeoutMs, breakerFaults, breakerSeconds, retries } as Partial<Policy>
}

import type { LlmSettings, Options, SpeechSettings } from '../options.js'
import { createDemoLlm } from './demo/llm.js'
import type { Engine, Engines, LlmEngine, SttEngine, TtsEngine } from './engine.js'
import { createLocalStt } from './local/stt.js'
import { createLocalTts } from './local/tts.js'
import { createLocalVad } from './local/vad.js'
import { createOpenAiLlm } from './openai/llm.js'
import { createOpenAiStt } from './openai/stt.js'
import { createOpenAiTts } from './openai/tts.js'

/** The engines that options ask for, and which of them are ours to close. Nothing is loaded yet. */
export function createEngines (options: Pick<Options, 'llm' | 'stt' | 'tts' | 'vad'>): { engines: Engines, own: Engine[] } {
  const own: Engine[] = []
  const made = <T extends Engine>(engine: T): T => {
    own.push(engine)
    return engine
  }
  const { llm = {}, stt = {}, tts = {}, vad } = options
  return {
    engines: {
      vad: vad ?? made(createLocalVad()),
      stt: 'transcribe' in stt ? stt : made(createStt(stt)),
      llm: 'generate' in llm ? llm : made(createLlm(llm)),
      tts: 'synthesize' in tts ? tts : made(createTts(tts))
    },
    own
  }
}

function createLlm (options: LlmSettings): LlmEngine {
  switch (options.engine ?? (options.baseUrl === undefined ? 'demo' : 'openai')) {
    case 'demo': return createDemoLlm()
    case 'openai': return createOpenAiLlm(options)
  }
}

function createStt (options: SpeechSettings): SttEngine {
  switch (options.engine ?? (options.baseUrl === undefined ? 'local' : 'openai')) {
    case 'local': return createLocalStt({ model: options.model })
    case 'openai': return createOpenAiStt(options)
  }
}

function createTts (options: SpeechSettings): TtsEngine {
  switch (options.engine ?? (options.baseUrl === undefined ? 'local' : 'openai')) {
    case 'local': return createLocalTts({ model: options.model })
    case 'openai': return createOpenAiTts(options)
  }
}

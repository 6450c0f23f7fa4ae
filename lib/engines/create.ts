import type { Options } from '../options.js'
import { createDemoLlm } from './demo/llm.js'
import type { Engine, Engines } from './engine.js'
import { createLocalStt } from './local/stt.js'
import { createLocalTts } from './local/tts.js'
import { createLocalVad } from './local/vad.js'
import { createOpenAiLlm } from './openai/llm.js'

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
      stt: 'transcribe' in stt ? stt : made(createLocalStt({ model: stt.model })),
      llm: 'generate' in llm ? llm : made((llm.engine ?? (llm.baseUrl === undefined ? 'demo' : 'openai')) === 'demo' ? createDemoLlm() : createOpenAiLlm(llm)),
      tts: 'synthesize' in tts ? tts : made(createLocalTts({ model: tts.model }))
    },
    own
  }
}

import { threadUrl } from '../../thread.js'
import type { SpeechFrame, VadEngine } from '../engine.js'
import { inThread, type SharedEngines } from './engine-channel.js'
import { EngineThread } from './engine-thread.js'

export interface LocalVadOptions {
  /** Path of a Silero model, version 5 or 6. Default: version 6 of the package `@ricky0123/vad-web`. */
  model?: string | undefined
}

/**
 * Voice detection with Silero on `onnxruntime-node`, in one worker thread: frames of all streams
 * that are there at the same time go through one shared model in one run.
 */
export function createLocalVad (options: LocalVadOptions = {}, shared?: SharedEngines): VadEngine {
  const thread = new EngineThread('Local voice detection', shared?.('vad', options, 1) ?? inThread(threadUrl(import.meta.url, 'vad-worker'), options))
  return {
    name: 'local',
    start: async () => { await thread.start() },
    check: async () => { await thread.start() },
    close: () => thread.close(),
    detect (audio, { signal }) {
      const stream = thread.open<SpeechFrame>(undefined, signal)
      stream.feedAudio(audio)
      return stream.output
    }
  }
}

import { threadUrl } from '../../thread.js'
import type { SttEngine, TranscriptChunk } from '../engine.js'
import { inThread, type SharedEngines } from './engine-channel.js'
import { EngineThread } from './engine-thread.js'

export interface LocalSttOptions {
  /**
   * Folder of a sherpa-onnx model (whisper, moonshine, transducer, SenseVoice), for other languages
   * than English. Default: Moonshine tiny of the package `@moonshine-ai/moonshine-js`.
   */
  model?: string | undefined
  /** Utterances decoded at the same time. Default: the cores less one, 1 to 3. */
  concurrency?: number | undefined
}

/**
 * Speech recognition with sherpa-onnx in a worker thread. It decodes in the pauses while audio still
 * arrives, so that at the end of the input the transcript is mostly there.
 */
export function createLocalStt (options: LocalSttOptions = {}, shared?: SharedEngines): SttEngine {
  const thread = new EngineThread('Local speech recognition', shared?.('stt', options, 1) ?? inThread(threadUrl(import.meta.url, 'stt-worker'), options))
  return {
    name: 'local',
    start: async () => { await thread.start() },
    check: async () => { await thread.start() },
    close: () => thread.close(),
    transcribe (audio, { signal }) {
      const stream = thread.open<TranscriptChunk>(undefined, signal)
      // A copy, as what a worker is given can no longer be read here.
      stream.feed(audio, (chunk) => { stream.send(chunk.slice()) })
      return stream.output
    }
  }
}

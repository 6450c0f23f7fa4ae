import { availableParallelism } from 'node:os'
import { loadResampling } from '../../audio/resample.js'
import { SAMPLE_RATE, type TranscriptChunk } from '../engine.js'
import { DecodeQueue } from './decode-queue.js'
import { serve, type Reply } from './rpc.js'
import { loadRecognizer } from './recognizer.js'
import type { LocalSttOptions } from './stt.js'
import { STT_RATE, Utterance } from './utterance.js'

await serve(async (options: LocalSttOptions, guard) => {
  const [recognize, resampler] = await Promise.all([guard(() => loadRecognizer(options.model)), loadResampling()])
  const queue = new DecodeQueue((audio) => guard(() => recognize(audio)), options.concurrency ?? Math.min(3, Math.max(1, availableParallelism() - 1)))
  // The first run allocates what later ones use.
  await queue.decode(new Float32Array(STT_RATE), 'final').text
  return {
    open: (_value: unknown, reply: Reply<TranscriptChunk>) => new Utterance(queue, reply, resampler(SAMPLE_RATE, STT_RATE)),
    tasks: () => queue.size,
    close: () => queue.close()
  }
})

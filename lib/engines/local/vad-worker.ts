import { dirname, join } from 'node:path'
import { loadResampling } from '../../audio/resample.js'
import { SAMPLE_RATE, type SpeechFrame } from '../engine.js'
import { modelFile, packageFile } from './files.js'
import { serve, type Reply } from './rpc.js'
import { loadSilero } from './silero.js'
import { VadRounds, VAD_RATE } from './vad-rounds.js'
import type { LocalVadOptions } from './vad.js'

await serve(async (options: LocalVadOptions) => {
  const path = modelFile(options.model ?? join(dirname(packageFile('@ricky0123/vad-web')), 'silero_vad_v6.onnx'))
  const [silero, resampler] = await Promise.all([loadSilero(path), loadResampling()])
  const rounds = new VadRounds(silero)
  return {
    open: (_value: undefined, reply: Reply<SpeechFrame>) => rounds.open(reply, resampler(SAMPLE_RATE, VAD_RATE)),
    close: () => silero.close()
  }
})

import sherpa from 'sherpa-onnx-node'
import { fromFloats } from '../../audio/pcm.js'
import { voiceModel } from './model-folder.js'
import type { Speaker } from './speaker.js'

/** A folder with a sherpa-onnx voice: piper and other VITS, Kokoro, Kitten. Its speakers are named by number. */
export async function loadSherpaVoice (folder: string): Promise<Speaker> {
  const tts = await sherpa.OfflineTts.createAsync({
    model: { ...voiceModel(folder), numThreads: 1, provider: 'cpu', debug: false },
    maxNumSentences: 1
  })
  return {
    voices: Array.from({ length: tts.numSpeakers }, (_, number) => String(number)),
    async speak (text, voice, speed) {
      const { samples, sampleRate } = await tts.generateAsync({ text, sid: Number(voice), speed, enableExternalBuffer: false })
      return { samples: fromFloats(samples), rate: sampleRate }
    }
  }
}

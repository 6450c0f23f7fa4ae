import { fromFloats } from '../../audio/pcm.js'
import { abortable } from '../abortable.js'
import { EngineError, SAMPLE_RATE, type TtsEngine } from '../engine.js'
import { createWatch } from '../watch.js'
import { createInstances, type KyutaiOptions, type MoshiStream } from './instances.js'
import { SaidWords } from './said-words.js'

const DEFAULT_URL = 'ws://127.0.0.1:8089'
/** How closely the voice is followed; the server's own default is looser than what sounds best. */
const CFG_ALPHA = '1.5'
/** Collections of the public voice repository: a path into one of them is a voice. */
const COLLECTIONS = /^(unmute-prod-website|expresso|vctk|cml-tts|ears|voice-donations|voice-zero|alba-mackenna)\//
/** For characters without a voice of their own here. */
const VOICES = [
  'unmute-prod-website/p329_022.wav', 'unmute-prod-website/developpeuse-3.wav', 'expresso/ex03-ex01_happy_001_channel1_334s.wav',
  'alba-mackenna/casual.wav', 'voice-donations/Selfie.wav', 'voice-donations/Butter.wav', 'vctk/p228_023.wav', 'vctk/p244_023.wav',
  'vctk/p254_023.wav', 'vctk/p262_023.wav', 'vctk/p303_023.wav', 'vctk/p315_023.wav', 'vctk/p339_023.wav', 'vctk/p361_023.wav',
  'expresso/ex04-ex02_confused_001_channel1_499s.wav', 'ears/p010/freeform_speech_01.wav'
]

/**
 * Speech by moshi-server (`/api/tts_streaming`): text goes in as it is written, and every word comes out with the
 * sound in which it is said.
 *
 * @throws {EngineError} `engine_unavailable` for a base URL that is none.
 */
export function createKyutaiTts (options: KyutaiOptions = {}): TtsEngine {
  const { stallTimeoutMs = 15_000 } = options
  const instances = createInstances('The speech synthesis', '/api/tts_streaming', options.baseUrl || DEFAULT_URL, options)

  return {
    name: 'kyutai',
    voices: VOICES,
    openVoices: true,
    voicePath: path => COLLECTIONS.test(path),

    start: () => instances.check(new AbortController().signal),
    check: signal => instances.check(signal),
    async close () { instances.close() },

    async * synthesize (text, { signal, voice, extra = {} }) {
      const watch = createWatch(signal, 'kyutai')
      const over = new AbortController()
      const words = new SaidWords()
      const echoes: { text: string, at: number }[] = []
      let stream: MoshiStream | undefined
      let position = 0
      let complete = false
      try {
        stream = await instances.open({ voice, format: 'PcmMessagePack', cfg_alpha: CFG_ALPHA, ...plain(extra) }, watch.signal)
        const { messages, subject } = stream
        const expect = () => watch.expect(stallTimeoutMs, `${subject} fell silent for ${stallTimeoutMs / 1000} s.`)
        const sent = send(text, stream, words, AbortSignal.any([signal, over.signal])).then(any => {
          complete = true
          if (any) expect()
          else messages.end()
        })
        sent.catch(error => messages.fail(error))

        for await (const message of messages) {
          signal.throwIfAborted()
          if (message.type === 'Text') {
            echoes.push({ text: message.text, at: message.start_s * SAMPLE_RATE })
          } else if (message.type === 'Audio') {
            watch.rest()
            position += message.pcm.length
            let said = ''
            // Words are told ahead of their sound, which is two seconds behind them.
            while (echoes.length > 0 && echoes[0]!.at < position) said += words.take(echoes.shift()!.text)
            yield { text: said, audio: fromFloats(Float32Array.from(message.pcm)) }
            if (complete) expect()
          }
        }
        signal.throwIfAborted()
        if (watch.expired !== undefined) throw watch.expired
        if (!complete) throw new EngineError('engine_failed', 'kyutai', `${subject} broke off in the middle of its answer.`)
        const rest = words.takeRest()
        if (rest !== '') yield { text: rest, audio: new Int16Array(0) }
      } catch (error) {
        signal.throwIfAborted()
        throw watch.expired ?? error
      } finally {
        over.abort()
        stream?.close()
        watch.end()
      }
    }
  }
}

/** Passes on the text and says where it ends; whether there was any. */
async function send (text: AsyncIterable<string>, stream: MoshiStream, words: SaidWords, signal: AbortSignal): Promise<boolean> {
  let any = false
  try {
    for await (const clause of abortable(text, signal)) {
      words.add(clause)
      if (clause.trim() === '') continue
      any = true
      stream.send({ type: 'Text', text: clause })
    }
  } catch (error) {
    if (signal.aborted) return any
    throw error
  }
  stream.send({ type: 'Eos' })
  return any
}

/** Of a character's further wishes those that fit into a query: `seed`, `temperature`, `top_k`, `cfg_alpha`. */
function plain (extra: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(extra).filter(([, value]) => typeof value === 'string' || typeof value === 'number').map(([name, value]) => [name, String(value)]))
}

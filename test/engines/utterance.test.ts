import t from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import type { Resampler } from '../../lib/audio/resample.js'
import type { TranscriptChunk } from '../../lib/engines/engine.js'
import { DecodeQueue } from '../../lib/engines/local/decode-queue.js'
import { STT_RATE, Utterance } from '../../lib/engines/local/utterance.js'

const plain = { process: (samples: Int16Array) => samples, flush: () => new Int16Array(0), free: () => {} } as unknown as Resampler

/** 100 ms each, at the recogniser's rate. */
const voice = Int16Array.from({ length: STT_RATE / 10 }, (_, i) => 8000 * Math.sin(i / 20))
const quiet = new Int16Array(STT_RATE / 10)

/** An utterance with a recogniser of our own; tells what was decoded and what was given out. */
function start (recognize: (seconds: number) => string): {
  say: (chunk: Int16Array, times: number) => Promise<void>
  end: () => Promise<void>
  utterance: Utterance
  decoded: number[]
  deltas: string[]
  tentative: string[]
} {
  const decoded: number[] = []
  const deltas: string[] = []
  const tentative: string[] = []
  const queue = new DecodeQueue(async (audio) => {
    const seconds = Math.round(audio.length / STT_RATE * 10) / 10
    decoded.push(seconds)
    return recognize(seconds)
  }, 1)
  let finish: (error?: unknown) => void
  const finished = new Promise<void>((resolve, reject) => { finish = (error) => error ? reject(error) : resolve() })
  finished.catch(() => {})
  const send = (chunk: TranscriptChunk) => {
    if (chunk.delta !== '') deltas.push(chunk.delta)
    if (chunk.tentative !== undefined) tentative.push(chunk.tentative)
  }
  const utterance = new Utterance(queue, { send, took () {}, end: () => finish(), fail: (error) => finish(error) }, plain)
  return {
    utterance,
    decoded,
    deltas,
    tentative,
    async say (chunk, times) {
      for (let i = 0; i < times; i++) {
        utterance.data(chunk)
        await turn()
        await turn()
      }
    },
    end () {
      utterance.end()
      return finished
    }
  }
}

t.test('what was decoded in the pause is the transcript if only silence follows', async (t) => {
  const { say, end, decoded, deltas } = start(() => 'Hello.')
  await say(voice, 10)
  await say(quiet, 5)
  t.same(decoded, [1.2])
  await end()
  t.same(decoded, [1.2])
  t.same(deltas, ['Hello.'])
})

t.test('if speech follows the pause all is decoded again', async (t) => {
  const { say, end, decoded, deltas, tentative } = start((seconds) => seconds > 1.5 ? 'Hello there.' : 'Hello.')
  await say(voice, 10)
  await say(quiet, 3)
  t.same(tentative, ['Hello.'], 'the pause tells what it seems to follow')
  await say(voice, 5)
  await end()
  t.same(decoded, [1.2, 1.8])
  t.same(deltas, ['Hello there.'])
})

t.test('words that two decodes agree on are given out while somebody speaks', async (t) => {
  const { say, end, deltas } = start((seconds) => seconds < 2.5 ? 'He was not a' : 'He was not an ill man')
  await say(voice, 35)
  t.same(deltas, ['He was not'])
  await end()
  t.same(deltas, ['He was not', ' an ill man'])
})

t.test('long speech is decoded in segments at its pauses', async (t) => {
  const { say, end, deltas } = start((seconds) => seconds > 10 ? 'The first part.' : 'The second.')
  await say(voice, 120)
  await say(quiet, 4)
  t.equal(deltas.join(''), 'The first part.')
  await say(voice, 10)
  await end()
  t.equal(deltas.join(''), 'The first part. The second.')
})

t.test('speech without any pause is cut after 20 s', async (t) => {
  const { say, end, decoded } = start(() => '')
  await say(voice, 410)
  await end()
  t.ok(decoded.every((seconds) => seconds <= 20), decoded.join())
  t.equal(decoded.filter((seconds) => seconds === 20).length, 2)
})

t.test('silence is not decoded at all', async (t) => {
  const { say, end, decoded, deltas } = start(() => 'Thank you.')
  await say(quiet, 30)
  await end()
  t.same(decoded, [])
  t.same(deltas, [])
})

t.test('a failed decode fails the utterance', async (t) => {
  const { say, end } = start(() => { throw new Error('no memory') })
  await say(voice, 10)
  await t.rejects(end(), { message: 'no memory' })
})

t.test('after an abort nothing is decoded any more', async (t) => {
  const { say, utterance, decoded } = start(() => 'Hello.')
  await say(voice, 10)
  utterance.data(quiet)
  utterance.data(quiet)
  utterance.abort()
  await turn()
  t.ok(decoded.length <= 1)
})

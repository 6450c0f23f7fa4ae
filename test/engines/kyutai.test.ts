import t, { type Test } from 'tap'
import { concat } from '../../lib/audio/pcm.js'
import { Channel } from '../../lib/channel.js'
import type { SpeechChunk, TtsOptions } from '../../lib/engines/engine.js'
import type { KyutaiOptions } from '../../lib/engines/kyutai/instances.js'
import { SaidWords } from '../../lib/engines/kyutai/said-words.js'
import { createKyutaiStt } from '../../lib/engines/kyutai/stt.js'
import { createKyutaiTts } from '../../lib/engines/kyutai/tts.js'
import { startMoshiServer, type Trouble } from '../support/moshi-server.js'
import { collect, faultOf, stream } from '../support/streams.js'
import { until } from '../support/until.js'

const sound = (ms: number) => new Int16Array(24 * ms).fill(8000)
const silence = (ms: number) => new Int16Array(24 * ms)

async function setUp (t: Test, servers = 1, options: KyutaiOptions = {}) {
  const moshi = await Promise.all(Array.from({ length: servers }, startMoshiServer))
  const baseUrl = moshi.map(({ url }) => url).join(',')
  const stt = createKyutaiStt({ baseUrl, ...options })
  const tts = createKyutaiTts({ baseUrl, ...options })
  t.teardown(async () => {
    await stt.close?.()
    await tts.close?.()
    await Promise.all(moshi.map(server => server.close()))
  })
  const hear = (parts: Int16Array[] | AsyncIterable<Int16Array>, signal = new AbortController().signal) =>
    stt.transcribe(Array.isArray(parts) ? stream(...parts) : parts, { signal })
  const speak = (texts: string[] | AsyncIterable<string>, options: Partial<TtsOptions> = {}) =>
    tts.synthesize(Array.isArray(texts) ? stream(...texts) : texts, { voice: 'a/voice.wav', signal: new AbortController().signal, ...options })
  return { server: moshi[0]!, servers: moshi, stt, tts, hear, speak }
}

const wordsOf = async (chunks: AsyncIterable<{ delta: string }>) => (await collect(chunks)).map(({ delta }) => delta).join('')
const textOf = (chunks: SpeechChunk[]) => chunks.map(({ text }) => text).join('')

t.test('hearing', async t => {
  t.test('words come as they are heard, those at the very end included', async t => {
    const { server, hear } = await setUp(t)
    t.equal(await wordsOf(hear([sound(800), silence(160), sound(400)])), 'word1 word2 word3')
    const { path, headers, messages } = server.connections[0]!
    t.equal(path, '/api/asr-streaming')
    t.equal(headers['kyutai-api-key'], 'public_token')
    t.equal(messages[0]!.pcm[0].toFixed(4), (8000 / 32768).toFixed(4))
  })

  t.test('the first word is there while the speaker goes on', async t => {
    const { hear } = await setUp(t)
    const audio = new Channel<Int16Array>()
    audio.push(sound(480))
    const chunks = hear(audio)[Symbol.asyncIterator]()
    t.same((await chunks.next()).value, { delta: 'word1' })
    await chunks.return?.()
  })

  t.test('how likely the end of the turn is comes with every step, the first second aside', async t => {
    const { hear } = await setUp(t)
    const chunks = await collect(hear([sound(1600), silence(400)]))
    const pauses = chunks.flatMap(({ pause }) => pause ?? [])
    t.ok(pauses.length >= 13)
    t.equal(pauses[0]!.toFixed(2), '0.05')
    t.equal(pauses[8]!.toFixed(2), '0.95')
  })

  t.test('leftovers of the client before are not heard', async t => {
    const { server, hear } = await setUp(t)
    server.troubles.push('leftovers')
    t.equal(await wordsOf(hear([sound(400)])), 'word1')
  })
})

t.test('speaking', async t => {
  t.test('every word comes with the sound in which it is said, and all of them are the text', async t => {
    const { speak } = await setUp(t)
    const text = ['He said: “don’t” – twice (at least). ', 'Really?\n']
    const chunks = await collect(speak(text))
    t.equal(textOf(chunks), text.join(''))
    t.same(chunks.filter(({ text }) => text !== '').slice(0, 3).map(({ text }) => text), ['He ', 'said: ', '“don’t” – '])
    t.equal(chunks.findIndex(({ text }) => text.startsWith('Really')), 12, 'two chunks a word')
    t.equal(concat(chunks.map(({ audio }) => audio)).length, 7 * 3840)
    t.equal(chunks[0]!.audio[0], 8192)
  })

  t.test('speaks the first clause while the second is not written yet', async t => {
    const { server, speak } = await setUp(t)
    const text = new Channel<string>()
    text.push('Hello there. ')
    const chunks = speak(text, { extra: { seed: 7, cfg_alpha: 2, odd: {} } })[Symbol.asyncIterator]()
    t.equal((await chunks.next()).value.text, 'Hello ')
    const { query, path } = server.connections[0]!
    t.equal(path, '/api/tts_streaming')
    t.same(Object.fromEntries(query), { voice: 'a/voice.wav', format: 'PcmMessagePack', cfg_alpha: '2', seed: '7' })
    text.push('Bye.')
    text.end()
    const rest: SpeechChunk[] = []
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) rest.push(next.value)
    t.equal(textOf(rest), 'there. Bye.')
  })

  t.test('nothing to say is said at once', async t => {
    const { server, speak } = await setUp(t)
    t.equal(textOf(await collect(speak([]))), '')
    t.equal(textOf(await collect(speak([' ']))), ' ')
    t.same(server.connections.flatMap(({ messages }) => messages).filter(({ type }) => type === 'Text'), [])
  })

  t.test('text is found again though the server joins, splits or rewrites its words', t => {
    const words = new SaidWords()
    words.add('Well, 3.5 « mother-in-law » ')
    t.same(['Well', '35', 'mother', 'inlaw'].map(word => words.take(word)), ['Well, ', '3.5 « ', '', 'mother-in-law » '])
    t.equal(words.takeRest(), '')
    t.end()
  })
})

t.test('several servers', async t => {
  t.test('take turns', async t => {
    const { servers, hear } = await setUp(t, 2)
    for (let i = 0; i < 4; i++) await wordsOf(hear([sound(400)]))
    t.same(servers.map(({ connections }) => connections.length), [2, 2])
  })

  t.test('one without a free place or without life is passed over', async t => {
    const { servers, hear, speak } = await setUp(t, 3)
    servers[0]!.slots = 0
    await servers[1]!.close()
    t.equal(await wordsOf(hear([sound(400)])), 'word1')
    t.equal(textOf(await collect(speak(['Hello.']))), 'Hello.')
    t.same(servers[2]!.connections.map(({ path }) => path), ['/api/asr-streaming', '/api/tts_streaming'])
  })

  t.test('all full is one line that says so', async t => {
    const { servers, hear } = await setUp(t, 2)
    servers[0]!.slots = 0
    await servers[1]!.close()
    const error = await faultOf(collect(hear([sound(400)])))
    t.equal(error.code, 'engine_unavailable')
    t.equal(error.message, `The speech recognition at ${servers[0]!.url} has no capacity left: no free channels.`)
  })

  t.test('a check passes while one of them is there', async t => {
    const { servers, stt, tts } = await setUp(t, 2)
    await servers[0]!.close()
    await stt.start!()
    await tts.check!(new AbortController().signal)
    await servers[1]!.close()
    t.match(await faultOf(stt.check!(new AbortController().signal)), { code: 'engine_unavailable', message: /cannot be reached\.$/ })
  })
})

t.test('an abort', async t => {
  for (const [when, trouble] of [['before the server is ready', 'mute'], ['in the middle', 'stall']] as const) {
    t.test(`${when} closes both connections at once`, async t => {
      const { server, hear, speak } = await setUp(t)
      server.troubles.push(trouble, trouble)
      const controller = new AbortController()
      const endless = new Channel<Int16Array>()
      endless.push(sound(500))
      const words = collect(hear(endless, controller.signal))
      const speech = collect(speak(['Hello there.'], { signal: controller.signal }))
      const all = [await server.connection(0), await server.connection(1)]
      if (trouble === 'stall') await until(() => all.every(({ messages }) => messages.length > 0))
      controller.abort(new Error('enough'))
      await t.rejects(words, { message: 'enough' })
      await t.rejects(speech, { message: 'enough' })
      await Promise.all(all.map(({ closed }) => closed))
      t.equal(server.open(), 0)
    })
  }

  t.test('of a listener who just stops reading does the same', async t => {
    const { server, hear, speak } = await setUp(t)
    for await (const chunk of hear([sound(3000)])) if (chunk.delta !== '') break
    for await (const chunk of speak(['Hello there.', 'And more.'])) if (chunk.audio.length > 0) break
    await Promise.all(server.connections.map(({ closed }) => closed))
    t.equal(server.open(), 0)
  })
})

t.test('faults are one line', async t => {
  const cases: [Trouble, { code: string, message: RegExp }][] = [
    ['mute', { code: 'engine_unavailable', message: /is not ready after 0\.2 s\.$/ }],
    ['drop', { code: 'engine_failed', message: /broke off in the middle of its answer\.$/ }],
    ['stall', { code: 'engine_failed', message: /fell silent for 0\.1 s\.$/ }],
    ['garbage', { code: 'engine_failed', message: /is not moshi-server's protocol\.$/ }],
    ['error', { code: 'engine_failed', message: /failed: model lost\.$/ }]
  ]
  for (const [trouble, expected] of cases) {
    t.test(`${trouble}, and the next stream works`, async t => {
      const { server, hear, speak } = await setUp(t, 1, { connectTimeoutMs: trouble === 'mute' ? 200 : 5000, stallTimeoutMs: trouble === 'stall' ? 100 : 5000 })
      server.troubles.push(trouble, trouble)
      for (const [what, failing] of [['recognition', collect(hear([sound(800)]))], ['synthesis', collect(speak(['Hello there.']))]] as const) {
        const error = await faultOf(failing as Promise<unknown>)
        t.match({ code: error.code, message: error.message }, expected)
        t.ok(error.message.startsWith(`The speech ${what} at ${server.url} `))
      }
      t.equal(await wordsOf(hear([sound(400)])), 'word1')
      t.equal(textOf(await collect(speak(['Hello.']))), 'Hello.')
    })
  }

  t.test('a refused key, nobody there, and a URL that is none', async t => {
    const { server, stt, hear } = await setUp(t, 1, { apiKey: 'wrong' })
    t.match(await faultOf(collect(hear([sound(400)]))), { code: 'engine_unavailable', message: /refused the API key \(401\)\.$/ })
    await server.close()
    t.match(await faultOf(collect(hear([sound(400)]))), { code: 'engine_unavailable', message: /cannot be reached: connection refused\.$/ })
    t.match(await faultOf(stt.start!()), { code: 'engine_unavailable' })
    t.throws(() => createKyutaiStt({ baseUrl: 'localhost:8090' }), { code: 'engine_unavailable' })
  })

  t.test('of the input are passed on as they are', async t => {
    const { server, hear, speak } = await setUp(t)
    const broken = <T>(): AsyncIterable<T> => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no more')) }) })
    await t.rejects(collect(hear(broken())), { message: 'no more' })
    await t.rejects(collect(speak(broken())), { message: 'no more' })
    await Promise.all(server.connections.map(({ closed }) => closed))
  })
})

import t, { type Test } from 'tap'
import { Channel } from '../../lib/channel.js'
import { concat } from '../../lib/audio/pcm.js'
import { toWav } from '../../lib/audio/wav.js'
import { EngineError, type SpeechChunk, type SttOptions, type TranscriptChunk, type TtsOptions } from '../../lib/engines/engine.js'
import { createOpenAiStt, type OpenAiSttOptions } from '../../lib/engines/openai/stt.js'
import { createOpenAiTts, type OpenAiTtsOptions } from '../../lib/engines/openai/tts.js'
import { pcm, startAudioServer, type AudioScript, type AudioStep } from '../support/audio-server.js'
import { clips, readClip } from '../support/wav.js'

const said = (text: string, more = {}): AudioStep => ({ event: { type: 'transcript.text.delta', delta: text, ...more } })
const done = (text: string, more = {}): AudioStep => ({ event: { type: 'transcript.text.done', text, ...more } })
const sure = (token: string, logprob: number) => ({ token, logprob, bytes: [...Buffer.from(token)] })
const tone = (ms: number) => new Int16Array(24 * ms).fill(2000)

async function setUpStt (t: Test, options: OpenAiSttOptions = {}) {
  const server = await startAudioServer()
  const stt = createOpenAiStt({ baseUrl: server.url, model: 'test-model', ...options })
  t.teardown(async () => {
    await stt.close?.()
    await server.close()
  })
  const hear = (options: Partial<SttOptions> = {}, ...parts: Int16Array[]) =>
    stt.transcribe(from(parts.length === 0 ? [tone(500)] : parts), { signal: new AbortController().signal, ...options })
  return { server, stt, hear }
}

async function setUpTts (t: Test, options: OpenAiTtsOptions = {}) {
  const server = await startAudioServer()
  const tts = createOpenAiTts({ baseUrl: server.url, model: 'test-model', ...options })
  t.teardown(async () => {
    await tts.close?.()
    await server.close()
  })
  const speak = (texts: string[], options: Partial<TtsOptions> = {}) =>
    tts.synthesize(from(texts), { signal: new AbortController().signal, voice: 'coral', ...options })
  return { server, tts, speak }
}

async function * from<T> (values: T[]): AsyncGenerator<T> {
  yield * values
}

async function collect<T> (values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

const words = async (chunks: AsyncIterable<TranscriptChunk>) => (await collect(chunks)).map(({ delta }) => delta).join('')
const sound = (chunks: SpeechChunk[]) => concat(chunks.map(({ audio }) => audio))

async function faultOf (promise: Promise<unknown>): Promise<EngineError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  throw new Error('it did not fail')
}

t.test('hearing', async t => {
  t.test('words are given out as the server streams them', async t => {
    const { server, hear } = await setUpStt(t)
    let goOn = () => {}
    server.script({ steps: [said('Good'), { until: new Promise<void>(resolve => { goOn = resolve }) }, said(' morning.'), done('Good morning.')] })
    const chunks = hear()[Symbol.asyncIterator]()
    t.equal((await chunks.next()).value.delta, 'Good')
    goOn()
    t.equal((await chunks.next()).value.delta, ' morning.')
    t.equal((await chunks.next()).done, true)
  })

  for (const [name, script] of Object.entries<AudioScript>({
    'a server that does not stream': { body: { text: ' Good morning.' } },
    'a stream of the whole at its end': { steps: [done('Good morning.')] },
    'a whole that says more than its pieces': { steps: [said('Good'), done('Good morning.')] },
    'segments without a type': { steps: [{ event: { text: 'Good' } }, { event: { text: 'morning.' } }] }
  })) {
    t.test(`${name} is understood`, async t => {
      const { server, hear } = await setUpStt(t)
      server.script(script)
      t.equal(await words(hear()), 'Good morning.')
    })
  }

  const [good, morning] = [sure('Good', -0.1), sure(' morning', -2.5)]
  for (const [name, script, expected] of [
    ['a stream', { steps: [said('Good', { logprobs: [good] }), said(' morning', { logprobs: [morning] }), done('Good morning', { logprobs: [good, morning] })] },
      [{ delta: 'Good', logprobs: [good] }, { delta: ' morning', logprobs: [morning] }]],
    ['a stream that has them at its end', { steps: [said('Good'), said(' morning'), done('Good morning', { logprobs: [good, morning] })] },
      [{ delta: 'Good' }, { delta: ' morning' }, { delta: '', logprobs: [good, morning] }]],
    ['a whole that says more than its pieces', { steps: [said('Good', { logprobs: [good] }), done('Good morning', { logprobs: [good, morning] })] },
      [{ delta: 'Good', logprobs: [good] }, { delta: ' morning', logprobs: [morning] }]],
    ['a plain answer', { body: { text: 'Good morning', logprobs: [good, morning] } }, [{ delta: 'Good morning', logprobs: [good, morning] }]],
    ['a server that leaves out the bytes', { body: { text: 'Schön', logprobs: [{ token: 'Schön', logprob: -1 }] } }, [{ delta: 'Schön', logprobs: [sure('Schön', -1)] }]],
    ['a server that has none', { body: { text: 'Good morning', logprobs: null } }, [{ delta: 'Good morning' }]]
  ] satisfies [string, AudioScript, TranscriptChunk[]][]) {
    t.test(`log probabilities that are wanted are asked for, and those of ${name} come once`, async t => {
      const { server, hear } = await setUpStt(t)
      server.script(script)
      t.strictSame(await collect(hear({ logprobs: true })), expected)
      t.equal(server.requests[0]!.fields['include[]'], 'logprobs')
    })
  }

  t.test('log probabilities that nobody wants are not asked for, nor looked at', async t => {
    const { server, hear } = await setUpStt(t)
    server.script({ body: { text: 'Good', logprobs: 'high' } }, { steps: [said('Good', { logprobs: [{}] })] })
    for (const wanted of [{}, { logprobs: false }]) t.strictSame(await collect(hear(wanted)), [{ delta: 'Good' }])
    for (const { fields } of server.requests) t.notOk(Object.keys(fields).some(key => key.startsWith('include')))
  })

  for (const [status, message] of [[400, 'Unrecognized request argument supplied: include'], [422, 'logprobs: not with this model']] as const) {
    t.test(`a server that refuses log probabilities (${status}) is asked without, from then on at once`, async t => {
      const { server, hear } = await setUpStt(t)
      server.models = ['test-model', 'other']
      server.script({ status, body: { error: { message } } })
      for (let i = 0; i < 2; i++) t.equal(await words(hear({ logprobs: true }, tone(1000))), 'Hello there.')
      t.same(server.requests.map(({ fields }) => fields['include[]']), ['logprobs', undefined, undefined])
      t.equal(server.requests[1]!.fields.file.size, server.requests[0]!.fields.file.size)
    })
  }

  t.test('what one model refuses another is still asked for', async t => {
    const { server, stt, hear } = await setUpStt(t)
    server.models = ['test-model', 'other']
    await stt.start?.()
    server.script({ status: 400, body: { error: { message: 'no logprobs' } } })
    await words(hear({ logprobs: true }))
    await words(hear({ logprobs: true, model: 'other' }))
    t.same(server.requests.map(({ fields }) => [fields.model, fields['include[]']]), [['test-model', 'logprobs'], ['test-model', undefined], ['other', 'logprobs']])
  })

  for (const [name, error, requests] of [
    ['of another reason', { status: 400, body: { error: { message: 'no such language' } } }, 1],
    ['of no reason that may lie in the request', { status: 500, body: { error: { message: 'include failed' } } }, 1],
    ['that did not lie in them', { status: 400, body: { error: { message: 'include some sound' } } }, 2]
  ] satisfies [string, AudioScript, number][]) {
    t.test(`a refusal ${name} is a fault, and the next utterance is asked for them again`, async t => {
      const { server, hear } = await setUpStt(t)
      server.script(...Array.from({ length: requests }, () => error))
      await faultOf(words(hear({ logprobs: true })))
      t.equal(server.requests.length, requests)
      await words(hear({ logprobs: true }))
      t.equal(server.requests[requests]!.fields['include[]'], 'logprobs')
    })
  }

  for (const logprobs of ['high', [null], [{ token: 5, logprob: -1 }], [{ token: 'Good', logprob: '-1' }]]) {
    t.test(`log probabilities that are ${JSON.stringify(logprobs)} are one line`, async t => {
      const { server, hear } = await setUpStt(t)
      server.script({ body: { text: 'Good', logprobs } }, { steps: [said('Good', { logprobs })] })
      for (let i = 0; i < 2; i++) {
        t.match(await faultOf(words(hear({ logprobs: true }))), { code: 'engine_failed', message: /is not a transcript\.$/ })
      }
    })
  }

  t.test('speech arrives as a WAV file that another recogniser reads, with language, prompt and key', async t => {
    const { server, hear } = await setUpStt(t, { apiKey: 'sk-secret' })
    const [clip] = Object.keys(clips)
    const samples = await readClip(clip!)
    await words(hear({ language: 'en-GB', prompt: 'Names: Dashwood' }, samples))
    const { fields, headers } = server.requests[0]!
    t.match(fields, { model: 'test-model', language: 'en', prompt: 'Names: Dashwood', stream: 'true', response_format: 'json' })
    t.equal(headers.authorization, 'Bearer sk-secret')
    const file = Buffer.from(await fields.file.arrayBuffer())
    t.equal(file.toString('latin1', 0, 4), 'RIFF')
    t.equal(file.readUInt32LE(24), 16_000)
    t.equal(file.readUInt32LE(40), file.length - 44)
    t.equal(Math.round((file.length - 44) / 2 / 16), Math.round(samples.length / 24))
  })

  t.test('what is too short for the hosted API is filled up, and nothing is sent of nothing', async t => {
    const { server, hear, stt } = await setUpStt(t)
    await words(hear({}, tone(20)))
    t.equal(Buffer.from(await server.requests[0]!.fields.file.arrayBuffer()).readUInt32LE(40), 3200)
    t.same(await collect(stt.transcribe(from([]), { signal: new AbortController().signal })), [])
    t.equal(server.requests.length, 1)
  })

  t.test('the only recogniser that the server lists is used; a client\'s choice only if the server has it', async t => {
    const { server, stt, hear } = await setUpStt(t, { model: '' })
    server.models = ['kokoro', 'whisper-large-v3']
    await stt.start?.()
    await words(hear({ model: 'whisper-1' }))
    await words(hear({ model: 'kokoro' }))
    t.same(server.requests.map(({ fields }) => fields.model), ['whisper-large-v3', 'kokoro'])
  })

  t.test('several recognisers are an error that names them, and a server that lists none takes the usual name', async t => {
    const { server, stt, hear } = await setUpStt(t, { model: '' })
    server.models = ['whisper-a', 'whisper-b']
    t.equal((await faultOf(stt.start!())).message, `The speech recognition at ${server.url} offers several models: set STT_MODEL to one of whisper-a, whisper-b.`)
    server.models = null
    await words(hear())
    t.equal(server.requests[0]!.fields.model, 'whisper-1')
  })

  t.test('an abort rejects with its reason and closes the connection upstream', async t => {
    const { server, hear } = await setUpStt(t)
    server.script({ steps: [said('Good'), 'stall'] })
    const controller = new AbortController()
    const chunks = hear({ signal: controller.signal })[Symbol.asyncIterator]()
    await chunks.next()
    const next = chunks.next()
    controller.abort(new Error('enough'))
    await t.rejects(next, { message: 'enough' })
    t.equal(await server.requests[0]!.closed, 'abandoned')
  })

  t.test('an abort while the audio still comes releases it', async t => {
    const { server, stt } = await setUpStt(t)
    const controller = new AbortController()
    const audio = new Channel<Int16Array>()
    audio.push(tone(100))
    const next = stt.transcribe(audio, { signal: controller.signal })[Symbol.asyncIterator]().next()
    controller.abort(new Error('enough'))
    await t.rejects(next, { message: 'enough' })
    t.equal(server.requests.length, 0)
  })

  for (const [name, script, expected] of [
    ['a refused key', { status: 401, body: { error: { message: 'Wrong key sk-secret.' } } }, { code: 'engine_unavailable', message: /refused the API key \(401\): Wrong key \[secret\]\.$/ }],
    ['no capacity', { status: 429 }, { code: 'engine_unavailable', message: /no capacity left \(429\)/ }],
    ['a dropped connection', { steps: [said('Good'), 'drop'] }, { code: 'engine_failed', message: /broke off in the middle/ }],
    ['something else', { body: { words: [] } }, { code: 'engine_failed', message: /is not a transcript\.$/ }],
    ['a web page', { type: 'text/html', steps: [{ bytes: Buffer.from('<html>') }] }, { code: 'engine_failed', message: /is not a transcript\.$/ }],
    ['an error in the stream', { steps: [{ event: { error: { message: 'slot lost' } } }] }, { code: 'engine_failed', message: /failed: slot lost\.$/ }],
    ['silence from the start', { steps: ['stall'] }, { code: 'engine_failed', message: /fell silent|did not begin/ }],
    ['silence in the middle', { steps: [said('Good'), 'stall'] }, { code: 'engine_failed', message: /fell silent in the middle of its answer for 0\.1 s/ }]
  ] satisfies [string, AudioScript, { code: string, message: RegExp }][]) {
    t.test(`${name} is one line without secrets`, async t => {
      const { server, hear } = await setUpStt(t, { apiKey: 'sk-secret', firstTokenTimeoutMs: 200, stallTimeoutMs: 100 })
      server.script(script)
      const error = await faultOf(words(hear()))
      t.match({ code: error.code, message: error.message }, expected)
      t.ok(error.message.startsWith(`The speech recognition at ${server.url} `))
      t.notMatch(error.message, /\n|sk-secret/)
      t.equal(await words(hear()), 'Hello there.', 'and the next utterance works')
    })
  }
})

t.test('speaking', async t => {
  t.test('each clause is spoken in order, and its words come with its first sound', async t => {
    const { server, speak } = await setUpTts(t)
    const chunks = await collect(speak(['Hello, ', 'you there.']))
    t.same(chunks.map(({ text }) => text).filter(text => text !== ''), ['Hello, ', 'you there.'])
    t.equal(sound(chunks).length, 240 * 'Hello, you there.'.length)
    t.same(server.requests.map(({ fields }) => [fields.input, fields.voice, fields.model, fields.response_format]), [
      ['Hello, ', 'coral', 'test-model', 'pcm'], ['you there.', 'coral', 'test-model', 'pcm']
    ])
  })

  t.test('sound is given out as it streams, whatever the borders of its bytes', async t => {
    const { server, speak } = await setUpTts(t)
    let goOn = () => {}
    const bytes = pcm(1200)
    server.script({ type: 'audio/pcm', steps: [{ bytes: bytes.subarray(0, 1001) }, { until: new Promise<void>(resolve => { goOn = resolve }) }, { bytes: bytes.subarray(1001) }] })
    const chunks = speak(['Hello'])[Symbol.asyncIterator]()
    const first = (await chunks.next()).value as SpeechChunk
    t.equal(first.text, 'Hello')
    t.equal(first.audio.length, 500)
    goOn()
    const rest: SpeechChunk[] = []
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) rest.push(next.value)
    t.same([...first.audio, ...sound(rest)], Array.from({ length: 1200 }, () => 1000))
  })

  t.test('the next clause is under way while one is heard, and no more than that', async t => {
    const { server, speak } = await setUpTts(t)
    const chunks = speak(['One.', 'Two.', 'Three.'])[Symbol.asyncIterator]()
    server.script({ type: 'audio/pcm', steps: [{ bytes: pcm(240) }, 'stall'] })
    t.equal((await chunks.next()).value.text, 'One.')
    t.equal((await server.request(1)).fields.input, 'Two.')
    t.equal(server.requests.length, 2)
    await chunks.return?.()
    t.equal(await server.requests[0]!.closed, 'abandoned')
  })

  for (const [name, type, bytes] of [
    ['a named rate', 'audio/pcm;rate=48000', pcm(4800)],
    ['a WAV file', 'audio/wav', toWav(new Int16Array(1600).fill(1000), 16_000)]
  ] as const) {
    t.test(`${name} is brought to the rate of the session`, async t => {
      const { server, speak } = await setUpTts(t)
      server.script({ type, steps: [{ bytes }] })
      t.equal(sound(await collect(speak(['Hello']))).length, 2400)
    })
  }

  t.test('model, speed, instructions and further keys of a character go into the request', async t => {
    const { server, speak } = await setUpTts(t)
    await collect(speak(['Hello'], { model: 'other', speed: 1.2, instructions: 'Whisper.', extra: { seed: 7, input: 'not this' } }))
    t.match(server.requests[0]!.fields, { model: 'other', speed: 1.2, instructions: 'Whisper.', seed: 7, input: 'Hello' })
  })

  for (const voices of [{ voices: ['af_heart', 'am_adam'] }, { data: [{ id: 'af_heart' }, { id: 'am_adam' }] }, [{ name: 'af_heart' }, { name: 'am_adam' }]]) {
    t.test(`voices are those that the server lists: ${JSON.stringify(voices)}`, async t => {
      const { server, tts } = await setUpTts(t)
      server.voices = voices
      await tts.start?.()
      t.same(tts.voices, ['af_heart', 'am_adam'])
    })
  }

  t.test('an abort rejects with its reason and closes every connection upstream', async t => {
    const { server, speak } = await setUpTts(t)
    const controller = new AbortController()
    server.script({ type: 'audio/pcm', steps: [{ bytes: pcm(240) }, 'stall'] }, { type: 'audio/pcm', steps: ['stall'] })
    const chunks = speak(['One.', 'Two.'], { signal: controller.signal })[Symbol.asyncIterator]()
    await chunks.next()
    const second = await server.request(1)
    const next = chunks.next()
    controller.abort(new Error('enough'))
    await t.rejects(next, { message: 'enough' })
    t.equal(await server.requests[0]!.closed, 'abandoned')
    t.equal(await second.closed, 'abandoned')
  })

  for (const [name, script, expected] of [
    ['an unknown voice', { status: 400, body: { error: { message: 'no voice "coral"' } } }, { code: 'engine_failed', message: /rejected the request \(400\): no voice "coral"\.$/ }],
    ['an MP3 file', { type: 'audio/mpeg', steps: [{ bytes: pcm(100) }] }, { code: 'engine_failed', message: /is not PCM audio\.$/ }],
    ['no sound', { type: 'audio/pcm', steps: [] }, { code: 'engine_failed', message: /sent no sound\.$/ }],
    ['a dropped connection', { type: 'audio/pcm', steps: [{ bytes: pcm(100) }, 'drop'] }, { code: 'engine_failed', message: /broke off in the middle/ }],
    ['silence in the middle', { type: 'audio/pcm', steps: [{ bytes: pcm(100) }, 'stall'] }, { code: 'engine_failed', message: /fell silent in the middle of its speech for 0\.1 s/ }]
  ] satisfies [string, AudioScript, { code: string, message: RegExp }][]) {
    t.test(`${name} is one line`, async t => {
      const { server, speak } = await setUpTts(t, { firstTokenTimeoutMs: 200, stallTimeoutMs: 100 })
      server.script(script)
      const error = await faultOf(collect(speak(['Hello'])))
      t.match({ code: error.code, message: error.message }, expected)
      t.ok(error.message.startsWith(`The speech synthesis at ${server.url} `))
      t.equal(sound(await collect(speak(['Hi']))).length, 480, 'and the next answer works')
    })
  }
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { EngineError, type LlmEvent, type SpeechChunk, type SttEngine, type TranscriptChunk, type TtsEngine } from '../../lib/engines/engine.js'
import { guardEngines, type GuardOptions } from '../../lib/engines/guard/engines.js'
import { startChatServer } from '../support/chat-server.js'
import { cannedEngines, countingStt, hang, says, scriptedLlm, tone, toneTts } from '../support/engines.js'
import { startServer } from '../support/server.js'

// What stands between a session and every engine: deadlines, further attempts, a stand-in, a circuit.

const failing = { type: 'failed', error: { type: 'server_error', code: 'engine_failed' } }

/** Sessions without a character, whose model is a chat server that follows a script. */
async function withModel (t: Test, llm: object = {}, more: DramatisOptions = {}) {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const server = await startServer(t, { characters: { default: null }, ...more, llm: { baseUrl: chat.url, model: 'test-model', ...llm } as DramatisOptions['llm'] })
  return { chat, server, client: await server.connect() }
}

/** A guard on its own, for what cannot be seen from outside. */
function guarded (engines: Partial<GuardOptions['engines']>, more: Partial<GuardOptions> = {}) {
  return guardEngines({ engines: { ...cannedEngines(), ...engines }, ...more })
}

async function collect<T> (results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const result of results) all.push(result)
  return all
}

const spoken = (chunks: SpeechChunk[]) => chunks.map(chunk => chunk.text).join('')
const written = (chunks: TranscriptChunk[]) => chunks.map(chunk => chunk.delta).join('')
const said = (events: LlmEvent[]) => events.map(event => event.type === 'text' ? event.delta : '').join('')
const request = { messages: [{ role: 'user' as const, content: 'Hi' }], tools: [], toolChoice: 'auto' as const }
const signal = () => new AbortController().signal

async function * clauses (...all: string[]): AsyncGenerator<string> { yield * all }
async function * audio (...all: Int16Array[]): AsyncGenerator<Int16Array> { yield * all }

t.test('a request to the model', async t => {
  t.test('is sent again when the server failed before it answered anything', async t => {
    const { chat, server, client } = await withModel(t)
    chat.script({ status: 503 })
    t.equal(await client.ask('Hi'), 'Hello there.')
    t.equal(chat.requests.length, 2)
    const page = await (await fetch(`${server.http}/metrics`)).text()
    t.match(page, 'dramatis_engine_faults_total{engine="llm"} 1')
    t.match(page, 'dramatis_engine_retries_total{engine="llm"} 1')
  })

  t.test('is sent as often as is wanted, and then the response fails', async t => {
    const { chat, client } = await withModel(t, { retries: 2 })
    chat.script({ status: 503 }, { status: 503 }, { status: 503 })
    t.equal(await client.ask('Hi'), '')
    t.match(client.of('response.done')[0]!.response, { status: 'failed', status_details: { error: { code: 'engine_unavailable', message: /failed \(503\)/ } } })
    t.equal(chat.requests.length, 3)
    t.equal(await client.ask('Hi'), 'Hello there.')
  })

  t.test('is not sent again once a word was heard', async t => {
    const { chat, client } = await withModel(t)
    chat.script([{ text: 'Half a' }, 'drop'])
    t.equal(await client.ask('Hi'), 'Half a')
    t.match(client.of('response.done')[0]!.response, { status: 'failed', status_details: failing })
    t.equal(chat.requests.length, 1)
    t.equal(await client.ask('Hi'), 'Hello there.')
  })

  t.test('is not sent again when it was at fault itself, nor does it cost others the engine', async t => {
    const { chat, server, client } = await withModel(t, { breakerFaults: 1, breakerSeconds: 0.1 })
    chat.script({ status: 400 }, { status: 400 })
    t.equal(await client.ask('Hi'), '')
    t.equal(await client.ask('Hi'), '')
    t.equal(chat.requests.length, 2)
    t.equal(await (await server.connect()).ask('Hi'), 'Hello there.')
  })
})

t.test('a cancel, an interruption and a close', async t => {
  for (const [stage, script] of [['before the first word', ['stall']], ['in the middle', [{ text: 'One. Two' }, 'stall']]] as const) {
    t.test(`close the connection to the model ${stage}`, async t => {
      const { chat, client } = await withModel(t)
      chat.script([...script], [...script], [...script])
      const begin = () => {
        client.say('Hi')
        client.send({ type: 'response.create' })
      }
      const begun = async (number: number) => {
        const underWay = await chat.request(number)
        if (stage === 'in the middle') await client.next('response.output_audio.delta')
        return underWay
      }
      begin()
      const cancelled = await begun(0)
      client.send({ type: 'response.cancel' })
      t.equal(await cancelled.closed, 'abandoned')
      begin()
      const interrupted = await begun(1)
      client.append(tone(300))
      t.equal(await interrupted.closed, 'abandoned')
      client.append(tone(1000, 0))
      await client.next('input_audio_buffer.committed')
      const closed = await begun(2)
      await client.close()
      t.equal(await closed.closed, 'abandoned')
    })
  }

  t.test('free the reader of an engine that does not listen', async t => {
    const deaf = { ...scriptedLlm(), async * generate (): AsyncGenerator<LlmEvent> { yield await new Promise<never>(() => {}) } }
    const guard = guarded({ llm: deaf })
    const abort = new AbortController()
    const answer = collect(guard.engines.llm.generate(request, { signal: abort.signal }))
    t.equal(guard.streams, 1)
    abort.abort(new Error('enough'))
    await t.rejects(answer, { message: 'enough' })
    t.equal(guard.streams, 0)
  })

  t.test('end the wait before another attempt', async t => {
    const { chat, client } = await withModel(t, { retries: 10 })
    chat.script({ status: 503 })
    client.say('Hi')
    client.send({ type: 'response.create' })
    await (await chat.request(0)).closed
    client.send({ type: 'response.cancel' })
    t.equal((await client.next('response.done')).response.status, 'cancelled')
    t.equal(chat.requests.length, 1)
  })
})

t.test('an engine that says nothing', async t => {
  const soon = { firstResultTimeoutMs: 600, stallTimeoutMs: 600 }

  t.test('as a model ends the response, before its first word and in the middle of it', async t => {
    const { chat, client } = await withModel(t, soon)
    chat.script(['stall'], [{ text: 'One' }, 'stall'])
    t.equal(await client.ask('Hi'), '')
    t.equal(await client.ask('Hi'), 'One')
    t.match(client.of('response.done').map(({ response }) => response.status_details), [
      { ...failing, error: { ...failing.error, message: /did not begin to answer within 0.6 s/ } },
      { ...failing, error: { ...failing.error, message: /fell silent in the middle of its answer for 0.6 s/ } }
    ])
    for (const { closed } of chat.requests) t.equal(await closed, 'abandoned')
    t.equal(await client.ask('Hi'), 'Hello there.')
  })

  t.test('as an object that ignores its signal does so too', async t => {
    let deaf = true
    const server = await startServer(t, {
      characters: { default: null },
      llm: { ...scriptedLlm(), policy: soon, async * generate () { yield * deaf ? [await new Promise<never>(() => {})] : says('Here.') } }
    })
    const client = await server.connect()
    t.equal(await client.ask('Hi'), '')
    t.match(client.of('response.done')[0]!.response.status_details, { error: { code: 'engine_failed', message: 'The language model (scripted) did not begin to answer: nothing came for 0.6 s.' } })
    deaf = false
    t.equal(await client.ask('Hi'), 'Here.')
  })

  t.test('as ears fails the answer to that turn', async t => {
    let deaf = true
    const stt: SttEngine = {
      ...countingStt(),
      policy: soon,
      async * transcribe (audio, options) {
        if (deaf) await hang(options.signal)
        yield * countingStt().transcribe(audio, options)
      }
    }
    const server = await startServer(t, { characters: { default: null }, stt })
    const client = await server.connect()
    client.append(tone(300))
    client.append(tone(1000, 0))
    t.match((await client.next('response.done')).response, { status: 'failed', status_details: { error: { message: /Speech recognition \(counting\) did not begin/ } } })
    deaf = false
    client.append(tone(300))
    client.append(tone(1000, 0))
    t.equal((await client.next('response.done')).response.status, 'completed')
  })

  t.test('as a voice fails the response, though the model is done', async t => {
    const tts: TtsEngine = { ...toneTts(), policy: soon, async * synthesize (words, { signal }) { yield await hang(signal) } }
    const server = await startServer(t, { characters: { default: null }, tts })
    const client = await server.connect()
    client.say('Hi')
    client.send({ type: 'response.create' })
    t.match((await client.next('response.done')).response, { status: 'failed', status_details: { error: { message: /The voice \(tone\) did not begin/ } } })
    t.equal(await client.ask('Hi'), 'You said: Hi')
  })

  t.test('as voice detection is opened anew, and the turn goes on', async t => {
    const canned = cannedEngines()
    let opened = 0
    const server = await startServer(t, {
      characters: { default: null },
      vad: {
        ...canned.vad,
        policy: soon,
        async * detect (audio, options) {
          const stuck = opened++ === 0
          let frames = 0
          for await (const frame of canned.vad.detect(audio, options)) {
            if (stuck && ++frames > 5) await new Promise(() => {})
            yield frame
          }
        }
      }
    })
    const client = await server.connect()
    client.append(tone(300))
    client.append(tone(1000, 0))
    await client.next('input_audio_buffer.speech_started')
    t.equal((await client.next('response.done')).response.status, 'completed')
    t.equal(client.of('error').length, 0)
    t.equal(opened, 2)
  })

  t.test('is not overdue while nothing is owed: a model that thinks between two clauses costs no voice', async t => {
    const guard = guarded({ tts: { ...toneTts(), policy: soon } })
    let slow: (() => void) | undefined
    async function * words (): AsyncGenerator<string> {
      yield 'One, '
      await new Promise<void>(resolve => { slow = resolve })
      yield 'two.'
    }
    const chunks = guard.engines.tts.synthesize(words(), { signal: signal(), voice: 'low' })[Symbol.asyncIterator]()
    t.equal((await chunks.next()).value?.text, 'One, ')
    const second = chunks.next()
    // As long as another stream takes to be overdue.
    await t.rejects(collect(guarded({ llm: { ...scriptedLlm(() => [] as LlmEvent[]), policy: soon, async * generate (r, { signal }) { yield await hang(signal) } } }).engines.llm.generate(request, { signal: signal() })), { code: 'engine_failed' })
    slow!()
    t.equal((await second).value?.text, 'two.')
    await chunks.return?.()
  })
})

t.test('an engine that speaks garbage fails that stream with a line of its own', async t => {
  const bad = async function * (): AsyncGenerator<never> { yield { type: 'text', delta: 5, text: null, audio: [1, 2], probability: 'high', position: 1 } as never }
  const guard = guarded({
    vad: { ...cannedEngines().vad, detect: bad }, stt: { ...countingStt(), transcribe: bad }, llm: { ...scriptedLlm(), generate: bad }, tts: { ...toneTts(), synthesize: bad }
  })
  const { vad, stt, llm, tts } = guard.engines
  const fault = (message: RegExp) => ({ name: 'EngineError', code: 'engine_failed', message })
  await t.rejects(collect(vad.detect(audio(tone(100)), { signal: signal() })), fault(/no speech probability/))
  await t.rejects(collect(stt.transcribe(audio(tone(100)), { signal: signal() })), fault(/no text/))
  await t.rejects(collect(llm.generate(request, { signal: signal() })), fault(/neither text nor a call/))
  await t.rejects(collect(tts.synthesize(clauses('Hi.'), { signal: signal(), voice: 'low' })), fault(/no audio/))
  t.equal(guard.streams, 0)
})

t.test('log probabilities that are none are garbage too', async t => {
  const fine = { token: 'Hi', logprob: -0.5, bytes: [72, 105] }
  const hear = (logprobs: unknown) => collect(guarded({
    stt: { ...countingStt(), async * transcribe () { yield { delta: 'Hi', logprobs: logprobs as [] } } }
  }).engines.stt.transcribe(audio(tone(100)), { signal: signal() }))
  t.strictSame(await hear([fine, fine]), [{ delta: 'Hi', logprobs: [fine, fine] }])
  for (const bad of [null, 'high', fine, [null], [fine, { ...fine, token: undefined }], [{ ...fine, logprob: -Infinity }], [{ ...fine, bytes: undefined }], [{ ...fine, bytes: [256] }], [{ ...fine, bytes: [-1] }], [{ ...fine, bytes: [0.5] }]]) {
    await t.rejects(hear(bad), { name: 'EngineError', code: 'engine_failed', message: /no log probability/ }, JSON.stringify(bad))
  }
})

t.test('another attempt', async t => {
  t.test('hears the whole utterance, and speaks the whole text', async t => {
    let asked = 0
    const stt: SttEngine = {
      ...countingStt(),
      policy: { retries: 1 },
      async * transcribe (audio, options) {
        if (asked++ === 0) for await (const chunk of audio) if (chunk.length === 4800) throw new EngineError('engine_unavailable', 'counting', 'Gone.')
        yield { delta: '', tentative: 'some' }
        yield * countingStt().transcribe(audio, options)
      }
    }
    let spokenTo = 0
    const tts: TtsEngine = {
      ...toneTts(),
      policy: { retries: 1 },
      async * synthesize (text, options) {
        if (spokenTo++ === 0) for await (const clause of text) if (clause === 'two.') throw new EngineError('engine_unavailable', 'tone', 'Gone.')
        yield * toneTts().synthesize(text, options)
      }
    }
    const { engines } = guarded({ stt, tts })
    t.equal(written(await collect(engines.stt.transcribe(audio(tone(100), tone(200), tone(300)), { signal: signal() }))), '600 ms of audio')
    t.equal(spoken(await collect(engines.tts.synthesize(clauses('One, ', 'two.'), { signal: signal(), voice: 'low' }))), 'One, two.')
  })

  t.test('is not made with an engine that is given as an object and does not ask for it', async t => {
    const llm = scriptedLlm(() => { throw new EngineError('engine_unavailable', 'scripted', 'Gone.') })
    await t.rejects(collect(guarded({ llm }).engines.llm.generate(request, { signal: signal() })), { message: 'Gone.' })
    t.equal(llm.requests.length, 1)
  })
})

t.test('a stand-in', async t => {
  t.test('answers where the model cannot be reached, with its own model', async t => {
    const gone = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => gone.once('listening', resolve))
    const { port } = gone.address() as AddressInfo
    await new Promise(resolve => gone.close(resolve))
    const chat = await startChatServer()
    t.teardown(() => chat.close())
    const server = await startServer(t, {
      characters: { default: null },
      llm: { baseUrl: `http://127.0.0.1:${port}/v1`, model: 'first', retries: 0, fallback: { baseUrl: chat.url, model: 'second' } }
    })
    const client = await server.connect()
    t.equal(await client.ask('Hi'), 'Hello there.')
    t.equal(chat.requests[0]!.body.model, 'second')
    t.match(await (await fetch(`${server.http}/metrics`)).text(), 'dramatis_engine_fallbacks_total{engine="llm"} 1')
    t.match(await (await fetch(`${server.http}/health/ready`)).json(), { status: 'ready', engines: { llm: 'up' } }, 'somebody answers')
  })

  t.test('is not asked once a word was heard', async t => {
    const second = scriptedLlm(() => says('Second.'))
    const llm = scriptedLlm(function * () {
      yield { type: 'text', delta: 'First' }
      throw new EngineError('engine_failed', 'scripted', 'Broke.')
    })
    await t.rejects(collect(guarded({ llm }, { fallbacks: { llm: second } }).engines.llm.generate(request, { signal: signal() })), { message: 'Broke.' })
    t.equal(second.requests.length, 0)
  })

  t.test('speaks with a voice of its own, always the same one', async t => {
    const voices: string[] = []
    const second: TtsEngine = {
      ...toneTts(),
      synthesize (text, options) {
        voices.push(options.voice)
        return toneTts().synthesize(text, options)
      }
    }
    const tts: TtsEngine = { ...toneTts(), voices: ['fable'], async * synthesize () { throw new EngineError('engine_unavailable', 'tone', 'Gone.') } }
    const { engines } = guarded({ tts }, { fallbacks: { tts: second } })
    for (let n = 0; n < 2; n++) t.equal(spoken(await collect(engines.tts.synthesize(clauses('One, ', 'two.'), { signal: signal(), voice: 'fable' }))), 'One, two.')
    t.ok(second.voices.includes(voices[0]!))
    t.equal(voices[0], voices[1])
  })

  t.test('of an unknown kind is refused when the server is made', async t => {
    await t.rejects(startServer(t, { llm: { fallback: { engine: 'parrot' } } as never }), { code: 'invalid_options', message: /llm\.fallback\.engine/ })
  })
})

t.test('the circuit', async t => {
  t.test('opens after a row of faults, spares the engine, and closes when a trial works', async t => {
    const { chat, server, client } = await withModel(t, { retries: 0, breakerFaults: 3, breakerSeconds: 0.1 })
    const ready = async () => (await (await fetch(`${server.http}/health/ready`)).json()) as { status: string }
    t.match(await ready(), { status: 'ready' })
    const open = () => client.of('response.done').at(-1)?.response.status_details
    for (let faults = 0; !/left alone/.test(JSON.stringify(open() ?? '')); faults++) {
      if (chat.requests.length === faults) chat.script({ status: 503 })
      await client.ask('Hi')
    }
    t.ok(chat.requests.length >= 3)
    t.match(open(), { error: { type: 'server_error', code: 'engine_unavailable', message: /^The language model \(openai\) has failed again and again.*503/ } })
    t.match(await ready(), { status: 'degraded', circuits: { llm: 'open', stt: 'closed' } })
    t.match(await (await fetch(`${server.http}/metrics`)).text(), 'dramatis_engine_circuit_open{engine="llm"} 1')
    let answer = ''
    while (answer === '') answer = await client.ask('Hi')
    t.equal(answer, 'Hello there.')
    // Once the probe is asked again, at most five seconds later.
    let status = ''
    while (status !== 'ready') ({ status } = await ready())
  })

  t.test('lets the stand-in answer while it is open', async t => {
    const llm = scriptedLlm(() => { throw new EngineError('engine_unavailable', 'scripted', 'Gone.') })
    const guard = guarded({ llm }, { fallbacks: { llm: scriptedLlm(() => says('Second.')) }, policies: { llm: { breakerFaults: 1, breakerSeconds: 0 } } })
    t.equal(said(await collect(guard.engines.llm.generate(request, { signal: signal() }))), 'Second.')
    t.strictSame(guard.circuits(), { llm: 'open' })
    t.equal(said(await collect(guard.engines.llm.generate(request, { signal: signal() }))), 'Second.')
    await guard.engines.llm.check!(signal())
  })
})

t.test('what a guard holds', async t => {
  const guard = guarded({})
  const { llm, stt, tts } = guard.engines
  const abort = new AbortController()
  await collect(llm.generate(request, { signal: abort.signal }))
  await collect(stt.transcribe(audio(tone(100)), { signal: abort.signal }))
  await collect(tts.synthesize(clauses('Hi.'), { signal: abort.signal, voice: 'low' }))
  for await (const event of llm.generate(request, { signal: abort.signal })) if (event.type === 'text') break
  t.equal(guard.streams, 0, 'is let go at the end, and by a reader who stops')
})

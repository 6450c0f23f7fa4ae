import t from 'tap'
import { EngineError, type LlmEvent, type SpeechChunk, type SttEngine, type TranscriptChunk, type TtsEngine } from '../../lib/engines/engine.js'
import { nobody } from '../support/casts.js'
import { startChatServer } from '../support/chat-server.js'
import { cannedEngines, countingStt, says, scriptedLlm, tone, toneTts } from '../support/engines.js'
import { freePort } from '../support/free-port.js'
import { failing, guarded, request, signal, withModel } from '../support/guarding.js'
import { startServer } from '../support/server.js'
import { collect, stream } from '../support/streams.js'

// What stands between a session and every engine: further attempts, a stand-in, a circuit; its deadlines are in deadlines.test.ts.

const spoken = (chunks: SpeechChunk[]) => chunks.map(chunk => chunk.text).join('')
const written = (chunks: TranscriptChunk[]) => chunks.map(chunk => chunk.delta).join('')
const said = (events: LlmEvent[]) => events.map(event => event.type === 'text' ? event.delta : '').join('')

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

t.test('an engine that speaks garbage fails that stream with a line of its own', async t => {
  const bad = async function * (): AsyncGenerator<never> { yield { type: 'text', delta: 5, text: null, audio: [1, 2], probability: 'high', position: 1 } as never }
  const guard = guarded({
    vad: { ...cannedEngines().vad, detect: bad }, stt: { ...countingStt(), transcribe: bad }, llm: { ...scriptedLlm(), generate: bad }, tts: { ...toneTts(), synthesize: bad }
  })
  const { vad, stt, llm, tts } = guard.engines
  const fault = (message: RegExp) => ({ name: 'EngineError', code: 'engine_failed', message })
  await t.rejects(collect(vad.detect(stream(tone(100)), { signal: signal() })), fault(/no speech probability/))
  await t.rejects(collect(stt.transcribe(stream(tone(100)), { signal: signal() })), fault(/no text/))
  await t.rejects(collect(llm.generate(request, { signal: signal() })), fault(/neither text nor a call/))
  await t.rejects(collect(tts.synthesize(stream('Hi.'), { signal: signal(), voice: 'low' })), fault(/no audio/))
  t.equal(guard.streams, 0)
})

t.test('log probabilities that are none are garbage too', async t => {
  const fine = { token: 'Hi', logprob: -0.5, bytes: [72, 105] }
  const hear = (logprobs: unknown) => collect(guarded({
    stt: { ...countingStt(), async * transcribe () { yield { delta: 'Hi', logprobs: logprobs as [] } } }
  }).engines.stt.transcribe(stream(tone(100)), { signal: signal() }))
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
    t.equal(written(await collect(engines.stt.transcribe(stream(tone(100), tone(200), tone(300)), { signal: signal() }))), '600 ms of audio')
    t.equal(spoken(await collect(engines.tts.synthesize(stream('One, ', 'two.'), { signal: signal(), voice: 'low' }))), 'One, two.')
  })

  t.test('is not made with an engine that is given as an object and does not ask for it', async t => {
    const llm = scriptedLlm(() => { throw new EngineError('engine_unavailable', 'scripted', 'Gone.') })
    await t.rejects(collect(guarded({ llm }).engines.llm.generate(request, { signal: signal() })), { message: 'Gone.' })
    t.equal(llm.requests.length, 1)
  })
})

t.test('a stand-in', async t => {
  t.test('answers where the model cannot be reached, with its own model', async t => {
    const chat = await startChatServer()
    t.teardown(() => chat.close())
    const server = await startServer(t, {
      characters: nobody,
      llm: { baseUrl: `http://127.0.0.1:${await freePort()}/v1`, model: 'first', retries: 0, fallback: { baseUrl: chat.url, model: 'second' } }
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
    for (let n = 0; n < 2; n++) t.equal(spoken(await collect(engines.tts.synthesize(stream('One, ', 'two.'), { signal: signal(), voice: 'fable' }))), 'One, two.')
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
  await collect(stt.transcribe(stream(tone(100)), { signal: abort.signal }))
  await collect(tts.synthesize(stream('Hi.'), { signal: abort.signal, voice: 'low' }))
  for await (const event of llm.generate(request, { signal: abort.signal })) if (event.type === 'text') break
  t.equal(guard.streams, 0, 'is let go at the end, and by a reader who stops')
})

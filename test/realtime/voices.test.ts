import t, { type Test } from 'tap'
import type { TtsEngine, TtsOptions } from '../../lib/engines/engine.js'
import { fliteVoices } from '../../lib/engines/local/voices.js'
import { startAudioServer } from '../support/audio-server.js'
import { castOf, characterSource } from '../support/casts.js'
import type { TestClient } from '../support/client.js'
import { cannedEngines, says, tone, toneTts, type Script } from '../support/engines.js'
import { startMoshiServer } from '../support/moshi-server.js'
import { startServer } from '../support/server.js'

// Who speaks with which voice, and what else a character asks of the engines.

const NAMES = ['Ada', 'Bob', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hal', 'Ida', 'Jo', 'Kit', 'Lou']

/** A voice that tells how it was asked to speak. */
function recordingTts (engine: Partial<TtsEngine> = {}) {
  const tone = toneTts()
  const heard: string[] = []
  const asked: Omit<TtsOptions, 'signal'>[] = []
  const tts: TtsEngine = {
    ...tone,
    ...engine,
    synthesize (text, { signal, ...options }) {
      asked.push(options)
      async function * read () {
        for await (const piece of text) {
          heard.push(piece)
          yield piece
        }
      }
      return tone.synthesize(read(), { signal, ...options })
    }
  }
  return { tts, asked, heard }
}

async function start (t: Test, files: Record<string, string>, engine: Partial<TtsEngine> = {}, script?: Script) {
  const { tts, asked, heard } = recordingTts(engine)
  const { llm, ...engines } = cannedEngines(script)
  const server = await startServer(t, { ...engines, llm, tts, characters: { directory: t.testdir(files) } })
  return { client: await server.connect(), asked, heard, llm }
}

async function speakAs (client: TestClient, character: string | null, voice?: string): Promise<void> {
  await client.update({ character, ...voice === undefined ? {} : { audio: { output: { voice } } } })
  await client.ask('Hi', { output_modalities: ['audio'] })
}

t.test('a cast of twelve without voices of their own has twelve voices, the same ones every time', async t => {
  const voices = Object.keys(fliteVoices)
  const rounds: string[][] = []
  for (let round = 0; round < 2; round++) {
    const { client, asked } = await start(t, castOf(...NAMES), { name: 'local', voices })
    for (const name of round === 0 ? NAMES : NAMES.toReversed()) await speakAs(client, name)
    rounds.push(asked.map(({ voice }) => voice))
  }
  t.equal(new Set(rounds[0]).size, voices.length)
  t.same(rounds[1]!.toReversed(), rounds[0])
})

t.test('with fewer voices than characters every voice is used before one is used twice', async t => {
  const { client, asked } = await start(t, castOf(...NAMES.slice(0, 5)), { voices: ['a', 'b', 'c'] })
  for (const name of NAMES.slice(0, 5)) await speakAs(client, name)
  t.equal(new Set(asked.map(({ voice }) => voice)).size, 3)
})

t.test('nobody gets the voice that another has named', async t => {
  const { client, asked } = await start(t, {
    ...castOf('Ada', 'Bob'),
    'cleo.ts': characterSource('Cleo').replace("wav' }", "wav', engines: { local: 'b' } }")
  }, { name: 'local', voices: ['a', 'b', 'c'] })
  for (const name of ['Ada', 'Bob', 'Cleo']) await speakAs(client, name)
  t.equal(asked[2]!.voice, 'b')
  t.same(asked.slice(0, 2).map(({ voice }) => voice).sort(), ['a', 'c'])
})

t.test('a voice that the engine may know is taken as it stands, and where paths are voices the path is one', async t => {
  const files = {
    'ada.ts': characterSource('Ada').replace("wav' }", "wav', engines: { kyutai: 'rare/voice.wav' } }"),
    ...castOf('Bob')
  }
  const { client, asked } = await start(t, files, { name: 'kyutai', voices: ['usual.wav'], openVoices: true, voicePath: path => path.startsWith('voices/') })
  await speakAs(client, 'Ada')
  await speakAs(client, 'Bob')
  await speakAs(client, null, 'usual.wav')
  t.same(asked.map(({ voice }) => voice), ['rare/voice.wav', 'voices/bob.wav', 'usual.wav'])
})

t.test('a character\'s own voice, model, pace, manner and temperature reach the engines', async t => {
  const { client, asked, llm } = await start(t, {
    'ada.ts': characterSource('Ada', `
      llm: { model: 'big', top_p: 0.5 }, temperature: 0.3,
      tts: { voice: 'high', model: 'clear', speed: 0.8, instructions: 'Whisper.', seed: 7 }`)
  })
  await client.update({ character: 'Ada', audio: { output: { speed: 1.5 } } })
  await client.ask('Hi', { output_modalities: ['audio'] })
  t.match(asked[0], { voice: 'high', model: 'clear', instructions: 'Whisper.', extra: { seed: 7 } })
  t.equal(asked[0]!.speed!.toFixed(3), '1.200', 'the client\'s pace applies to the character\'s own')
  t.match(llm.requests[0], { model: 'big', temperature: 0.3, extra: { top_p: 0.5 } })
})

t.test('overrides that are meant for another engine are left alone', async t => {
  const { client, asked, llm } = await start(t, {
    'ada.ts': characterSource('Ada', "llm: { engine: 'openai', model: 'big' }, tts: { engine: 'openai', voice: 'high', model: 'clear', speed: 0.5 }")
  }, { name: 'local', voices: ['low', 'high', 'middle'] })
  await speakAs(client, 'Ada')
  t.equal(asked[0]!.model, undefined)
  t.equal(asked[0]!.speed, 1)
  t.equal(llm.requests[0]!.model, undefined)
})

t.test('configured by a URL, the openai engines hear and speak in a session, and say their name', async t => {
  const audio = await startAudioServer()
  t.teardown(() => audio.close())
  const { vad, llm } = cannedEngines()
  const server = await startServer(t, {
    vad,
    llm,
    stt: { baseUrl: audio.url },
    tts: { baseUrl: audio.url },
    characters: { directory: t.testdir({ 'ada.ts': characterSource('Ada').replace("wav' }", "wav', engines: { openai: 'sage' } }") }) }
  })
  const client = await server.connect()
  t.match(client.of('session.created')[0]!.session, { engines: { stt: 'openai', tts: 'openai' } })
  await client.update({ audio: { input: { turn_detection: null } } })
  client.append(new Int16Array(24_000).fill(8000))
  client.send({ type: 'input_audio_buffer.commit' })
  client.send({ type: 'response.create' })
  await client.next('response.done')
  t.equal(client.of('response.output_audio_transcript.done')[0]!.transcript, 'You said: Hello there.')
  t.equal(client.audio().length, 240 * 'You said: Hello there.'.length)
  t.match(audio.requests.at(-1)!.fields, { voice: 'sage', model: 'test-model' })
})

t.test('configured by name, the kyutai engines hear and speak in a session, and an interruption cuts the words with their sound', async t => {
  const moshi = await startMoshiServer()
  t.teardown(() => moshi.close())
  const server = await startServer(t, {
    vad: cannedEngines().vad,
    llm: cannedEngines().llm,
    stt: { engine: 'kyutai', baseUrl: moshi.url },
    tts: { engine: 'kyutai', baseUrl: moshi.url },
    characters: { directory: t.testdir({ 'ada.ts': characterSource('Ada').replace("wav' }", "wav', engines: { kyutai: 'vctk/p228_023.wav' } }") }) }
  })
  const client = await server.connect()
  t.match(client.of('session.created')[0]!.session, { engines: { stt: 'kyutai', tts: 'kyutai' } })
  await client.update({ audio: { input: { turn_detection: null } } })
  client.append(tone(800))
  client.send({ type: 'input_audio_buffer.commit' })
  client.send({ type: 'response.create' })
  await client.next('response.done')
  t.equal(client.of('response.output_audio_transcript.done')[0]!.transcript, 'You said: word1 word2')
  t.equal(client.audio().length, 4 * 3840)
  t.equal(moshi.connections[1]!.query.get('voice'), 'vctk/p228_023.wav')

  await client.update({ audio: { input: { turn_detection: { type: 'server_vad' } } } })
  moshi.troubles.push('stall')
  client.say('Hi')
  client.send({ type: 'response.create' })
  await client.next('response.output_audio.delta')
  client.append(tone(300))
  t.match((await client.next('response.done')).response, { status: 'cancelled', status_details: { reason: 'turn_detected' }, output: [{ content: [{ transcript: /^You ?$/ }] }] })
  await moshi.connections[2]!.closed
})

t.test('the voice reads words, and the transcript is what the model wrote', async t => {
  const text = '**Dr. Who** 😀 has 3.5 km to go. Look at https://www.example.com/map!'
  const { client, heard } = await start(t, castOf('Ada'), {}, () => says(text))
  t.equal(await client.ask('Hi', { output_modalities: ['audio'] }), text)
  t.same(heard.map(piece => piece.trim()), ['Doctor Who has three point five kilometers to go.', 'Look at example dot com!'])
})

import t from 'tap'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { concat, msToSamples } from '../../lib/audio/pcm.js'
import type { SpeechChunk, SpeechFrame } from '../../lib/engines/engine.js'
import { createLocalStt } from '../../lib/engines/local/stt.js'
import { createLocalTts } from '../../lib/engines/local/tts.js'
import { createLocalVad } from '../../lib/engines/local/vad.js'
import { loader, moduleFile } from '../support/program.js'
import { collect, stream } from '../support/streams.js'
import { latch } from '../support/transcript.js'
import { clips, readClip } from '../support/wav.js'
import { countWrongWords, toWords } from '../support/words.js'

const vad = createLocalVad()
const stt = createLocalStt()
const tts = createLocalTts()
const { signal } = new AbortController()

t.before(() => Promise.all([vad.start!(), stt.start!(), tts.start!()]))
t.teardown(() => Promise.all([vad.close!(), stt.close!(), tts.close!()]))

const silence = (ms: number): Int16Array => new Int16Array(msToSamples(ms))
const noise = (ms: number): Int16Array => silence(ms).map(() => 600 * (Math.random() - 0.5))

/** Audio as it comes from a client: chunks of 100 ms. */
async function * microphone (...parts: Int16Array[]): AsyncGenerator<Int16Array> {
  const audio = concat(parts)
  for (let i = 0; i < audio.length; i += 2400) yield audio.subarray(i, i + 2400)
}

async function transcribe (...parts: Int16Array[]): Promise<string> {
  const chunks = await collect(stt.transcribe(microphone(...parts), { signal }))
  return chunks.map(({ delta }) => delta).join('')
}

const listen = (...parts: Int16Array[]): Promise<SpeechFrame[]> => collect(vad.detect(microphone(...parts), { signal }))

async function speak (voice: string, ...texts: string[]): Promise<{ text: string, audio: Int16Array }> {
  const chunks = await collect(tts.synthesize(stream(...texts), { signal, voice }))
  return { text: chunks.map(({ text }) => text).join(''), audio: concat(chunks.map(({ audio }) => audio)) }
}

/** A source that gives three values, never ends by itself, and tells when it is released. */
function endless<T> (value: T): { source: AsyncIterable<T>, released: Promise<void> } {
  const { opened: released, open: release } = latch()
  let left = 3
  const source: AsyncIterable<T> = {
    [Symbol.asyncIterator]: () => ({
      next: () => left-- > 0 ? Promise.resolve({ value, done: false }) : new Promise(() => {}),
      return: async () => {
        release()
        return { value: undefined, done: true }
      }
    })
  }
  return { source, released }
}

t.test('voice detection', async (t) => {
  t.test('a clip has speech and silence has none', async (t) => {
    const speech = await listen(await readClip('austen-0890'))
    const quiet = await listen(silence(2000))
    t.ok(speech.filter(({ probability }) => probability > 0.5).length > 100)
    t.ok(quiet.every(({ probability }) => probability < 0.2))
  })

  t.test('noise is no speech', async (t) => {
    const frames = await listen(noise(2000))
    t.ok(frames.every(({ probability }) => probability < 0.5))
  })

  t.test('every 32 ms there is a frame, at its place in the stream', async (t) => {
    const frames = await listen(silence(1000))
    t.equal(frames.length, 31)
    t.ok(frames.every(({ position }, i) => position === 768 * (i + 1)))
  })

  t.test('streams at the same time are heard as each alone is', async (t) => {
    const clip = await readClip('austen-0880')
    const alone = await listen(clip)
    const together = await Promise.all([listen(clip), listen(silence(3000)), listen(clip), listen(noise(3000))])
    const differs = (frames: SpeechFrame[]): boolean =>
      frames.length !== alone.length || frames.some((frame, i) => Math.abs(frame.probability - alone[i]!.probability) > 0.01)
    t.notOk(differs(together[0]))
    t.notOk(differs(together[2]))
    t.ok(together[1].every(({ probability }) => probability < 0.2))
  })

  t.test('an abort ends the stream with its reason and releases the input', async (t) => {
    const aborting = new AbortController()
    const { source, released } = endless(silence(100))
    const frames = vad.detect(source, { signal: aborting.signal })[Symbol.asyncIterator]()
    await frames.next()
    aborting.abort(new Error('no more'))
    await t.rejects(frames.next(), { message: 'no more' })
    await released
  })

  t.test('a reader that stops releases the input', async () => {
    const { source, released } = endless(silence(100))
    for await (const frame of vad.detect(source, { signal })) if (frame.position > 0) break
    await released
  })

  t.test('an error of the input is the error of the stream', async (t) => {
    async function * broken (): AsyncGenerator<Int16Array> {
      yield silence(100)
      throw new Error('broken input')
    }
    await t.rejects(collect(vad.detect(broken(), { signal })), { message: 'broken input' })
  })
})

t.test('speech recognition', async (t) => {
  t.test('at most 2 of the 29 words of human speech are wrong', async (t) => {
    let wrong = 0
    for (const [name, said] of Object.entries(clips)) wrong += countWrongWords(await transcribe(await readClip(name)), said)
    t.ok(wrong <= 2, `${wrong} wrong`)
  })

  t.test('a pause before the end does not change the words', async (t) => {
    const clip = await readClip('austen-0930')
    t.equal(countWrongWords(await transcribe(silence(300), clip, silence(700)), clips['austen-0930']!), 0)
  })

  t.test('speech after a pause is in the transcript', async (t) => {
    const text = await transcribe(await readClip('austen-0930'), silence(800), await readClip('austen-0880'))
    t.ok(countWrongWords(text, `${clips['austen-0930']} ${clips['austen-0880']}`) <= 2, text)
  })

  t.test('silence and noise give no text', async (t) => {
    t.equal(await transcribe(silence(2000)), '')
    t.equal(await transcribe(noise(2000)), '')
    t.equal(await transcribe(), '')
  })

  t.test('of long speech the first text comes while it still goes on', async (t) => {
    const parts = await Promise.all(Object.keys(clips).map(readClip))
    const { opened: firstText, open: heard } = latch()
    async function * source (): AsyncGenerator<Int16Array> {
      for (const part of parts) yield * microphone(part, silence(500))
      yield * microphone(...parts, silence(500))
      await firstText
      yield * microphone(parts[2]!)
    }
    let text = ''
    for await (const { delta } of stt.transcribe(source(), { signal })) {
      text += delta
      heard()
    }
    const said = Object.values(clips).join(' ')
    t.ok(countWrongWords(text, `${said} ${said} ${clips['austen-0930']}`) <= 7, text)
  })

  t.test('two utterances at once do not mix', async (t) => {
    const [one, other] = await Promise.all([transcribe(await readClip('austen-0880')), transcribe(await readClip('austen-0930'))])
    t.ok(countWrongWords(one, clips['austen-0880']!) <= 2, one)
    t.ok(countWrongWords(other, clips['austen-0930']!) <= 1, other)
  })

  t.test('an abort ends the stream with its reason and releases the input', async (t) => {
    const aborting = new AbortController()
    const { source, released } = endless(noise(100))
    const chunks = stt.transcribe(source, { signal: aborting.signal })[Symbol.asyncIterator]()
    const next = chunks.next()
    aborting.abort(new Error('no more'))
    await t.rejects(next, { message: 'no more' })
    await released
  })

  t.test('a signal that was aborted before rejects', async (t) => {
    await t.rejects(collect(stt.transcribe(microphone(), { signal: AbortSignal.abort(new Error('too late')) })), { message: 'too late' })
  })

  t.test('another model is loaded from its folder', async (t) => {
    const folder = t.testdir()
    const weights = join(dirname(fileURLToPath(import.meta.resolve('@moonshine-ai/moonshine-js'))), 'model/tiny/quantized')
    for (const file of ['encoder_model.onnx', 'decoder_model_merged.onnx']) symlinkSync(join(weights, file), join(folder, file))
    const { default: { vocabById } } = await import('llama-tokenizer-js')
    writeFileSync(join(folder, 'tokens.txt'), vocabById.map((text, i) => `${Buffer.from(text).toString('base64')} ${i}\n`).join(''))
    const engine = createLocalStt({ model: folder })
    const chunks = await collect(engine.transcribe(microphone(await readClip('austen-0930')), { signal }))
    t.equal(countWrongWords(chunks.map(({ delta }) => delta).join(''), clips['austen-0930']!), 0)
    await engine.close!()
  })

  t.test('an exit in the middle of a decode is not a crash', async (t) => {
    const program = fileURLToPath(new URL('../support/exit-while-decoding.ts', import.meta.url))
    const child = spawn(process.execPath, [...process.execArgv, program], { stdio: ['ignore', 'ignore', 'inherit'] })
    t.same(await once(child, 'exit'), [7, null])
  })
})

t.test('speech', async (t) => {
  const sentence = 'Good evening, and welcome to the old observatory on the hill.'

  for (const voice of ['slt', 'rms', 'awb', 'kal16', 'kal']) {
    t.test(`what ${voice} says can be understood`, async (t) => {
      const { audio } = await speak(voice, sentence)
      const heard = await transcribe(silence(300), audio, silence(300))
      t.ok(countWrongWords(heard, sentence) <= 2, heard)
    })
  }

  t.test('a cast of nine can have voices that all differ', async (t) => {
    t.ok(tts.voices.length >= 9)
    const sounds = await Promise.all(tts.voices.map(async (voice) => (await speak(voice, 'Hello there.')).audio))
    t.equal(new Set(sounds.map((audio) => Buffer.from(audio.buffer).toString('base64'))).size, tts.voices.length)
    t.ok(sounds.every((audio) => audio.length > msToSamples(300)))
  })

  t.test('the text comes out as it went in', async (t) => {
    const texts = ['Hello —', ' “are you there?” ', '…', '🎭', ' ', `And ${'very '.repeat(80)}long, too.`]
    t.equal((await speak('rms', ...texts)).text, texts.join(''))
  })

  t.test('what has no words has no sound', async (t) => {
    t.equal((await speak('rms', '… ', '🎭', '')).audio.length, 0)
  })

  t.test('the first clause is spoken before the second is there', async (t) => {
    const { opened: firstSound, open: heard } = latch()
    async function * text (): AsyncGenerator<string> {
      yield 'One moment, please. '
      await firstSound
      yield 'Here I am.'
    }
    const chunks: SpeechChunk[] = []
    for await (const chunk of tts.synthesize(text(), { signal, voice: 'slt' })) {
      chunks.push(chunk)
      heard()
    }
    t.same(chunks.map(({ text }) => text).filter(Boolean), ['One moment, please. ', 'Here I am.'])
  })

  t.test('it takes no more text than two clauses ahead of the reader', async (t) => {
    let taken = 0
    async function * text (): AsyncGenerator<string> {
      while (taken < 100) yield `This is number ${++taken}.`
    }
    let read = 0
    for await (const { text: said } of tts.synthesize(text(), { signal, voice: 'kal16' })) {
      if (said) read++
      if (taken > read + 2) t.fail(`${taken} taken, ${read} read`)
      if (read === 10) break
    }
    t.pass()
  })

  t.test('speed changes the duration', async (t) => {
    const duration = async (speed: number): Promise<number> => {
      const chunks = await collect(tts.synthesize(stream(sentence), { signal, voice: 'rms', speed }))
      return concat(chunks.map(({ audio }) => audio)).length
    }
    const [slow, normal, fast] = [await duration(0.5), await duration(1), await duration(1.5)]
    t.ok(Math.abs(slow / normal - 2) < 0.2, `${slow / normal}`)
    t.ok(Math.abs(fast / normal - 1 / 1.5) < 0.1, `${fast / normal}`)
  })

  t.test('chunks are short, and speech begins at once', async (t) => {
    const chunks = await collect(tts.synthesize(stream(sentence), { signal, voice: 'slt' }))
    t.ok(chunks.every(({ audio }) => audio.length <= msToSamples(200)))
    t.ok(concat(chunks.map(({ audio }) => audio)).subarray(0, msToSamples(60)).some((sample) => Math.abs(sample) > 300))
  })

  t.test('two voices at once do not mix', async (t) => {
    const [one, other] = await Promise.all([speak('rms', 'The library closes at nine.'), speak('awb', 'Tomorrow morning the train leaves from London.')])
    t.ok(toWords(await transcribe(silence(300), one.audio, silence(300))).includes('library'))
    t.ok(toWords(await transcribe(silence(300), other.audio, silence(300))).includes('london'))
  })

  t.test('an abort ends the stream with its reason, releases the input and frees the worker', async (t) => {
    const aborting = new AbortController()
    const { source, released } = endless('On and on and on. ')
    const chunks = tts.synthesize(source, { signal: aborting.signal, voice: 'slt' })[Symbol.asyncIterator]()
    await chunks.next()
    aborting.abort(new Error('barge-in'))
    await t.rejects(async () => { while (!(await chunks.next()).done); }, { message: 'barge-in' })
    await released
    t.ok((await speak('slt', 'Next.')).audio.length > 0)
  })

  t.test('an unknown voice is an error of that stream', async (t) => {
    await t.rejects(speak('nobody', 'Hello.'), { name: 'EngineError', message: "Local speech: there is no voice 'nobody'" })
    t.ok((await speak('slt', 'Hello.')).audio.length > 0)
  })
})

t.test('a model that is missing is told in one line', async (t) => {
  for (const [engine, message] of [
    [createLocalVad({ model: '/nowhere/silero.onnx' }), 'Local voice detection: the model file /nowhere/silero.onnx is missing'],
    [createLocalStt({ model: '/nowhere/whisper' }), 'Local speech recognition: the model folder /nowhere/whisper cannot be read'],
    [createLocalTts({ model: '/nowhere/piper' }), 'Local speech: the model folder /nowhere/piper cannot be read']
  ] as const) {
    await t.rejects(engine.start!(), { name: 'EngineError', code: 'engine_unavailable', message })
    await engine.close!()
  }
})

t.test('the main thread loads nothing that only the workers need', async (t) => {
  // The test itself loads the tokenizer.
  const native = /onnxruntime-node|sherpa-onnx|vad-web|moonshine-js/
  const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) => native.test(file))
  t.same(loaded, [])
})

t.test('the runtime of the models is kept from reporting to its maker', async (t) => {
  // It begins with a log of its own in the folder for temporary files; where it sees that it runs in CI it never reports.
  const { CI: _ci, ORT_DISABLE_TELEMETRY: _off, ...env } = process.env
  const vad = pathToFileURL(moduleFile('lib/engines/local/vad')).href
  const TMPDIR = t.testdir({ 'hear.mjs': `import { createLocalVad } from '${vad}'\nconst vad = createLocalVad()\nawait vad.start()\nawait vad.close()\n` })
  await promisify(execFile)(process.execPath, [...loader, join(TMPDIR, 'hear.mjs')], { env: { ...env, TMPDIR } })
  t.same(readdirSync(TMPDIR).filter((file) => file.endsWith('.log')), [])
})

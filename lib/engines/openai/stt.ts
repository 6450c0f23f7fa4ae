import type { TranscriptionCreateParamsStreaming } from 'openai/resources/audio/transcriptions'
import { concat } from '../../audio/pcm.js'
import { createResampler } from '../../audio/resample.js'
import { toWav } from '../../audio/wav.js'
import { SAMPLE_RATE, type SttEngine, type SttOptions, type TranscriptChunk } from '../engine.js'
import { abortable } from '../abortable.js'
import { createOpenAiServer, listsNothing, onlyModel, type ServerOptions } from './server.js'
import { readTranscript } from './transcript.js'
import { createWatch } from '../watch.js'

/** Hz of what is sent: no recogniser hears more, and ten minutes stay below the hosted limit of 25 MB. */
const RATE = 16_000
/** The hosted API refuses anything shorter (100 ms). */
const SHORTEST = RATE / 10
const HOSTED_MODEL = 'gpt-4o-mini-transcribe'
/** What servers that list nothing call their only model, or take any name for. */
const USUAL_MODEL = 'whisper-1'
/** Servers for all kinds of models list these too. */
const RECOGNISERS = /whisper|transcri|parakeet|canary|moonshine|sensevoice|paraformer|voxtral|\b(stt|asr)\b/i

export interface OpenAiSttOptions extends ServerOptions {
  /** Default: the only recogniser that the server lists; `gpt-4o-mini-transcribe` at the hosted API. */
  model?: string | undefined
  /** Milliseconds from the request to the first sign of an answer; a local model may have to load first. Default 30000. */
  firstTokenTimeoutMs?: number | undefined
  /** Milliseconds between two signs of an answer. Default 15000. */
  stallTimeoutMs?: number | undefined
}

/**
 * Speech recognition behind `audio/transcriptions`: OpenAI, speaches, whisper.cpp, LocalAI, vLLM and
 * others. An utterance is sent when it is whole; its words come as the server streams them, or at once.
 *
 * @throws {EngineError} `engine_unavailable` if `baseUrl` is no http or https URL.
 */
export function createOpenAiStt (options: OpenAiSttOptions = {}): SttEngine {
  const { connectTimeoutMs = 5000, firstTokenTimeoutMs = 30_000, stallTimeoutMs = 15_000 } = options
  const server = createOpenAiServer(options, {
    subject: 'The speech recognition',
    noun: 'speech recognition',
    answer: 'a transcript',
    timeoutMs: 2 * (connectTimeoutMs + firstTokenTimeoutMs)
  })
  const { subject } = server
  let model = options.model || (server.hosted ? HOSTED_MODEL : '')
  let listed: readonly string[] = []
  /** Models that were found to give no log probabilities. */
  const taciturn = new Set<string>()

  return {
    name: 'openai',

    async start () { await look(new AbortController().signal) },
    async check (signal) { await look(signal) },
    async close () { server.close() },

    async * transcribe (audio, { signal, ...wanted }) {
      signal.throwIfAborted()
      const parts: Int16Array[] = []
      for await (const chunk of abortable(audio, signal)) parts.push(chunk)
      if (parts.length === 0) return
      yield * send(await toFile(concat(parts)), wanted, signal)
    }
  }

  async function * send (file: File, wanted: Omit<SttOptions, 'signal'>, signal: AbortSignal): AsyncGenerator<TranscriptChunk> {
    signal.throwIfAborted()
    const watch = createWatch(signal)
    let begun = false
    try {
      if (model === '') await look(watch.signal)
      watch.expect(firstTokenTimeoutMs, `${subject} did not begin to answer within ${firstTokenTimeoutMs / 1000} s.`)
      const response = await open({
        file,
        model: choose(wanted.model),
        response_format: 'json',
        stream: true,
        ...(wanted.language === undefined ? {} : { language: wanted.language.slice(0, 2).toLowerCase() }),
        ...(wanted.prompt === undefined ? {} : { prompt: wanted.prompt })
      }, wanted.logprobs === true, watch.signal)
      begun = true
      for await (const chunk of readTranscript(response, wanted.logprobs === true)) {
        watch.rest()
        signal.throwIfAborted()
        if (chunk.delta !== '' || chunk.logprobs !== undefined) yield chunk
        signal.throwIfAborted()
        watch.expect(stallTimeoutMs, `${subject} fell silent in the middle of its answer for ${stallTimeoutMs / 1000} s.`)
      }
    } catch (error) {
      signal.throwIfAborted()
      throw watch.expired ?? server.fault(error, begun)
    } finally {
      watch.end()
    }
    signal.throwIfAborted()
    if (watch.expired !== undefined) throw watch.expired
  }

  /** Log probabilities are worth a second request, not the transcript: most servers and models have none. */
  async function open (body: TranscriptionCreateParamsStreaming, logprobs: boolean, signal: AbortSignal): Promise<Response> {
    const { audio } = await server.client()
    const ask = (more?: Pick<TranscriptionCreateParamsStreaming, 'include'>) => audio.transcriptions.create({ ...body, ...more }, { signal }).asResponse()
    if (!logprobs || taciturn.has(body.model)) return ask()
    try {
      return await ask({ include: ['logprobs'] })
    } catch (error) {
      const { status, message = '' } = error as { status?: unknown, message?: string }
      if ((status !== 400 && status !== 422) || !/\binclude\b|logprob/i.test(message)) throw error
    }
    const response = await ask()
    taciturn.add(body.model)
    return response
  }

  /** Clients name the hosted API's models out of habit: only what this server has is taken from them. */
  function choose (wanted: string | undefined): string {
    return wanted !== undefined && (listed.includes(wanted) || (server.hosted && options.model === undefined)) ? wanted : model
  }

  async function look (signal: AbortSignal): Promise<void> {
    try {
      listed = await server.listModels(signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!listsNothing(error)) throw error
      model ||= USUAL_MODEL
      return
    }
    if (model !== '') return
    const recognisers = listed.filter(name => RECOGNISERS.test(name))
    model = onlyModel(recognisers.length > 0 ? recognisers : listed, server, 'STT_MODEL')
  }
}

async function toFile (samples: Int16Array): Promise<File> {
  const resampler = await createResampler(SAMPLE_RATE, RATE)
  try {
    const parts = [resampler.process(samples), resampler.flush()]
    const missing = SHORTEST - parts[0]!.length - parts[1]!.length
    if (missing > 0) parts.push(new Int16Array(missing))
    return new File([new Uint8Array(toWav(concat(parts), RATE))], 'speech.wav', { type: 'audio/wav' })
  } finally {
    resampler.free()
  }
}

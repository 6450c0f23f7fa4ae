import { EngineError, type SpeechChunk, type TtsEngine, type TtsOptions } from '../engine.js'
import { readAhead } from '../read-ahead.js'
import { createOpenAiServer, listsNothing, onlyModel, type ServerOptions } from './server.js'
import { readPcm } from './pcm-body.js'
import { createWatch, type Watch } from '../watch.js'

const HOSTED_MODEL = 'gpt-4o-mini-tts'
const HOSTED_VOICES = ['alloy', 'ash', 'ballad', 'coral', 'echo', 'fable', 'nova', 'onyx', 'sage', 'shimmer', 'verse', 'marin', 'cedar']
/** What servers that list nothing take any name for. */
const USUAL_MODEL = 'tts-1'
/** Servers for all kinds of models list these too. */
const SPEAKERS = /tts|kokoro|piper|kitten|orpheus|speech|bark|xtts|chatterbox|voxcpm/i
/** Clauses asked for before the one before was heard: no pause between them, little in vain after an interruption. */
const AHEAD = 1

export interface OpenAiTtsOptions extends ServerOptions {
  /** Default: the only speech model that the server lists; `gpt-4o-mini-tts` at the hosted API. */
  model?: string | undefined
  /** Milliseconds from the request to the first sound; a local model may have to load first. Default 30000. */
  firstTokenTimeoutMs?: number | undefined
  /** Milliseconds between two pieces of sound. Default 15000. */
  stallTimeoutMs?: number | undefined
}

/**
 * Speech behind `audio/speech`: OpenAI, speaches, Kokoro-FastAPI, LocalAI and others. Each clause is a request,
 * whose PCM is given out as it streams.
 *
 * @throws {EngineError} `engine_unavailable` if `baseUrl` is no http or https URL.
 */
export function createOpenAiTts (options: OpenAiTtsOptions = {}): TtsEngine {
  const { connectTimeoutMs = 5000, firstTokenTimeoutMs = 30_000, stallTimeoutMs = 15_000 } = options
  const server = createOpenAiServer(options, {
    subject: 'The speech synthesis',
    noun: 'speech synthesis',
    answer: 'PCM audio',
    timeoutMs: 2 * (connectTimeoutMs + firstTokenTimeoutMs)
  })
  const { subject } = server
  let model = options.model || (server.hosted ? HOSTED_MODEL : '')
  let voices: readonly string[] = HOSTED_VOICES

  return {
    name: 'openai',
    get voices () { return voices },
    openVoices: true,

    async start () {
      const { signal } = new AbortController()
      await look(signal)
      if (!server.hosted) voices = await listVoices(AbortSignal.timeout(connectTimeoutMs))
    },
    async check (signal) { await look(signal) },
    async close () { server.close() },

    async * synthesize (text, { signal, ...wanted }) {
      for await (const { value, result } of readAhead(text, AHEAD, clause => ask(clause, wanted, signal), signal)) {
        yield * result.read(value)
      }
    }
  }

  /** Sends the request at once; its audio is read when its turn comes. */
  function ask (clause: string, wanted: Omit<TtsOptions, 'signal'>, signal: AbortSignal) {
    const watch = createWatch(signal)
    const response = open(clause, wanted, watch)
    // Its fault is told when it is read.
    response.catch(() => {})
    return { read: (clause: string) => read(clause, response, watch, signal), end: () => watch.end() }
  }

  async function open (input: string, { voice, speed, model: own, instructions, extra }: Omit<TtsOptions, 'signal'>, watch: Watch): Promise<Response> {
    if (model === '' && own === undefined) await look(watch.signal)
    watch.expect(firstTokenTimeoutMs, `${subject} did not begin to answer within ${firstTokenTimeoutMs / 1000} s.`)
    const { audio } = await server.client()
    const response = await audio.speech.create({
      ...extra,
      model: own ?? model,
      voice,
      input,
      response_format: 'pcm',
      ...(speed === undefined || speed === 1 ? {} : { speed }),
      ...(instructions === undefined ? {} : { instructions })
    }, { signal: watch.signal })
    // It waits here until the clause before it was heard.
    watch.rest()
    return response
  }

  async function * read (text: string, pending: Promise<Response>, watch: Watch, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
    let begun = false
    let said = text
    try {
      const response = await pending
      begun = true
      watch.expect(firstTokenTimeoutMs, `${subject} sent no sound within ${firstTokenTimeoutMs / 1000} s.`)
      for await (const audio of readPcm(response)) {
        watch.rest()
        signal.throwIfAborted()
        yield { text: said, audio }
        said = ''
        signal.throwIfAborted()
        watch.expect(stallTimeoutMs, `${subject} fell silent in the middle of its speech for ${stallTimeoutMs / 1000} s.`)
      }
    } catch (error) {
      signal.throwIfAborted()
      throw watch.expired ?? server.fault(error, begun)
    } finally {
      watch.end()
    }
    signal.throwIfAborted()
    if (said !== '') throw new EngineError('engine_failed', 'openai', `${subject} sent no sound.`)
  }

  async function look (signal: AbortSignal): Promise<void> {
    try {
      const names = await server.listModels(signal)
      if (model !== '') return
      const speakers = names.filter(name => SPEAKERS.test(name))
      model = onlyModel(speakers.length > 0 ? speakers : names, server, 'TTS_MODEL')
    } catch (error) {
      signal.throwIfAborted()
      if (!listsNothing(error)) throw error
      model ||= USUAL_MODEL
    }
  }

  /** Many servers list their voices, in one of two shapes; of others the hosted API's names are expected. */
  async function listVoices (signal: AbortSignal): Promise<readonly string[]> {
    try {
      const client = await server.client()
      const answer = await client.get('/audio/voices', { signal }) as { voices?: unknown, data?: unknown }
      const list: unknown = answer.voices ?? answer.data ?? answer
      const names = (Array.isArray(list) ? list : []).flatMap((voice: unknown) => {
        const name: unknown = typeof voice === 'object' && voice !== null ? (voice as { id?: unknown, name?: unknown }).id ?? (voice as { name?: unknown }).name : voice
        return typeof name === 'string' && name !== '' ? [name] : []
      })
      return names.length > 0 ? names : HOSTED_VOICES
    } catch {
      return HOSTED_VOICES
    }
  }
}

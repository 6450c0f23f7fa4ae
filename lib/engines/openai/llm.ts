import { setTimeout as sleep } from 'node:timers/promises'
import type OpenAI from 'openai'
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions'
import { EngineError, type LlmEngine, type LlmEvent, type LlmRequest } from '../engine.js'
import { AnswerReader } from './answer.js'
import { isTransient, shownUrl, toEngineError } from './faults.js'
import { toChatRequest } from './messages.js'
import { createTransport } from './transport.js'
import { createWatch } from './watch.js'

const HOSTED = 'https://api.openai.com/v1'
/** Milliseconds before a failed request is sent once more. */
const RETRY_DELAY = 250
/** Milliseconds that the usage may take after the server said that its answer is complete. */
const USAGE_WAIT = 2000
/** How many models an error message names. */
const MODELS_NAMED = 10

export interface OpenAiLlmOptions {
  /** Any server of the OpenAI chat API, up to and with `/v1`. Default: the hosted one. */
  baseUrl?: string | undefined
  /** Default: none is sent. */
  apiKey?: string | undefined
  /** Default: the only one that the server lists. */
  model?: string | undefined
  /** Milliseconds to connect, and to list the models. Default 5000. */
  connectTimeoutMs?: number | undefined
  /** Milliseconds from the request to the first sign of an answer; a local model may have to load first. Default 60000. */
  firstTokenTimeoutMs?: number | undefined
  /** Milliseconds between two signs of an answer. Default 15000. */
  stallTimeoutMs?: number | undefined
  /** How often a request is sent again that failed before anything was answered. Default 1. */
  retries?: number | undefined
}

/**
 * A language model behind the OpenAI chat API: Ollama, llama.cpp, vLLM, LM Studio, OpenAI and others.
 *
 * `start()` and `check()` reject with an {@link EngineError} when the server cannot serve; a later
 * `generate()` tries anew, so whoever started the engine may go on with a warning.
 *
 * @throws {EngineError} `engine_unavailable` if `baseUrl` is no http or https URL.
 */
export function createOpenAiLlm (options: OpenAiLlmOptions = {}): LlmEngine {
  const { connectTimeoutMs = 5000, firstTokenTimeoutMs = 60_000, stallTimeoutMs = 15_000, retries = 1 } = options
  const url = readUrl(options.baseUrl || HOSTED)
  const shown = shownUrl(url)
  const subject = `The language model at ${shown}`
  const authorization = readAuthorization(options.apiKey, url)
  const secrets = [options.apiKey, url.password].filter(secret => secret !== undefined && secret !== '') as string[]
  const transport = createTransport(connectTimeoutMs)

  let model = options.model ?? ''
  let clientPromise: Promise<OpenAI> | undefined
  // What this server was found not to take.
  let takesStreamOptions = true

  return {
    name: 'openai',
    get model () { return model },

    async start () {
      if (model === '') await findModel(new AbortController().signal)
      else await this.check!(new AbortController().signal)
    },

    async check (signal) {
      try {
        await listModels(signal)
      } catch (error) {
        signal.throwIfAborted()
        // Some gateways list nothing, some keys may not list: with a model given that is no fault.
        const status = ((error as Error).cause as { status?: unknown } | undefined)?.status
        if (model === '' || (status !== 403 && status !== 404 && status !== 405)) throw error
      }
    },

    async close () {
      transport.close()
    },

    async * generate (request, { signal }) {
      for (let attempt = 0; ; attempt++) {
        let emitted = false
        try {
          for await (const event of generateOnce(request, signal)) {
            emitted = true
            yield event
          }
          return
        } catch (error) {
          signal.throwIfAborted()
          const cause = error instanceof EngineError ? error.cause : error
          if (emitted || attempt >= retries || !isTransient(cause)) throw error
        }
        await sleep(RETRY_DELAY, undefined, { signal }).catch(() => signal.throwIfAborted())
      }
    }
  }

  async function * generateOnce (request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmEvent> {
    signal.throwIfAborted()
    const watch = createWatch(signal)
    const reader = new AnswerReader()
    let opened = false
    try {
      const chosen = request.model || model || await findModel(watch.signal)
      watch.expect(firstTokenTimeoutMs, `${subject} did not begin to answer within ${firstTokenTimeoutMs / 1000} s.`)
      const chunks = await open({ ...toChatRequest(request), ...limit(request.maxTokens), model: chosen }, watch.signal)
      opened = true
      for await (const chunk of chunks) {
        watch.rest()
        signal.throwIfAborted()
        yield * reader.read(chunk)
        signal.throwIfAborted()
        watch.expect(
          reader.finished ? Math.min(USAGE_WAIT, stallTimeoutMs) : stallTimeoutMs,
          `${subject} fell silent in the middle of its answer for ${stallTimeoutMs / 1000} s.`)
      }
    } catch (error) {
      signal.throwIfAborted()
      // Whatever broke after the last word took nothing away from the answer.
      if (!reader.finished) throw watch.expired ?? fault(error, opened)
    } finally {
      watch.end()
    }
    signal.throwIfAborted()
    // The client ends quietly when it is aborted, by a deadline too.
    if (watch.expired !== undefined && !reader.finished) throw watch.expired
    if (!reader.begun) throw fault(new SyntaxError('no events'), opened)
    yield * reader.end()
  }

  async function open (body: ChatCompletionCreateParamsStreaming, signal: AbortSignal) {
    const { chat } = await client()
    if (takesStreamOptions) {
      try {
        return await chat.completions.create({ ...body, stream_options: { include_usage: true } }, { signal })
      } catch (error) {
        const { status, message } = error as { status?: unknown, message?: string }
        if ((status !== 400 && status !== 422) || !message?.includes('stream_options')) throw error
        takesStreamOptions = false
      }
    }
    return await chat.completions.create(body, { signal })
  }

  /** The hosted API takes the new name of the limit only, most servers of the same API the old one only. */
  function limit (maxTokens: number | undefined) {
    if (maxTokens === undefined) return {}
    return url.hostname === 'api.openai.com' ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }
  }

  async function findModel (signal: AbortSignal): Promise<string> {
    const names = await listModels(signal)
    // A server for chat often lists the models with which it searches as well.
    const chat = names.filter(name => !/embed/i.test(name))
    const [only] = chat
    if (only === undefined) throw new EngineError('engine_unavailable', 'openai', `${subject} offers no model: load one there, or name one in LLM_MODEL.`)
    if (chat.length > 1) {
      const more = chat.length > MODELS_NAMED ? ` and ${chat.length - MODELS_NAMED} more` : ''
      throw new EngineError('engine_unavailable', 'openai', `${subject} offers several models: set LLM_MODEL to one of ${chat.slice(0, MODELS_NAMED).join(', ')}${more}.`)
    }
    model = only
    return only
  }

  async function listModels (signal: AbortSignal): Promise<string[]> {
    const watch = createWatch(signal)
    try {
      watch.expect(connectTimeoutMs, `${subject} did not list its models within ${connectTimeoutMs / 1000} s.`)
      const page = await (await client()).models.list({ signal: watch.signal })
      const data: unknown = page.data
      return Array.isArray(data) ? data.flatMap(({ id }) => typeof id === 'string' ? [id] : []) : []
    } catch (error) {
      signal.throwIfAborted()
      throw watch.expired ?? fault(error, false)
    } finally {
      watch.end()
    }
  }

  function fault (error: unknown, begun: boolean): EngineError {
    return toEngineError(error, { subject, secrets, begun })
  }

  /** Imported on first use: a server with another engine does not pay for its memory. */
  function client (): Promise<OpenAI> {
    clientPromise ??= import('openai').then(({ OpenAI }) => new OpenAI({
      baseURL: shown,
      // All that the client would else take from the environment is said here.
      apiKey: 'unused',
      organization: null,
      project: null,
      logLevel: 'off',
      maxRetries: 0,
      // Ours are the deadlines; the client's own only has to be longer.
      timeout: 2 * (connectTimeoutMs + firstTokenTimeoutMs),
      defaultHeaders: { Authorization: authorization },
      fetch: transport.fetch
    }))
    return clientPromise
  }
}

function readUrl (text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new EngineError('engine_unavailable', 'openai', 'The language model\'s base URL is no http or https URL.')
  }
  return url
}

function readAuthorization (apiKey: string | undefined, url: URL): string | null {
  if (apiKey) return `Bearer ${apiKey}`
  if (url.username === '' && url.password === '') return null
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { ChatCompletionChunk, ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions'
import { EngineError, type LlmEngine, type LlmEvent, type LlmRequest } from '../engine.js'
import { AnswerReader } from './answer.js'
import { readEvents } from './event-stream.js'
import { isTransient } from './faults.js'
import { toChatRequest } from './messages.js'
import { createOpenAiServer, listsNothing, onlyModel } from './server.js'
import { createWatch } from '../watch.js'

/** Milliseconds before a failed request is sent once more. */
const RETRY_DELAY = 250
/** What servers of the same API may not take, and can do without. */
const DISPENSABLE = ['stream_options', 'reasoning_effort', 'parallel_tool_calls'] as const
/** Milliseconds that the usage may take after the server said that its answer is complete. */
const USAGE_WAIT = 2000

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
  const server = createOpenAiServer(options, {
    subject: 'The language model',
    noun: 'language model',
    answer: 'the chat API\'s event stream',
    // Ours are the deadlines; the client's own only has to be longer.
    timeoutMs: 2 * (connectTimeoutMs + firstTokenTimeoutMs)
  })
  const { subject } = server

  let model = options.model ?? ''
  // What this server was found not to take of a model: parameters with their values, as one model may take what another does not.
  const refused = new Set<string>()

  return {
    name: 'openai',
    policy: { firstResultTimeoutMs: (retries + 1) * (connectTimeoutMs + firstTokenTimeoutMs), stallTimeoutMs },
    get model () { return model },

    async start () {
      if (model === '') await findModel(new AbortController().signal)
      else await this.check!(new AbortController().signal)
    },

    async check (signal) {
      try {
        await server.listModels(signal)
      } catch (error) {
        signal.throwIfAborted()
        if (model === '' || !listsNothing(error)) throw error
      }
    },

    async close () {
      server.close()
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
      const response = await open({ ...toChatRequest(request), ...limit(request.maxTokens), model: chosen }, watch.signal)
      opened = true
      for await (const chunks of readEvents(server.body(response))) {
        watch.rest()
        signal.throwIfAborted()
        for (const chunk of chunks) {
          const told = (chunk as { error?: object } | null)?.error
          if (told) throw await asClientError(told)
          for (const event of reader.read(chunk as ChatCompletionChunk)) yield event
        }
        signal.throwIfAborted()
        watch.expect(
          reader.finished ? Math.min(USAGE_WAIT, stallTimeoutMs) : stallTimeoutMs,
          `${subject} fell silent in the middle of its answer for ${stallTimeoutMs / 1000} s.`)
      }
    } catch (error) {
      signal.throwIfAborted()
      // Whatever broke after the last word took nothing away from the answer.
      if (!reader.finished) throw watch.expired ?? server.fault(error, opened)
    } finally {
      watch.end()
    }
    signal.throwIfAborted()
    // The client ends quietly when it is aborted, by a deadline too.
    if (watch.expired !== undefined && !reader.finished) throw watch.expired
    if (!reader.begun) throw server.fault(new SyntaxError('no events'), opened)
    yield * reader.end()
  }

  async function open (body: ChatCompletionCreateParamsStreaming, signal: AbortSignal): Promise<Response> {
    const { chat } = await server.client()
    const sent = { ...body, stream_options: { include_usage: true } }
    const known = (name: typeof DISPENSABLE[number]) => `${body.model} ${name} ${JSON.stringify(sent[name])}`
    for (;;) {
      for (const name of DISPENSABLE) if (refused.has(known(name))) delete (sent as Partial<typeof sent>)[name]
      try {
        return await chat.completions.create(sent, { signal }).asResponse()
      } catch (error) {
        const { status, message } = error as { status?: unknown, message?: string }
        const name = status === 400 || status === 422 ? DISPENSABLE.find(name => name in sent && message?.includes(name)) : undefined
        if (name === undefined) throw error
        refused.add(known(name))
      }
    }
  }

  /** What a server tells of in the middle of its stream, as the client would throw it. */
  async function asClientError (told: object): Promise<Error> {
    const { APIError } = await import('openai')
    return new APIError(undefined, told, undefined, undefined)
  }

  /** The hosted API takes the new name of the limit only, most servers of the same API the old one only. */
  function limit (maxTokens: number | undefined) {
    if (maxTokens === undefined) return {}
    return server.hosted ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }
  }

  async function findModel (signal: AbortSignal): Promise<string> {
    // A server for chat often lists the models with which it searches as well.
    const chat = (await server.listModels(signal)).filter(name => !/embed/i.test(name))
    model = onlyModel(chat, server, 'LLM_MODEL')
    return model
  }
}

import type OpenAI from 'openai'
import { EngineError } from '../engine.js'
import { shownUrl, toEngineError } from './faults.js'
import { createTransport } from './transport.js'
import { createWatch } from '../watch.js'

const HOSTED = 'https://api.openai.com/v1'
/** How many models an error message names. */
const MODELS_NAMED = 10

export interface ServerOptions {
  /** Up to and with `/v1`. Default: the hosted one. */
  baseUrl?: string | undefined
  /** Default: none is sent. */
  apiKey?: string | undefined
  /** Milliseconds to connect, and to list the models. Default 5000. */
  connectTimeoutMs?: number | undefined
}

/** Who asks: for messages, and for the server's deadline. */
export interface ServerRole {
  /** Begins every message, such as `The language model`. */
  subject: string
  /** What its base URL is in words, such as `language model`. */
  noun: string
  /** What an answer should have been, such as `the chat API's event stream`. */
  answer: string
  /** Milliseconds after which the client itself gives up: longer than every deadline of ours. */
  timeoutMs: number
}

/** A server of the OpenAI API, hosted or somebody's own. */
export interface OpenAiServer {
  readonly url: URL
  readonly hosted: boolean
  /** Such as `The language model at http://127.0.0.1:11434/v1`. */
  readonly subject: string
  /** Imported on first use: a server with another engine does not pay for its memory. */
  client (): Promise<OpenAI>
  /** @throws {EngineError} */
  listModels (signal: AbortSignal): Promise<string[]>
  fault (error: unknown, begun: boolean): EngineError
  /** The bytes of a response of the {@link OpenAiServer.client}. */
  body (response: Response): AsyncIterable<Uint8Array>
  /** Ends every connection. Idempotent. */
  close (): void
}

/** @throws {EngineError} `engine_unavailable` if `baseUrl` is no http or https URL. */
export function createOpenAiServer (options: ServerOptions, role: ServerRole): OpenAiServer {
  const { connectTimeoutMs = 5000 } = options
  const url = readUrl(options.baseUrl || HOSTED, role.noun)
  const shown = shownUrl(url)
  const subject = `${role.subject} at ${shown}`
  const secrets = [options.apiKey, url.password].filter(secret => secret !== undefined && secret !== '') as string[]
  const transport = createTransport(connectTimeoutMs)
  let clientPromise: Promise<OpenAI> | undefined

  const fault = (error: unknown, begun: boolean) => toEngineError(error, { subject, secrets, begun, answer: role.answer })
  const client = () => {
    clientPromise ??= import('openai').then(({ OpenAI }) => new OpenAI({
      baseURL: shown,
      // All that the client would else take from the environment is said here.
      apiKey: 'unused',
      organization: null,
      project: null,
      logLevel: 'off',
      maxRetries: 0,
      timeout: role.timeoutMs,
      defaultHeaders: { Authorization: readAuthorization(options.apiKey, url) },
      fetch: transport.fetch
    }))
    return clientPromise
  }

  return {
    url,
    hosted: url.hostname === 'api.openai.com',
    subject,
    client,
    fault,
    body: response => transport.body(response),
    close: () => transport.close(),

    async listModels (signal) {
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
  }
}

/** Some gateways list nothing, and some keys may not list: with a model given that is no fault. */
export function listsNothing (error: unknown): boolean {
  const status = ((error as Error).cause as { status?: unknown } | undefined)?.status
  return status === 403 || status === 404 || status === 405
}

/** The only one of a server's models, or an error that names them. @throws {EngineError} */
export function onlyModel (names: readonly string[], { subject }: OpenAiServer, variable: string): string {
  const [only] = names
  if (only === undefined) throw new EngineError('engine_unavailable', 'openai', `${subject} offers no model: load one there, or name one in ${variable}.`)
  if (names.length > 1) {
    const more = names.length > MODELS_NAMED ? ` and ${names.length - MODELS_NAMED} more` : ''
    throw new EngineError('engine_unavailable', 'openai', `${subject} offers several models: set ${variable} to one of ${names.slice(0, MODELS_NAMED).join(', ')}${more}.`)
  }
  return only
}

function readUrl (text: string, noun: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new EngineError('engine_unavailable', 'openai', `The ${noun}'s base URL is no http or https URL.`)
  }
  return url
}

function readAuthorization (apiKey: string | undefined, url: URL): string | null {
  if (apiKey) return `Bearer ${apiKey}`
  if (url.username === '' && url.password === '') return null
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

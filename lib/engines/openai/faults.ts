import { EngineError } from '../engine.js'

/** Longest excerpt of another server's words in a message of ours, in characters. */
const EXCERPT = 200

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be resolved',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network'
}

/** The URL as it may be shown: without credentials and query. */
export function shownUrl (url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`.replace(/\/+$/, '')
}

/** What is known of a request when it fails. */
export interface FaultContext {
  /** Such as `The language model at http://127.0.0.1:11434/v1`. */
  subject: string
  /** Never to appear in a message. */
  secrets: readonly string[]
  /** Whether the server had begun its answer. */
  begun: boolean
  /** What the answer should have been, such as `the chat API's event stream`. */
  answer: string
}

/** Any error of the client, the connection or the stream as one line for the person who runs the server. */
export function toEngineError (error: unknown, { subject, secrets, begun, answer }: FaultContext): EngineError {
  if (error instanceof EngineError) return error
  const { name, status, code } = error as { name?: string, status?: unknown, code?: unknown }
  // Not the error itself: loggers print a cause, and the other server may have repeated the key in it.
  const options = { cause: { name, status, code } }

  if (typeof status === 'number') {
    const said = excerpt(error, secrets)
    if (isRefusal(code)) return new EngineError(code, 'openai', `${subject} refuses this account (${status})${said}.`, options)
    if (status === 401 || status === 403) return new EngineError('engine_unavailable', 'openai', `${subject} refused the API key (${status})${said}.`, options)
    if (status === 429) return new EngineError('engine_unavailable', 'openai', `${subject} has no capacity left (429)${said}.`, options)
    if (status >= 500) return new EngineError('engine_unavailable', 'openai', `${subject} failed (${status})${said}.`, options)
    return new EngineError('engine_failed', 'openai', `${subject} rejected the request (${status})${said}.`, options)
  }

  const connection = connectionFault(error)
  if (connection !== undefined && begun) {
    return new EngineError('engine_failed', 'openai', `${subject} broke off in the middle of its answer: ${connection}.`, options)
  }
  if (connection !== undefined) {
    return new EngineError('engine_unavailable', 'openai', `${subject} cannot be reached: ${connection}.`, options)
  }
  if (error instanceof SyntaxError) {
    return new EngineError('engine_failed', 'openai', `${subject} sent something that is not ${answer}.`, options)
  }
  return new EngineError('engine_failed', 'openai', `${subject} failed${excerpt(error, secrets)}.`, options)
}

/** What no later request will change: no money, or no account. */
function isRefusal (code: unknown): code is 'insufficient_quota' | 'account_deactivated' | 'billing_hard_limit_reached' {
  return code === 'insufficient_quota' || code === 'account_deactivated' || code === 'billing_hard_limit_reached'
}

/** Whether the same request might succeed a moment later. */
export function isTransient (error: unknown): boolean {
  const { status, code } = error as { status?: unknown, code?: unknown }
  if (isRefusal(code)) return false
  if (typeof status === 'number') return status === 408 || status === 409 || status === 429 || status >= 500
  return connectionFault(error) !== undefined
}

/** In words, if it was the connection: its error is the cause of the client's, or of that one's. */
function connectionFault (error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as NodeJS.ErrnoException).code
    if (typeof code !== 'string') continue
    const reason = reasons[code]
    if (reason !== undefined) return reason
    if (code === 'ETIMEDOUT') return e.message.startsWith('no connection') ? e.message : 'no answer from the host'
    if (/CERT|TLS|SSL|SELF_SIGNED|EPROTO/.test(code)) return `the secure connection failed (${code})`
  }
}

/** `: "their words"`, on one line and without secrets, or nothing. */
function excerpt (error: unknown, secrets: readonly string[]): string {
  const body = (error as { error?: { message?: unknown } | string }).error
  const words = typeof body === 'string'
    ? body
    : typeof body?.message === 'string' ? body.message : error instanceof Error ? error.message : ''
  let line = words.replace(/\s+/g, ' ').replace(/^\d{3} /, '').trim().replace(/\.$/, '')
  for (const secret of secrets) line = line.replaceAll(secret, '[secret]')
  if (line === '' || /^(status code|\()/.test(line)) return ''
  return `: ${line.length > EXCERPT ? line.slice(0, EXCERPT) + '…' : line}`
}

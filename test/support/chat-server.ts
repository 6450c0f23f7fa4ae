import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One step of a scripted answer. */
export type ChatStep =
  /** Text, a chunk for each word. */
  | { text: string }
  /** One chunk's `choices[0].delta`, as it stands: for tool calls and oddities. */
  | { delta: unknown }
  | { finish: string | null }
  | { usage: { prompt_tokens: number, completion_tokens: number, prompt_tokens_details?: { cached_tokens: number } } }
  /** Waits before the next step. */
  | { until: Promise<unknown> }
  /** Bytes as they stand. */
  | { raw: string }
  /** Says nothing more and keeps the connection open. */
  | 'stall'
  /** Cuts the connection. */
  | 'drop'
  /** Ends the stream in good order (also done at the end of a script). */
  | 'done'

/** A stream of steps, or a plain HTTP answer. */
export type ChatScript = ChatStep[] | { status: number, body?: unknown }

export interface ChatRequest {
  path: string
  headers: IncomingHttpHeaders
  /** The parsed JSON body, or undefined. */
  body: any
  /** Resolves when the exchange is over: `answered`, or `abandoned` if the client closed its connection before. */
  closed: Promise<'answered' | 'abandoned'>
}

export interface ChatServer {
  /** Base URL, with `/v1`. */
  url: string
  /** What `GET /v1/models` lists. */
  models: string[]
  /** Whoever comes without this key gets 401. */
  key?: string
  /** Chat requests so far. */
  requests: ChatRequest[]
  /** Requests for the list of models so far. */
  modelRequests: ChatRequest[]
  /** Scripts of the next answers, in order; after the last one {@link FALLBACK} is said. */
  script (...scripts: ChatScript[]): void
  /** The chat request with this number (from 0), as soon as it is there. */
  request (number: number): Promise<ChatRequest>
  /** Open connections. */
  connections (): Promise<number>
  close (): Promise<void>
}

/** The answer when no script is left. */
export const FALLBACK: ChatScript = [{ text: 'Hello there.' }, { finish: 'stop' }]

/** A tool call as the hosted API streams it: name first, arguments in pieces. */
export function toolCall (index: number, id: string, name: string, ...pieces: string[]): ChatStep[] {
  return [
    { delta: { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] } },
    ...pieces.map(piece => ({ delta: { tool_calls: [{ index, function: { arguments: piece } }] } }))
  ]
}

/** A real server of the OpenAI chat API that answers by script. */
export async function startChatServer (): Promise<ChatServer> {
  const scripts: ChatScript[] = []
  const requests: ChatRequest[] = []
  const modelRequests: ChatRequest[] = []
  const waiting = new Map<number, (request: ChatRequest) => void>()

  const server = createServer((message, response) => {
    handle(message, response).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))

  const chat: ChatServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    models: ['test-model'],
    requests,
    modelRequests,
    script (...more) { scripts.push(...more) },
    request (number) {
      const request = requests[number]
      return request !== undefined ? Promise.resolve(request) : new Promise(resolve => waiting.set(number, resolve))
    },
    connections: () => new Promise((resolve, reject) => server.getConnections((error, count) => error ? reject(error) : resolve(count))),
    close () {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    }
  }
  return chat

  async function handle (message: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = Buffer.concat(await message.toArray()).toString()
    const request: ChatRequest = {
      path: message.url ?? '',
      headers: message.headers,
      body: text === '' ? undefined : JSON.parse(text),
      closed: new Promise(resolve => response.on('close', () => resolve(response.writableFinished ? 'answered' : 'abandoned')))
    }
    if (request.path === '/v1/models') modelRequests.push(request)
    if (chat.key !== undefined && message.headers.authorization !== `Bearer ${chat.key}`) {
      sendJson(response, 401, { error: { message: 'Invalid API key' } })
    } else if (request.path === '/v1/models') {
      sendJson(response, 200, { object: 'list', data: chat.models.map(id => ({ id, object: 'model', created: 0, owned_by: 'test' })) })
    } else if (request.path === '/v1/chat/completions') {
      requests.push(request)
      waiting.get(requests.length - 1)?.(request)
      await play(scripts.shift() ?? FALLBACK, request, response)
    } else {
      sendJson(response, 404, { error: { message: `No such path: ${request.path}` } })
    }
  }
}

async function play (script: ChatScript, request: ChatRequest, response: ServerResponse): Promise<void> {
  if (!Array.isArray(script)) return sendJson(response, script.status, script.body ?? { error: { message: `Scripted ${script.status}` } })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  for (const step of script) {
    if (step === 'stall') return
    if (step === 'drop') {
      await new Promise(resolve => response.write(':\n\n', resolve))
      response.destroy()
      return
    }
    if (step === 'done') break
    if ('until' in step) await step.until
    else if ('raw' in step) response.write(step.raw)
    else if ('usage' in step) sendChunk({ choices: [], usage: step.usage })
    else if ('finish' in step) sendChunk({ choices: [{ index: 0, delta: {}, finish_reason: step.finish }] })
    else if ('delta' in step) sendChunk({ choices: [{ index: 0, delta: step.delta, finish_reason: null }] })
    else for (const word of step.text.match(/\s*\S+/g) ?? []) sendChunk({ choices: [{ index: 0, delta: { content: word }, finish_reason: null }] })
  }
  response.end('data: [DONE]\n\n')

  function sendChunk (chunk: object): void {
    const whole = { id: 'chatcmpl-test', object: 'chat.completion.chunk', created: 0, model: request.body?.model, ...chunk }
    response.write(`data: ${JSON.stringify(whole)}\n\n`)
  }
}

function sendJson (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body === '' ? '' : JSON.stringify(body))
}

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One step of a scripted answer. */
export type AudioStep =
  /** An event of a streamed transcript, as JSON. */
  | { event: unknown }
  /** Bytes as they stand, such as PCM. */
  | { bytes: Uint8Array }
  | { until: Promise<unknown> }
  /** Says nothing more and keeps the connection open. */
  | 'stall'
  /** Cuts the connection. */
  | 'drop'

export interface AudioScript {
  status?: number
  type?: string
  body?: unknown
  steps?: AudioStep[]
}

export interface AudioRequest {
  path: string
  headers: IncomingHttpHeaders
  /** Fields of a form (files as `File`), or the parsed JSON body. */
  fields: Record<string, any>
  /** `answered`, or `abandoned` if the client closed its connection before. */
  closed: Promise<'answered' | 'abandoned'>
}

export interface AudioServer {
  url: string
  /** What `GET /v1/models` lists; null: no such path. */
  models: string[] | null
  /** What `GET /v1/audio/voices` answers; null: no such path. */
  voices: unknown
  requests: AudioRequest[]
  script (...scripts: AudioScript[]): void
  request (number: number): Promise<AudioRequest>
  connections (): Promise<number>
  close (): Promise<void>
}

/** Samples of a tone, as PCM bytes. */
export function pcm (samples: number, value = 1000): Uint8Array {
  return new Uint8Array(new Int16Array(samples).fill(value).buffer)
}

/**
 * A real server of the OpenAI audio API that answers by script; without one it hears `Hello there.`, and speaks
 * 10 ms of a tone for each letter.
 */
export async function startAudioServer (): Promise<AudioServer> {
  const scripts: AudioScript[] = []
  const requests: AudioRequest[] = []
  const waiting = new Map<number, (request: AudioRequest) => void>()
  const server = createServer((message, response) => {
    handle(message, response).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))

  const audio: AudioServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    models: ['test-model'],
    voices: null,
    requests,
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
  return audio

  async function handle (message: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await message.toArray())
    const path = message.url ?? ''
    if (path === '/v1/models' && audio.models !== null) return sendJson(response, 200, { object: 'list', data: audio.models.map(id => ({ id, object: 'model' })) })
    if (path === '/v1/audio/voices' && audio.voices !== null) return sendJson(response, 200, audio.voices)
    if (path !== '/v1/audio/transcriptions' && path !== '/v1/audio/speech') return sendJson(response, 404, { error: { message: `No such path: ${path}` } })

    const type = message.headers['content-type'] ?? ''
    const fields = type.startsWith('multipart/')
      ? Object.fromEntries(await new Response(body, { headers: { 'content-type': type } }).formData())
      : JSON.parse(body.toString())
    const request: AudioRequest = {
      path,
      headers: message.headers,
      fields,
      closed: new Promise(resolve => response.on('close', () => resolve(response.writableFinished ? 'answered' : 'abandoned')))
    }
    requests.push(request)
    waiting.get(requests.length - 1)?.(request)
    await play(scripts.shift() ?? fallback(request), response)
  }
}

function fallback ({ path, fields }: AudioRequest): AudioScript {
  if (path === '/v1/audio/transcriptions') return { body: { text: 'Hello there.' } }
  return { type: 'audio/pcm', steps: [{ bytes: pcm(240 * String(fields.input).length) }] }
}

async function play ({ status = 200, type = 'text/event-stream', body, steps }: AudioScript, response: ServerResponse): Promise<void> {
  if (steps === undefined) return sendJson(response, status, body ?? { error: { message: `Scripted ${status}` } })
  response.writeHead(status, { 'content-type': type })
  response.flushHeaders()
  for (const step of steps) {
    if (step === 'stall') return
    if (step === 'drop') {
      await new Promise(resolve => response.write(type === 'text/event-stream' ? ':\n\n' : new Uint8Array(2), resolve))
      response.destroy()
      return
    }
    if ('until' in step) await step.until
    else response.write('bytes' in step ? step.bytes : `data: ${JSON.stringify(step.event)}\n\n`)
  }
  response.end()
}

function sendJson (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

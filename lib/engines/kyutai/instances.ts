import { WebSocket } from 'ws'
import { Channel } from '../../channel.js'
import { EngineError } from '../engine.js'
import { decodeMessage, encodeMessage, type ClientMessage, type ServerMessage } from './messages.js'

/** The longest message that is taken: four seconds of audio. Bytes. */
const MAX_MESSAGE = 1024 * 1024
/** What the reference configuration of moshi-server lets in. */
const PUBLIC_KEY = 'public_token'

export interface KyutaiOptions {
  /** One or more servers, separated by commas: `ws://127.0.0.1:8090`. http and https mean ws and wss. */
  baseUrl?: string | undefined
  /** Sent as `kyutai-api-key`. Default `public_token`. */
  apiKey?: string | undefined
  /** Milliseconds until a server is connected and says that it is ready. Default 5000. */
  connectTimeoutMs?: number | undefined
  /** Milliseconds without a word from the server, while one is due. Default 15000. */
  stallTimeoutMs?: number | undefined
}

/** A conversation with one server, which serves one stream at a time. */
export interface MoshiStream {
  /** Ends when the server closes in good order; rejects with an {@link EngineError} otherwise. */
  readonly messages: Channel<ServerMessage>
  /** Such as `The speech recognition at ws://127.0.0.1:8090`. */
  readonly subject: string
  send (message: ClientMessage): void
  /** Cuts the connection. Idempotent. */
  close (): void
}

export interface Instances {
  /** Connects to the first server that is ready; the next call begins with the next one. @throws {EngineError} */
  open (query: Record<string, string>, signal: AbortSignal): Promise<MoshiStream>
  /** Resolves if any server is there. @throws {EngineError} */
  check (signal: AbortSignal): Promise<void>
  close (): void
}

/** @throws {EngineError} `engine_unavailable` for a base URL that is none. */
export function createInstances (what: string, path: string, baseUrls: string, { apiKey = PUBLIC_KEY, connectTimeoutMs = 5000 }: KyutaiOptions): Instances {
  const urls = baseUrls.split(',').map(text => text.trim()).filter(text => text !== '').map(text => readUrl(text, what))
  const headers = { 'kyutai-api-key': apiKey }
  const open = new Set<MoshiStream>()
  let turn = 0

  return {
    async open (query, signal) {
      const first = turn++
      const faults: EngineError[] = []
      for (let i = 0; i < urls.length; i++) {
        const url = new URL(urls[(first + i) % urls.length]!)
        url.pathname = url.pathname.replace(/\/$/, '') + path
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
        try {
          const stream = await connect(url, signal)
          open.add(stream)
          return { ...stream, close () { open.delete(stream); stream.close() } }
        } catch (error) {
          signal.throwIfAborted()
          faults.push(error as EngineError)
        }
      }
      // Of several, one that is only busy says most: it may have room in a moment.
      throw faults.find(({ message }) => message.includes('no capacity')) ?? faults[0]!
    },

    async check (signal) {
      const asked = urls.map(async url => {
        const page = new URL(`${url.href.replace(/^ws/, 'http').replace(/\/$/, '')}/api/build_info`)
        const response = await fetch(page, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]) })
        await response.body?.cancel()
        if (response.status === 401 || response.status === 403) throw new EngineError('engine_unavailable', 'kyutai', `${subjectOf(url)} refused the API key (${response.status}).`)
        if (response.status >= 500) throw new EngineError('engine_unavailable', 'kyutai', `${subjectOf(url)} failed (${response.status}).`)
      })
      try {
        await Promise.any(asked)
      } catch (error) {
        signal.throwIfAborted()
        const fault = (error as AggregateError).errors.find(one => one instanceof EngineError)
        throw fault ?? new EngineError('engine_unavailable', 'kyutai', `${subjectOf(...urls)} cannot be reached.`)
      }
    },

    close () {
      for (const stream of open) stream.close()
      open.clear()
    }
  }

  function connect (url: URL, signal: AbortSignal): Promise<MoshiStream> {
    const subject = subjectOf(url)
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const socket = new WebSocket(url, { headers, perMessageDeflate: false, maxPayload: MAX_MESSAGE })
      const messages = new Channel<ServerMessage>()
      let ready = false
      const late = setTimeout(() => fail('engine_unavailable', `is not ready after ${connectTimeoutMs / 1000} s`), connectTimeoutMs)
      const abort = () => end(signal.reason)
      signal.addEventListener('abort', abort, { once: true })

      /** Nothing more comes of it, for whatever reason; without one it ended in good order. */
      function end (error?: unknown): void {
        clearTimeout(late)
        signal.removeEventListener('abort', abort)
        if (error !== undefined) reject(error)
        if (error === undefined) messages.end()
        else messages.fail(error)
        socket.terminate()
      }
      function fail (code: EngineError['code'], message: string): void {
        end(new EngineError(code, 'kyutai', `${subject} ${message}.`))
      }

      socket.on('message', (data, binary) => {
        let message: ServerMessage | null
        try {
          if (!binary) throw new SyntaxError('no binary message')
          message = decodeMessage(data as Buffer)
        } catch {
          return fail('engine_failed', 'sent something that is not moshi-server\'s protocol')
        }
        if (message === null) return
        if (message.type === 'Error') {
          const said = message.message.replace(/\s+/g, ' ').slice(0, 200)
          if (!ready) return fail('engine_unavailable', `has no capacity left: ${said}`)
          return fail('engine_failed', `failed: ${said}`)
        }
        // What comes before belongs to whoever had the place last.
        if (ready) messages.push(message)
        else if (message.type === 'Ready') {
          ready = true
          clearTimeout(late)
          resolve({
            messages,
            subject,
            send: message => { if (socket.readyState === WebSocket.OPEN) socket.send(encodeMessage(message)) },
            close: () => end()
          })
        }
      })
      socket.on('unexpected-response', (request, response) => {
        request.destroy()
        const { statusCode: status = 0 } = response
        if (status === 401 || status === 403) fail('engine_unavailable', `refused the API key (${status})`)
        else if (status === 429 || status === 503) fail('engine_unavailable', `has no capacity left (${status})`)
        else fail('engine_unavailable', `answered ${status}`)
      })
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (ready) fail('engine_failed', 'broke off in the middle of its answer')
        else fail('engine_unavailable', `cannot be reached: ${error.code === 'ECONNREFUSED' ? 'connection refused' : error.code ?? error.message}`)
      })
      socket.on('close', code => {
        if (!ready) fail('engine_unavailable', 'closed the connection before it was ready')
        else if (code === 1000 || code === 1005) end()
        else fail('engine_failed', 'broke off in the middle of its answer')
      })
    })
  }

  function subjectOf (...urls: URL[]): string {
    return `${what} at ${urls.map(({ protocol, host }) => `${protocol}//${host}`).join(', ')}`
  }
}

function readUrl (text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(https?|wss?):$/.test(url.protocol)) throw new EngineError('engine_unavailable', 'kyutai', `${what}'s base URL is no ws, wss, http or https URL.`)
  return new URL(url.href.replace(/^http/, 'ws'))
}

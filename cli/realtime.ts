import { WebSocket } from 'ws'
import type { Event, EventConnection } from '../lib/client/index.js'
import { UsageError } from './command.js'

export interface ConnectOptions {
  url: string
  key?: string | undefined
  /** Such as `{ character: 'Magnus' }`. */
  query?: Record<string, string>
  /** How long the handshake may take. Milliseconds. */
  timeoutMs?: number
}

/** A connection that could not be made; the message is for people. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
}

/** A WebSocket to a Realtime server, as its events. The one who connects closes it. */
export class RealtimeConnection implements EventConnection {
  readonly socket: WebSocket
  /** Code and reason. */
  readonly closed: Promise<string>
  readonly #listeners = new Set<(event: Event) => void>()

  private constructor (socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise(resolve => socket.once('close', (code, reason) => resolve(`${code} ${reason}`.trim())))
    socket.on('error', () => {})
    socket.on('message', data => {
      const event = JSON.parse(String(data)) as Event
      for (const listener of this.#listeners) listener(event)
    })
  }

  /** Resolves once the server greets. Rejects with a {@link ConnectError}. */
  static async connect ({ url, key, query = {}, timeoutMs = 10_000 }: ConnectOptions): Promise<RealtimeConnection> {
    const target = new URL(url)
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value)
    const connection = new RealtimeConnection(new WebSocket(target, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` }, handshakeTimeout: timeoutMs }))
    const created = connection.next('session.created')
    created.catch(() => {})
    await opened(connection.socket, target)
    await created
    return connection
  }

  send (event: Event): void {
    this.socket.send(JSON.stringify(event))
  }

  subscribe (onEvent: (event: Event) => void, onClose: () => void): () => void {
    this.#listeners.add(onEvent)
    this.socket.on('close', onClose)
    return () => {
      this.#listeners.delete(onEvent)
      this.socket.off('close', onClose)
    }
  }

  /** The next event of a type. Rejects with the server's `error`, or when the socket closes. */
  next (type: string): Promise<Event> {
    return new Promise((resolve, reject) => {
      const stop = this.subscribe(event => {
        if (event.type !== type && event.type !== 'error') return
        stop()
        if (event.type === type) resolve(event)
        else reject(new ConnectError((event.error as { message: string }).message))
      }, () => reject(new ConnectError('The server closed the connection.')))
    })
  }

  async close (): Promise<void> {
    this.socket.close(1000)
    await this.closed
  }
}

function opened (socket: WebSocket, { origin }: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', (error: NodeJS.ErrnoException) => reject(new ConnectError(error.code === 'ECONNREFUSED' ? `Nothing listens at ${origin}.` : `${origin} cannot be reached: ${error.message}.`)))
    socket.once('unexpected-response', (request, response) => {
      let body = ''
      response.on('data', chunk => { body += chunk })
      response.on('end', () => {
        reject(new ConnectError(`${origin} refuses: ${messageOf(body) ?? `HTTP ${response.statusCode}`}`))
        socket.terminate()
      })
    })
  })
}

function messageOf (body: string): string | undefined {
  try {
    return JSON.parse(body).error.message
  } catch {
    return undefined
  }
}

/** The socket that people mean with `localhost:8000`, `http://host` or a whole URL. Throws a {@link UsageError}. */
export function readUrl (text: string): string {
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `ws://${text}`
  if (!URL.canParse(whole)) throw new UsageError(`--url ${text} is no URL.`)
  const url = new URL(whole)
  url.protocol = url.protocol.replace(/^http/, 'ws')
  if (!/^wss?:$/.test(url.protocol)) throw new UsageError(`--url ${text} is no WebSocket.`)
  if (url.pathname === '/') url.pathname = '/v1/realtime'
  return url.href
}

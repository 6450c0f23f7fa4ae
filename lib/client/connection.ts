import { CharacterRequestError } from './error.js'

/** An event of either side. */
export interface Event { type: string, [field: string]: unknown }

/** What a client helper needs of a connection: anything that is none of the others can be made one. */
export interface EventConnection {
  send (event: Event): void
  /** Calls back for every event of the server, and once when the connection is gone; returns how to stop. */
  subscribe (onEvent: (event: Event) => void, onClose: () => void): () => void
}

/** A WebSocket of a browser, of Node, of `ws` or of undici; an `RTCDataChannel` fits too. */
export interface SocketLike {
  send (data: string): void
  addEventListener (type: any, listener: (event: any) => void): void
  removeEventListener (type: any, listener: (event: any) => void): void
}

/** `OpenAIRealtimeWebSocket` or `OpenAIRealtimeWS` of the `openai` package, GA or beta. */
export interface OpenAiLike {
  readonly socket: any
  send (event: any): unknown
  on (type: any, listener: (event: any) => void): unknown
  off (type: any, listener: (event: any) => void): unknown
}

/** A transport of `@openai/agents-realtime`. */
export interface TransportLike {
  sendEvent (event: any): unknown
  on (type: any, listener: (event: any) => void): unknown
  off (type: any, listener: (event: any) => void): unknown
}

/** A `RealtimeSession` of `@openai/agents-realtime`. */
export interface AgentsSessionLike {
  readonly transport: TransportLike
  on (type: any, listener: (event: any) => void): unknown
  off (type: any, listener: (event: any) => void): unknown
}

export type Connection = EventConnection | SocketLike | OpenAiLike | TransportLike | AgentsSessionLike

/** One shape for whatever people hold. Throws a `TypeError` for what is no connection. */
export function toConnection (given: Connection): EventConnection {
  if (has(given, 'subscribe', 'send')) return given as EventConnection
  if (has(given, 'addEventListener', 'send')) return overSocket(given as SocketLike)
  if (has(given, 'sendEvent', 'on')) return overTransport(given as TransportLike)
  if (has((given as AgentsSessionLike)?.transport, 'sendEvent', 'on')) return overTransport((given as AgentsSessionLike).transport, given as AgentsSessionLike)
  if (has(given, 'send', 'on', 'off')) return overOpenAi(given as OpenAiLike)
  throw new TypeError('That is no connection: give a WebSocket, a realtime object of the openai package, or a session or transport of @openai/agents-realtime.')
}

function has (value: unknown, ...methods: string[]): boolean {
  return typeof value === 'object' && value !== null && methods.every(method => typeof (value as Record<string, unknown>)[method] === 'function')
}

function overSocket (socket: SocketLike): EventConnection {
  return {
    send (event) {
      const state = (socket as { readyState?: unknown }).readyState
      // A socket that is closing takes what is sent and drops it.
      if (state === 2 || state === 3 || state === 'closing' || state === 'closed') throw new CharacterRequestError('connection_closed', 'The connection is closed.')
      socket.send(JSON.stringify(event))
    },
    subscribe (onEvent, onClose) {
      const onMessage = ({ data }: { data: unknown }) => {
        const event = parse(data)
        if (event !== null) onEvent(event)
      }
      socket.addEventListener('message', onMessage)
      socket.addEventListener('close', onClose)
      return () => {
        socket.removeEventListener('message', onMessage)
        socket.removeEventListener('close', onClose)
      }
    }
  }
}

function overOpenAi (realtime: OpenAiLike): EventConnection {
  const ignore = () => {}
  return {
    send: event => { realtime.send(event) },
    subscribe (onEvent, onClose) {
      realtime.on('event', onEvent)
      // Without any listener the package turns the server's `error` into a rejection that nobody awaits.
      realtime.on('error', ignore)
      realtime.socket?.addEventListener?.('close', onClose)
      return () => {
        realtime.off('event', onEvent)
        realtime.off('error', ignore)
        realtime.socket?.removeEventListener?.('close', onClose)
      }
    }
  }
}

function overTransport (transport: TransportLike, session?: AgentsSessionLike): EventConnection {
  const ignore = () => {}
  return {
    send: event => { transport.sendEvent(event) },
    subscribe (onEvent, onClose) {
      const onChange = (status: unknown) => { if (status === 'disconnected') onClose() }
      transport.on('*', onEvent)
      transport.on('connection_change', onChange)
      // Without any listener an `error` of the server ends a Node process.
      for (const emitter of [transport, session]) emitter?.on('error', ignore)
      return () => {
        transport.off('*', onEvent)
        transport.off('connection_change', onChange)
        for (const emitter of [transport, session]) emitter?.off('error', ignore)
      }
    }
  }
}

function parse (data: unknown): Event | null {
  if (typeof data !== 'string') return null
  try {
    const event: unknown = JSON.parse(data)
    return typeof event === 'object' && event !== null && 'type' in event ? event as Event : null
  } catch {
    return null
  }
}

import type { ClientEvent, ServerEvent } from '../../../lib/realtime/events/typed.js'

export type { ClientEvent, ServerEvent }

export interface SocketOptions {
  /** Where the server's paths begin. */
  base: string
  key: string
  character: string | null
  /** The directory that it is from. */
  cast: string
  onEvent: (event: ServerEvent) => void
  onSent: (event: ClientEvent) => void
  /** The connection is gone, or was never made. */
  onClose: (how: { opened: boolean, code: number, reason: string }) => void
}

/** One connection to the server. */
export class Socket {
  readonly #socket: WebSocket
  readonly #onSent: (event: ClientEvent) => void

  constructor ({ base, key, character, cast, onEvent, onSent, onClose }: SocketOptions) {
    const url = new URL('v1/realtime', base)
    url.protocol = url.protocol.replace('http', 'ws')
    url.searchParams.set('model', 'playground')
    if (character !== null) url.searchParams.set('character', character)
    if (cast !== 'default') url.searchParams.set('characters', cast)
    this.#onSent = onSent
    this.#socket = new WebSocket(url, ['realtime', ...key === '' ? [] : [`openai-insecure-api-key.${key}`]])
    let opened = false
    this.#socket.onopen = () => { opened = true }
    this.#socket.onmessage = ({ data }) => onEvent(JSON.parse(data))
    this.#socket.onclose = ({ code, reason }) => onClose({ opened, code, reason })
  }

  /** For `dramatis/client`. */
  get raw (): WebSocket {
    return this.#socket
  }

  get open (): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  send (event: ClientEvent): void {
    if (!this.open) return
    this.#socket.send(JSON.stringify(event))
    this.#onSent(event)
  }

  close (): void {
    this.#socket.onclose = null
    this.#socket.onmessage = null
    this.#socket.close(1000)
  }
}

/** Why there is no connection, in words, and what helps: a key, time, the cast that there is now, or nothing that the page could do. */
export interface Diagnosis { message: string, remedy: 'key' | 'time' | 'cast' | 'none' }

const AGAIN = 'The page tries again by itself.'

interface Ready { status?: string, overloaded?: boolean }
interface Nodes { data: { sessions: number, limit: number }[] }

/** A browser does not tell why a connection was refused, so the server is asked in other ways. */
export async function diagnose (base: string, key: string): Promise<Diagnosis> {
  const ask = async (path: string) => await fetch(new URL(path, base), { headers: key === '' ? {} : { authorization: `Bearer ${key}` } }).catch(() => null)
  const ready = await ask('health/ready')
  if (ready === null) return { message: `The server cannot be reached. Is it running? ${AGAIN}`, remedy: 'time' }
  const { status, overloaded } = await ready.json().catch(() => ({})) as Ready
  if (status === 'draining') return { message: `The server is shutting down and takes nobody in any more. ${AGAIN}`, remedy: 'time' }
  const nodes = await ask('v1/nodes')
  if (nodes?.status === 401) return { message: key === '' ? 'This server wants an API key: enter one in the settings.' : 'The server refuses this API key. Check it in the settings.', remedy: 'key' }
  if (nodes?.status === 403) return { message: 'The server does not let pages of this address in: its operator must add it to ALLOWED_ORIGINS.', remedy: 'none' }
  if (overloaded === true) return { message: `The server has more to do than it can, and takes nobody in for the moment. ${AGAIN}`, remedy: 'time' }
  const { data } = await nodes?.json().catch(() => null) as Nodes | null ?? { data: [] }
  if (data.length > 0 && data.every(({ sessions, limit }) => limit > 0 && sessions >= limit)) return { message: `All places on the server are taken. ${AGAIN}`, remedy: 'time' }
  return { message: `The server refused the connection. ${AGAIN}`, remedy: 'cast' }
}

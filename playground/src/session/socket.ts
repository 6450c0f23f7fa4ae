import type { ClientEvent, ServerEvent } from '../../../lib/realtime/events/typed.js'

export type { ClientEvent, ServerEvent }

export interface SocketOptions {
  /** Where the server's paths begin. */
  base: string
  key: string
  character: string | null
  onEvent: (event: ServerEvent) => void
  onSent: (event: ClientEvent) => void
  /** The connection is gone, or was never made. */
  onClose: (how: { opened: boolean, code: number, reason: string }) => void
}

/** One connection to the server. */
export class Socket {
  readonly #socket: WebSocket
  readonly #onSent: (event: ClientEvent) => void

  constructor ({ base, key, character, onEvent, onSent, onClose }: SocketOptions) {
    const url = new URL('v1/realtime', base)
    url.protocol = url.protocol.replace('http', 'ws')
    url.searchParams.set('model', 'playground')
    if (character !== null) url.searchParams.set('character', character)
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

/** Why no connection could be made: a browser does not tell, so the server is asked in other ways. */
export async function diagnose (base: string, key: string): Promise<string> {
  const ask = async (path: string) => await fetch(new URL(path, base), { headers: key === '' ? {} : { authorization: `Bearer ${key}` } }).catch(() => null)
  const ready = await ask('health/ready')
  if (ready === null) return 'The server cannot be reached. Is it running? The page tries again by itself.'
  const health = await ready.json().catch(() => ({})) as { status?: string }
  if (health.status === 'draining') return 'The server is shutting down and takes nobody in any more.'
  const sessions = await ask('v1/sessions?limit=1')
  if (sessions?.status === 401) return key === '' ? 'This server wants an API key: enter one in the settings.' : 'The server refuses this API key. Check it in the settings.'
  if (sessions?.status === 403) return 'The server does not let pages of this address in: its operator must add it to ALLOWED_ORIGINS.'
  return 'The server refused the connection: it may have as many sessions as it takes. Try again in a while.'
}

import { WebSocket } from 'ws'
import { Failure, show } from './check.js'
import type { Frame, Judge } from './ledger.js'

export interface Target {
  /** Of the socket, without a query. */
  readonly url: string
  readonly key: string | null
  readonly model: string
  /** How long to wait for any one thing. */
  readonly timeoutMs: number
}

export interface ConnectOptions {
  /** Instead of the model. */
  query?: Record<string, string>
  protocols?: string[]
  headers?: Record<string, string>
  /** Instead of the target's key, in the header. */
  key?: string | null
}

/** The server did not let us in. */
export class Refused extends Error {
  /** Of the HTTP answer, or null if there was none. */
  readonly status: number | null

  constructor (status: number | null, message: string) {
    super(message)
    this.status = status
  }
}

/** A plain client: sends events, keeps what comes, and waits for it with patience that ends. */
export class Client {
  readonly frames: Frame[] = []
  readonly socket: WebSocket
  /** Code and reason, once the socket is closed. */
  closed: { code: number, reason: string } | null = null
  readonly #timeoutMs: number
  #read = 0
  #count = 0
  #wake: (() => void) | null = null

  private constructor (socket: WebSocket, judge: Judge, timeoutMs: number) {
    this.socket = socket
    this.#timeoutMs = timeoutMs
    const ids = new Set<string>()
    socket.on('message', (data, isBinary) => {
      const frame = judge.take(data as Buffer, isBinary, ids)
      if (frame !== null) this.frames.push(frame)
      this.#wake?.()
    })
    socket.on('error', () => {})
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#wake?.()
    })
  }

  static connect (target: Target, judge: Judge, options: ConnectOptions = {}): Promise<Client> {
    const { query = { model: target.model }, protocols = [], key = target.key } = options
    const headers = { ...key === null ? {} : { authorization: `Bearer ${key}` }, ...options.headers }
    const url = `${target.url}?${new URLSearchParams(query)}`
    const socket = new WebSocket(url, protocols, { headers, handshakeTimeout: target.timeoutMs })
    const client = new Client(socket, judge, target.timeoutMs)
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client))
      socket.once('error', error => reject(new Refused(null, error.message)))
      socket.once('unexpected-response', (request, response) => {
        reject(new Refused(response.statusCode ?? null, `HTTP ${response.statusCode}`))
        request.destroy()
      })
    })
  }

  /** Sends an event with an `event_id` of its own, which is returned. */
  send (event: { type: string } & Record<string, unknown>): string {
    const id = (event.event_id as string | undefined) ?? `check_${++this.#count}`
    this.socket.send(JSON.stringify({ event_id: id, ...event }))
    return id
  }

  /** Sends audio in events of 100 ms, as fast as it goes. */
  append (pcm: Buffer): void {
    for (let at = 0; at < pcm.length; at += 4800) this.send({ type: 'input_audio_buffer.append', audio: pcm.subarray(at, at + 4800).toString('base64') })
  }

  /** The next frame, whatever it is. */
  async take (wanted: string, timeoutMs = this.#timeoutMs): Promise<Frame> {
    const deadline = performance.now() + timeoutMs
    while (this.#read === this.frames.length) {
      if (this.closed !== null) throw new Failure(wanted, `the socket closed with ${this.closed.code} ${this.closed.reason}`.trimEnd())
      const left = deadline - performance.now()
      if (left <= 0) throw new Failure(wanted, `nothing in ${Math.round(timeoutMs / 100) / 10} s${this.#lately()}`)
      await this.#change(left)
    }
    return this.frames[this.#read++]!
  }

  /** The next frame of a type; others are passed over, but an error is a failure. */
  next (type: string, where: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.nextOf([type], where)
  }

  /** The next frame of any of these types. */
  async nextOf (types: string[], where: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const wanted = types.join(' or ')
    const deadline = performance.now() + this.#timeoutMs
    for (;;) {
      const frame = await this.take(wanted, Math.max(1, deadline - performance.now()))
      if (types.includes(frame.type) && where(frame)) return frame
      if (frame.type === 'error') throw new Failure(wanted, `error ${show(frame.error)}`, frame)
    }
  }

  /** The next frames, which must be of these types and in this order. Only allowances may come between. */
  async sequence (...types: string[]): Promise<Frame[]> {
    const frames: Frame[] = []
    for (const type of types) {
      let frame = await this.take(type)
      while (frame.type === 'rate_limits.updated' && type !== frame.type) frame = await this.take(type)
      if (frame.type !== type) throw new Failure(type, frame.type === 'error' ? `error ${show(frame.error)}` : frame.type, frame)
      frames.push(frame)
    }
    return frames
  }

  /** The first such frame of those that were read already. */
  past (where: (frame: Frame) => boolean): Frame | undefined {
    return this.frames.slice(0, this.#read).find(where)
  }

  /** Everything up to the answer of an update that changes nothing: what came before it, after the last frame read. */
  async settle (type = 'realtime'): Promise<Frame[]> {
    const from = this.#read
    this.send({ type: 'session.update', session: { type } })
    await this.next('session.updated')
    return this.frames.slice(from, this.#read - 1).filter(frame => frame.type !== 'rate_limits.updated')
  }

  /** Waits for the socket to close. */
  async gone (): Promise<{ code: number, reason: string }> {
    const deadline = performance.now() + this.#timeoutMs
    while (this.closed === null) {
      const left = deadline - performance.now()
      if (left <= 0) throw new Failure('the socket to close', 'an open socket')
      await this.#change(left)
    }
    return this.closed
  }

  end (): void {
    this.socket.terminate()
  }

  #lately (): string {
    const types = this.frames.slice(-4).map(frame => frame.type)
    return types.length === 0 ? '' : ` after ${types.join(', ')}`
  }

  #change (timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

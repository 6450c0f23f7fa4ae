import type { Dialect } from './dialects/dialect.js'
import type { Outgoing } from './events/server.js'
import { createId } from './ids.js'

/** What a session needs of its WebSocket; `ws` has it. */
export interface SessionSocket {
  readonly readyState: number
  readonly OPEN: number
  /** Bytes that the client has not yet taken. */
  readonly bufferedAmount: number
  send (frame: string | Buffer, options: { binary: boolean }): void
  close (code: number, reason: string): void
}

/** The connection below a WebSocket: several frames in one system call. */
export interface Corkable { cork? (): void, uncork? (): void }

export interface AudioDelta {
  response_id: string
  item_id: string
  output_index: number
  content_index: number
}

/** The way out of a session: every server event goes through here and gets its `event_id`. */
export class Outbox {
  readonly #socket: SessionSocket
  readonly #connection: Corkable
  readonly #onSent: (bytes: number) => void
  readonly #dialect: Dialect | null
  readonly #audioDelta: string
  #corked = false

  /** @param dialect what the client speaks, if it is not GA */
  constructor (socket: SessionSocket, connection: Corkable, onSent: (bytes: number) => void, dialect: Dialect | null = null) {
    this.#socket = socket
    this.#connection = connection
    this.#onSent = onSent
    this.#dialect = dialect
    this.#audioDelta = dialect?.audioDelta ?? 'response.output_audio.delta'
  }

  send (event: Outgoing): void {
    if (this.#dialect === null) this.#sendAs(event)
    else this.#dialect.say(event, spoken => this.#sendAs(spoken))
  }

  /**
   * `response.output_audio.delta`, written by hand: of all frames it is the most frequent and the
   * largest, and its ids and base64 never need escaping.
   */
  sendAudio (of: AudioDelta, audio: Buffer): void {
    this.#write(Buffer.from(`{"type":"${this.#audioDelta}","event_id":"${createId('event')}","response_id":"${of.response_id}"` +
      `,"item_id":"${of.item_id}","output_index":${of.output_index},"content_index":${of.content_index}` +
      `,"delta":"${audio.toString('base64')}"}`, 'latin1'))
  }

  /** Bytes that the client has not yet taken. */
  get waiting (): number {
    return this.#socket.bufferedAmount
  }

  #sendAs (event: { type: string }): void {
    const { type, ...fields } = event
    this.#write(JSON.stringify({ type, event_id: createId('event'), ...fields }))
  }

  #write (frame: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#cork()
    this.#onSent(frame.length)
    this.#socket.send(frame, { binary: false })
  }

  /** Events that answer one thing leave together: seven times less work than one write each. */
  #cork (): void {
    if (this.#corked || this.#connection.cork === undefined) return
    this.#corked = true
    this.#connection.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#connection.uncork?.()
    })
  }
}

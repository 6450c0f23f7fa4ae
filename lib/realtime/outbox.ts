import type { Dialect } from './dialects/dialect.js'
import type { Outgoing } from './events/server.js'
import { createId } from './ids.js'

/** Bytes waiting for the client at which what makes more of them waits too: eight seconds of audio. */
const PAUSE_BYTES = 512 * 1024
/** Of an event's number in its id, to the base of 36. */
const ID_DIGITS = 8

/** What a session needs of its WebSocket; `ws` has it. */
export interface SessionSocket {
  readonly readyState: number
  readonly OPEN: number
  /** Bytes that the client has not yet taken. */
  readonly bufferedAmount: number
  close (code: number, reason: string): void
  /** Stops and goes on reading what the client sends. */
  pause (): void
  resume (): void
}

/** The connection below a WebSocket; tells when all it held has left. */
export interface Connection {
  write (data: string, encoding: 'latin1'): unknown
  on (event: 'drain', listener: () => void): unknown
  off (event: 'drain', listener: () => void): unknown
}

export interface OutboxHooks {
  sent (bytes: number): void
  /** More waits for the client than may: nothing is sent from now on. */
  overflowed (): void
}

/** Of all events the most frequent: an outbox writes them by hand. */
export type Delta = 'response.output_text.delta' | 'response.output_audio_transcript.delta' | 'response.output_audio.delta'

/** The part of an item that deltas belong to. */
export interface PartAddress {
  response_id: string
  item_id: string
  output_index: number
  content_index: number
}

/**
 * The way out of a session: every server event goes through here and gets its `event_id`. Events that answer
 * one thing leave together, in one write of text frames made here: a tenth less work for a text turn than
 * frames of the library's, and seven times less than a write for each.
 */
export class Outbox {
  readonly #socket: SessionSocket
  readonly #connection: Connection
  readonly #hooks: OutboxHooks
  readonly #maxBytes: number
  readonly #dialect: Dialect | null
  /** What its events' ids begin with; their number follows. Every event needs one, and random letters for each took 4 % of a text turn. */
  readonly #idStart = createId('event').slice(0, -ID_DIGITS)
  #count = 0
  /** Frames that leave together, a character for each byte. */
  #burst = ''
  /** Length of the last frame that went when there was room: it alone may be longer than the bound. */
  #last = 0
  #overflowed = false

  /**
   * @param maxBytes that may wait for the client
   * @param dialect what the client speaks, if it is not GA
   */
  constructor (socket: SessionSocket, connection: Connection, hooks: OutboxHooks, maxBytes: number, dialect: Dialect | null = null) {
    this.#socket = socket
    this.#connection = connection
    this.#hooks = hooks
    this.#maxBytes = maxBytes
    this.#dialect = dialect
  }

  send (event: Outgoing): void {
    if (this.#dialect === null) this.#sendAs(event)
    else this.#dialect.say(event, spoken => this.#sendAs(spoken))
  }

  /** A piece of text. */
  sendText (type: Exclude<Delta, 'response.output_audio.delta'>, of: PartAddress, delta: string): void {
    this.#write(`${this.#openDelta(type, of)}${JSON.stringify(delta)}}`)
  }

  /** A piece of sound, in the largest of all frames. Base64 never needs escaping, and is one byte a character. */
  sendAudio (of: PartAddress, audio: Buffer): void {
    this.#write(`${this.#openDelta('response.output_audio.delta', of)}"${audio.toString('base64')}"}`)
  }

  #nextId (): string {
    return this.#idStart + (this.#count++).toString(36).padStart(ID_DIGITS, '0')
  }

  /** All of a delta but its value. Ids never need escaping: to write them takes a fifth of what `JSON.stringify` does. */
  #openDelta (type: Delta, of: PartAddress): string {
    return `{"type":"${this.#dialect?.nameOf(type) ?? type}","event_id":"${this.#nextId()}","response_id":"${of.response_id}"` +
      `,"item_id":"${of.item_id}","output_index":${of.output_index},"content_index":${of.content_index},"delta":`
  }

  /** Whether the client keeps up: while it does not, whoever makes more for it waits for {@link Outbox.room}. */
  get roomy (): boolean {
    return this.#waiting < PAUSE_BYTES
  }

  /** Resolves when the client has taken what waits for it. Rejects with the signal's reason. */
  room (signal: AbortSignal): Promise<void> {
    // What the system takes at once is no event of the connection.
    this.flush()
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      if (this.roomy) {
        resolve()
        return
      }
      const settle = (): void => {
        this.#connection.off('drain', settle)
        signal.removeEventListener('abort', settle)
        if (signal.aborted) reject(signal.reason)
        else resolve()
      }
      this.#connection.on('drain', settle)
      signal.addEventListener('abort', settle)
    })
  }

  #sendAs (event: { type: string }): void {
    const json = JSON.stringify(event)
    // Events begin with their type; the id goes behind it. To copy them with it takes longer than all the rest.
    const head = `{"type":"${event.type}"`
    if (!json.startsWith(head)) throw new TypeError(`An event of type ${event.type} must begin with it`)
    this.#write(`${head},"event_id":"${this.#nextId()}"${json.slice(head.length)}`)
  }

  /** Bytes that the client has not yet taken. */
  get #waiting (): number {
    return this.#socket.bufferedAmount + this.#burst.length
  }

  #write (json: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN || this.#overflowed) return
    const bytes = toBytes(json)
    const waiting = this.#waiting
    if (waiting <= this.#maxBytes) this.#last = bytes.length
    else if (waiting > this.#maxBytes + this.#last) {
      this.#overflowed = true
      // Not from here: whoever sends may be in the middle of something.
      process.nextTick(() => this.#hooks.overflowed())
      return
    }
    this.#hooks.sent(bytes.length)
    // They leave as soon as all that is ready has been done: a tick that begins in a microtask comes when no microtask is left.
    if (this.#burst === '') queueMicrotask(() => process.nextTick(this.flush))
    this.#burst += headOf(bytes.length) + bytes
  }

  /** What waits to leave with what follows leaves now. */
  readonly flush = (): void => {
    const burst = this.#burst
    this.#burst = ''
    if (burst !== '' && this.#socket.readyState === this.#socket.OPEN) this.#connection.write(burst, 'latin1')
  }
}

/** A text as its bytes in UTF-8, a character for each. */
function toBytes (text: string): string {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString('latin1')
}

/** Of a text frame of so many bytes, whole and from a server (RFC 6455 section 5.2). */
function headOf (length: number): string {
  if (length < 126) return String.fromCharCode(0x81, length)
  if (length < 0x10000) return String.fromCharCode(0x81, 126, length >>> 8, length & 0xff)
  return String.fromCharCode(0x81, 127, 0, 0, 0, 0, length >>> 24, length >>> 16 & 0xff, length >>> 8 & 0xff, length & 0xff)
}

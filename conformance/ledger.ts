import { elsewhere, events } from './reference/events.js'
import { show } from './check.js'

export type Frame = { type: string } & Record<string, any>

/** Reads frames as they come. */
export interface Judge {
  /**
   * @param ids of the session's events so far
   * @returns the event, or null if it is none
   */
  take (data: Buffer, isBinary: boolean, ids: Set<string>): Frame | null
}

/** What became of one kind of frame. */
export interface Account {
  name: string
  section: string
  /** Frames of this kind so far. */
  seen: number
  /** The first that was wrong. */
  fault: { expected: string, got: string, frame: unknown } | null
}

/** Judges every frame of the whole run by itself: an account for each event, and some for what holds of all. */
export class Ledger implements Judge {
  readonly #events = new Map<string, Account>(Object.keys(events).map(name => [name, { name, section: '6', seen: 0, fault: null }]))
  readonly #text: Account = { name: 'every frame is text with one JSON object that has a type', section: '2.1', seen: 0, fault: null }
  readonly #ids: Account = { name: 'no event_id comes twice in a session', section: '6', seen: 0, fault: null }
  readonly #known: Account = { name: 'no event but the documented ones of GA', section: '6', seen: 0, fault: null }

  get accounts (): { frames: Account[], events: Account[] } {
    return { frames: [this.#text, this.#ids, this.#known], events: [...this.#events.values()] }
  }

  take (data: Buffer, isBinary: boolean, ids: Set<string>): Frame | null {
    this.#text.seen++
    const frame = isBinary ? undefined : parse(data.toString())
    if (!isFrame(frame)) {
      this.#text.fault ??= { expected: 'a JSON object with a type', got: isBinary ? `a binary frame of ${data.length} bytes` : show(data.toString()), frame: null }
      return null
    }
    this.#judge(frame)
    this.#count(frame, ids)
    return frame
  }

  #judge (frame: Frame): void {
    this.#known.seen++
    const account = this.#events.get(frame.type)
    if (account === undefined) {
      const expected = elsewhere.has(frame.type) ? 'only events of GA over a WebSocket' : 'only documented events'
      this.#known.fault ??= { expected, got: frame.type, frame }
      return
    }
    account.seen++
    if (account.fault !== null) return
    const fault = events[frame.type]!(frame, '')
    if (fault !== null) account.fault = { expected: 'the documented shape', got: fault, frame }
  }

  #count (frame: Frame, ids: Set<string>): void {
    const { event_id: id } = frame
    if (typeof id !== 'string') return
    this.#ids.seen++
    if (ids.has(id)) this.#ids.fault ??= { expected: 'another id for each event', got: `${id} again`, frame }
    ids.add(id)
  }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isFrame (value: unknown): value is Frame {
  return typeof value === 'object' && value !== null && typeof (value as Frame).type === 'string'
}

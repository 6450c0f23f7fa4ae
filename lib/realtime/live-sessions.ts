import { setTimeout as sleep } from 'node:timers/promises'
import { RealtimeError } from '../errors.js'
import type { RealtimeSession } from './session.js'

/** How long the last bytes may take to reach a client at shutdown. Milliseconds. */
const GRACE_MS = 4000

/** A session as an operator sees it. */
export interface SessionSummary {
  id: string
  /** ISO 8601. */
  since: string
  /** Name of the API key it was opened with. */
  key: string | null
  directory: string
  version: string
  characters: string[]
  selected: string | null
  /** Id of the response under way in the conversation. */
  active_response: string | null
  /** `bytes_held`: what its conversation takes of the memory, sound included. */
  counters: { responses: number, items: number, bytes_in: number, bytes_out: number, bytes_held: number }
}

/** Who asks for a place. */
export interface Visitor {
  /** Where it comes from. */
  address: string
  /** The API key it comes with, and how many sessions that may have. */
  key: { name: string, limits: { sessions?: number | undefined } } | null
}

/** The sessions of one server: how many may be, which there are, and how they end when it stops. */
export class LiveSessions {
  readonly #limit: number
  readonly #addressLimit: number
  /** With the name of the key that each was opened with. */
  readonly #sessions = new Map<RealtimeSession, string | null>()
  /** Places taken by each key and each address. */
  readonly #byKey = new Map<string, number>()
  readonly #byAddress = new Map<string, number>()
  #places = 0
  #draining = false
  #emptied: (() => void) | null = null
  #drained: () => void = () => {}

  /**
   * @param limit sessions at a time
   * @param addressLimit the same of one address; 0 is any number
   */
  constructor (limit: number, addressLimit = 0) {
    this.#limit = limit
    this.#addressLimit = addressLimit
  }

  /** Sessions that may be at a time. */
  get limit (): number {
    return this.#limit
  }

  get size (): number {
    return this.#sessions.size
  }

  get draining (): boolean {
    return this.#draining
  }

  [Symbol.iterator] (): IterableIterator<RealtimeSession> {
    return this.#sessions.keys()
  }

  /** Takes a place before the upgrade; the returned function gives it back. Throws when there is none. */
  reserve ({ address, key }: Visitor): () => void {
    if (this.#draining) throw new RealtimeError('server_draining')
    if (this.#places >= this.#limit) throw new RealtimeError('session_limit_reached', { message: `The server has ${this.#limit} sessions, as many as it may.` })
    const most = key?.limits.sessions ?? Infinity
    if (key !== null && (this.#byKey.get(key.name) ?? 0) >= most) throw tooMany(`This key has ${most} sessions`)
    if (this.#addressLimit > 0 && (this.#byAddress.get(address) ?? 0) >= this.#addressLimit) throw tooMany(`Your address has ${this.#addressLimit} sessions`)
    this.#places++
    if (key !== null) count(this.#byKey, key.name, 1)
    count(this.#byAddress, address, 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#places--
      if (key !== null) count(this.#byKey, key.name, -1)
      count(this.#byAddress, address, -1)
    }
  }

  /** A session as it is now. */
  summary (session: RealtimeSession): SessionSummary {
    return summarize(session, this.#sessions.get(session) ?? null)
  }

  /** @param key name of the key it was opened with */
  add (session: RealtimeSession, key: string | null): void {
    this.#sessions.set(session, key)
  }

  /** Whom to tell that no more sessions are taken. */
  onDrain (drained: () => void): void {
    this.#drained = drained
  }

  /** Closes the sessions of a key that is no longer valid. */
  revoke (key: string): void {
    for (const [session, name] of this.#sessions) if (name === key) session.end(1008, 'key removed', false)
  }

  delete (session: RealtimeSession): void {
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) this.#emptied?.()
  }

  /**
   * Refuses new sessions, and closes those there are with 1001, each as soon as it has nothing left to say.
   *
   * @param seconds how long running responses may take
   * @param graceMs how long clients may then take to read what waits for them, and to answer the close
   */
  async drain (seconds: number, graceMs = GRACE_MS): Promise<void> {
    this.#draining = true
    this.#drained()
    const deadline = performance.now() + seconds * 1000
    while (this.#endQuiet() && performance.now() < deadline) await sleep(20)
    for (const session of this.#sessions.keys()) dismiss(session)
    if (this.#sessions.size === 0) return
    const emptied = new Promise<void>(resolve => { this.#emptied = resolve })
    const grace = new AbortController()
    await Promise.race([emptied, sleep(graceMs, undefined, { signal: grace.signal })])
    grace.abort()
  }

  /** Ends the sessions that are saying nothing; returns whether others are left. */
  #endQuiet (): boolean {
    let left = false
    for (const session of this.#sessions.keys()) {
      if (session.responses.busy) left = true
      else dismiss(session)
    }
    return left
  }
}

function dismiss (session: RealtimeSession): void {
  session.end(1001, 'server shutting down')
}

function count (places: Map<string, number>, name: string, by: 1 | -1): void {
  const taken = (places.get(name) ?? 0) + by
  if (taken === 0) places.delete(name)
  else places.set(name, taken)
}

/** The refusal of who has as many sessions as it may. */
export function tooMany (what: string): RealtimeError {
  return new RealtimeError('rate_limit_exceeded', { message: `${what}, as many as it may. Close one, or wait for one to end.` })
}

function summarize ({ id, registry, casting, responses, conversation, bytes }: RealtimeSession, key: string | null): SessionSummary {
  return {
    id,
    since: registry.session.startedAt.toISOString(),
    key,
    directory: registry.directory,
    version: registry.version,
    characters: registry.names(),
    selected: casting.character?.name ?? null,
    active_response: responses.activeId,
    counters: { responses: responses.created, items: conversation.entries.length, bytes_in: bytes.in, bytes_out: bytes.out, bytes_held: conversation.heldBytes }
  }
}

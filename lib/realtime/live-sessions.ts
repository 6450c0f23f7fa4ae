import { setTimeout as sleep } from 'node:timers/promises'
import { RealtimeError } from '../errors.js'
import type { RealtimeSession } from './session.js'

/** A session as an operator sees it. */
export interface SessionSummary {
  id: string
  /** ISO 8601. */
  since: string
  directory: string
  characters: string[]
  selected: string | null
  /** Id of the response under way in the conversation. */
  active_response: string | null
  counters: { responses: number, items: number, bytes_in: number, bytes_out: number }
}

/** The sessions of one server: how many may be, which there are, and how they end when it stops. */
export class LiveSessions {
  readonly #limit: number
  readonly #sessions = new Set<RealtimeSession>()
  #places = 0
  #draining = false
  #emptied: (() => void) | null = null

  /** @param limit sessions at a time */
  constructor (limit: number) {
    this.#limit = limit
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
    return this.#sessions.values()
  }

  /** Takes a place before the upgrade; the returned function gives it back. Throws when there is none. */
  reserve (): () => void {
    if (this.#draining) throw new RealtimeError('server_draining')
    if (this.#places >= this.#limit) throw new RealtimeError('session_limit_reached', { message: `The server has ${this.#limit} sessions, as many as it may.` })
    this.#places++
    let held = true
    return () => {
      if (held) this.#places--
      held = false
    }
  }

  /** Sessions in the order they were opened, after the one named. */
  page (limit: number, after?: string): { data: SessionSummary[], next: string | null } {
    const all = [...this.#sessions]
    const start = after === undefined ? 0 : all.findIndex(session => session.id === after) + 1
    const data = all.slice(start, start + limit).map(summarize)
    return { data, next: start + limit < all.length ? data.at(-1)!.id : null }
  }

  add (session: RealtimeSession): void {
    this.#sessions.add(session)
  }

  delete (session: RealtimeSession): void {
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) this.#emptied?.()
  }

  /**
   * Refuses new sessions, lets running responses finish, and closes all with 1001.
   *
   * @param seconds how long running responses may take
   * @param graceMs how long clients may take to answer the close; resolves then at the latest
   */
  async drain (seconds: number, graceMs = 1000): Promise<void> {
    this.#draining = true
    const deadline = performance.now() + seconds * 1000
    while (performance.now() < deadline && [...this.#sessions].some(session => session.responses.busy)) await sleep(20)
    if (this.#sessions.size === 0) return
    const emptied = new Promise<void>(resolve => { this.#emptied = resolve })
    for (const session of this.#sessions) session.end(1001, 'server shutting down')
    const grace = new AbortController()
    await Promise.race([emptied, sleep(graceMs, undefined, { signal: grace.signal })])
    grace.abort()
  }
}

function summarize ({ id, registry, casting, responses, conversation, bytes }: RealtimeSession): SessionSummary {
  return {
    id,
    since: registry.session.startedAt.toISOString(),
    directory: registry.directory,
    characters: registry.names(),
    selected: casting.character?.name ?? null,
    active_response: responses.activeId,
    counters: { responses: responses.created, items: conversation.entries.length, bytes_in: bytes.in, bytes_out: bytes.out }
  }
}

import { Rate } from '../access/rate.js'
import { MemoryValues } from './memory-values.js'
import {
  MESSAGE_BYTES, StoreError, writeTo, type DirectoryEntry, type Fields, type Held, type Holder, type LeaseState, type Message, type NodeEntry,
  type NodeState, type Opened, type Opening, type Page, type RateLimit, type Room, type Store, type Write, type Written
} from './store.js'

/** Rates that are remembered at a time, and the time after which any of them is full again. Milliseconds. */
const RATES = 10_000
const RATE_FULL_MS = 60_000

interface Node {
  state: NodeState
  beatAt: number
  /** By id, in the order they were opened. */
  sessions: Map<string, { order: number, openedAt: number }>
  /** Places that its sessions hold. */
  held: Map<string, number>
}

/** The store of one process, or of several that ask the one that has it. */
export class MemoryStore implements Store {
  readonly #now: () => number
  readonly #values: MemoryValues
  readonly #rates = new Map<string, { rate: Rate, usedAt: number }>()
  readonly #nodes = new Map<string, Node>()
  /** Places held over all nodes. */
  readonly #held = new Map<string, number>()
  readonly #listeners = new Set<{ node: string, onMessage: (message: Message) => void }>()
  #order = 0
  #ended = false

  /** @param now milliseconds, never going back */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
    this.#values = new MemoryValues(now)
  }

  async put (space: string, name: string, fields: Fields, ttlMs: number, room?: Room): Promise<'kept' | 'full'> {
    this.#check()
    return this.#values.put(space, name, fields, ttlMs, room)
  }

  async patch (space: string, name: string, change: { set?: Fields, remove?: string[] }, ttlMs: number): Promise<'kept' | 'gone' | 'full'> {
    this.#check()
    return this.#values.patch(space, name, change, ttlMs)
  }

  async get (space: string, name: string): Promise<Fields | null> {
    this.#check()
    return this.#values.get(space, name)
  }

  async take (space: string, name: string, holder?: string): Promise<Fields | null> {
    this.#check()
    const fields = this.#values.take(space, name)
    const node = holder === undefined ? undefined : fields?.[holder]
    if (node === undefined || this.#hearing(node).length > 0) return fields
    const { [holder!]: gone, ...rest } = fields!
    return rest
  }

  async delete (space: string, name: string): Promise<boolean> {
    this.#check()
    return this.#values.delete(space, name)
  }

  async count (rate: RateLimit): Promise<number> {
    this.#check()
    return this.#count(rate)
  }

  async join (state: NodeState, sessions: Held[]): Promise<void> {
    this.#check()
    this.#reap()
    this.#forget(state.node)
    const node: Node = { state, beatAt: this.#now(), sessions: new Map(), held: new Map() }
    this.#nodes.set(state.node, node)
    for (const { id, places } of sessions) this.#enter(node, id, places)
  }

  async beat (state: NodeState): Promise<LeaseState> {
    this.#check()
    this.#reap()
    const node = this.#nodes.get(state.node)
    if (node === undefined) return 'lost'
    if (node.state.instance !== state.instance) return 'taken'
    node.state = state
    node.beatAt = this.#now()
    return 'held'
  }

  async leave (holder: Holder): Promise<void> {
    this.#check()
    if (this.#of(holder) !== undefined) this.#forget(holder.node)
  }

  async nodes (limit: number, after = ''): Promise<Page<NodeEntry>> {
    this.#check()
    this.#reap()
    const rest = this.#names().filter(name => name > after)
    const data = rest.slice(0, limit).map((name): NodeEntry => {
      const { state, sessions, beatAt } = this.#nodes.get(name)!
      return { name, draining: state.draining, limit: state.limit, sessions: sessions.size, silentMs: Math.max(0, Math.round(this.#now() - beatAt)) }
    })
    return { data, next: rest.length > limit ? data.at(-1)!.name : null }
  }

  async openSession (holder: Holder, { id, places, rate }: Opening): Promise<Opened> {
    this.#check()
    this.#reap()
    const node = this.#of(holder)
    if (node === undefined) return { admitted: false, because: 'lease' }
    const seconds = rate === null ? 0 : this.#count(rate)
    if (seconds > 0) return { admitted: false, because: 'rate', seconds }
    for (const { name, most } of places) {
      if (most !== null && (this.#held.get(name) ?? 0) >= most) return { admitted: false, because: 'place', place: name, most }
    }
    this.#enter(node, id, places.map(({ name }) => name))
    return { admitted: true }
  }

  async closeSession (holder: Holder, { id, places }: Held, last?: Write): Promise<Written | null> {
    this.#check()
    const node = this.#of(holder)
    if (node?.sessions.delete(id) === true) {
      for (const name of places) {
        add(node.held, name, -1)
        add(this.#held, name, -1)
      }
    }
    return last === undefined ? null : await writeTo(this, last)
  }

  async sessions (limit: number, after?: string): Promise<Page<DirectoryEntry>> {
    this.#check()
    this.#reap()
    const [from = '', order = ''] = after?.split('~') ?? []
    const data: DirectoryEntry[] = []
    let last = ''
    for (const name of this.#names()) {
      if (name < from) continue
      for (const [id, session] of this.#nodes.get(name)!.sessions) {
        if (name === from && session.order <= Number(order)) continue
        if (data.length === limit) return { data, next: last }
        data.push({ id, node: name, ageMs: Math.round(this.#now() - session.openedAt) })
        last = `${name}~${session.order}`
      }
    }
    return { data, next: null }
  }

  async locate (id: string): Promise<string | null> {
    this.#check()
    this.#reap()
    for (const [name, { sessions }] of this.#nodes) if (sessions.has(id)) return name
    return null
  }

  async send (to: string | null, message: Message): Promise<number> {
    this.#check()
    const text = JSON.stringify(message)
    if (Buffer.byteLength(text) > MESSAGE_BYTES) return 0
    const hearing = this.#hearing(to)
    // Each gets a copy, later, as if it had come from elsewhere.
    for (const listener of hearing) {
      setImmediate(() => { if (this.#listeners.has(listener)) listener.onMessage(JSON.parse(text) as Message) })
    }
    return hearing.length
  }

  async listen (node: string, onMessage: (message: Message) => void): Promise<() => Promise<void>> {
    this.#check()
    const listener = { node, onMessage }
    this.#listeners.add(listener)
    return async () => { this.#listeners.delete(listener) }
  }

  async end (): Promise<void> {
    this.#ended = true
    this.#values.end()
    this.#listeners.clear()
    this.#nodes.clear()
    this.#held.clear()
    this.#rates.clear()
  }

  #check (): void {
    if (this.#ended) throw new StoreError('The store has ended.')
  }

  #names (): string[] {
    return [...this.#nodes.keys()].sort()
  }

  #hearing (to: string | null): { node: string, onMessage: (message: Message) => void }[] {
    return [...this.#listeners].filter(({ node }) => to === null || node === to)
  }

  #of ({ node, instance }: Holder): Node | undefined {
    const found = this.#nodes.get(node)
    return found?.state.instance === instance ? found : undefined
  }

  #enter (node: Node, id: string, places: string[]): void {
    node.sessions.set(id, { order: ++this.#order, openedAt: this.#now() })
    for (const name of places) {
      add(node.held, name, 1)
      add(this.#held, name, 1)
    }
  }

  /** Forgets the nodes whose lease has run out. */
  #reap (): void {
    const now = this.#now()
    for (const [name, { beatAt, state }] of this.#nodes) if (beatAt + state.leaseMs <= now) this.#forget(name)
  }

  #forget (name: string): void {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    this.#nodes.delete(name)
    for (const [place, count] of node.held) add(this.#held, place, -count)
  }

  #count ({ name, perMinute }: RateLimit): number {
    const now = this.#now()
    let known = this.#rates.get(name)
    if (known === undefined) {
      // Who was quiet for long enough is as good as new.
      if (this.#rates.size >= RATES) for (const [other, { usedAt }] of this.#rates) if (usedAt + RATE_FULL_MS <= now) this.#rates.delete(other)
      this.#rates.set(name, known = { rate: new Rate(perMinute, this.#now), usedAt: now })
    }
    known.usedAt = now
    return known.rate.take(perMinute)
  }
}

function add (counts: Map<string, number>, name: string, by: number): void {
  const count = (counts.get(name) ?? 0) + by
  if (count <= 0) counts.delete(name)
  else counts.set(name, count)
}

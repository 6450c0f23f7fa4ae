import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError, writeTo, type Fields, type Room, type Store, type Write, type Written } from '../../cluster/store.js'
import type { ConversationWatcher, Entry } from '../conversation.js'
import { holderField, itemField, itemJson, sessionField, type SavedSession } from './snapshot.js'

/** Where the records are in the store. */
export const SPACE = 'resume'
/** How long a record that is gone may have been taken until whoever took it has told. Milliseconds. */
const TELL_MS = 1000

export interface CheckpointsOptions {
  store: Store
  /** Of the session's record. */
  key: string
  /** The server that has the session. */
  node: string
  /** How much all records together may take, where that is bounded. */
  room: Room | undefined
  /** Milliseconds that a checkpoint holds while the session is connected: no less than it can still last. */
  connectedMs: number
  /** Milliseconds that the last one holds once it is not. */
  keptMs: number
  /** Bytes of items that are kept; over it the oldest are left out. */
  maxBytes: number
  /** A checkpoint is written, or could not be. */
  observe (outcome: 'written' | 'failed', error?: unknown): void
  /** The session has ended; resolves, and never rejects, when the last of it is written. */
  closing (written: Promise<void>): void
}

/** The session that is kept. */
export interface Kept {
  readonly conversation: { readonly entries: readonly Entry[] }
  /** What it is beside its conversation; the same object while nothing of that has changed. */
  save (): SavedSession
  /** It is taken up on another connection: this one ends. Resolves when the last of it is written. */
  leave (): Promise<void>
  /** It has ended: writes the last of it, null: nothing, and gives its place back, in one step where that can be. */
  end?: ((last: Write | null) => Promise<Written | null>) | undefined
}

interface Place { rank: number, bytes: number }

interface Change {
  set: Fields
  /** Names of fields. */
  remove: string[]
  /** Whether `set` is all there is. */
  whole: boolean
}

/**
 * Keeps the record of one session: one command when it begins, one for each item that is finished, and one at
 * its end. Whatever else changes rides with the next. What fails is made good by the next one, which writes all.
 */
export class Checkpoints implements ConversationWatcher {
  readonly #options: CheckpointsOptions
  readonly #session: Kept
  /** Items that belong in the record, in their order. */
  #places = new Map<string, Place>()
  #nextRank = 0
  #bytes = 0
  readonly #finished: WeakSet<Entry>
  readonly #changed = new Set<Entry>()
  /** Names of fields. */
  readonly #removed = new Set<string>()
  /** Whether the record has to be written as a whole. */
  #whole = true
  #saved: SavedSession | null = null
  #due = false
  #writing: Promise<void> | null = null
  #inFlight = false
  readonly #end = new AbortController()

  constructor (session: Kept, options: CheckpointsOptions) {
    this.#session = session
    this.#options = options
    this.#finished = new WeakSet(session.conversation.entries)
  }

  /** Writes the first one. */
  begin (): void {
    this.#save()
  }

  finished (entry: Entry): void {
    this.#finished.add(entry)
    this.changed(entry)
    this.#save()
  }

  changed (entry: Entry): void {
    if (this.#finished.has(entry)) this.#changed.add(entry)
  }

  removed (entry: Entry): void {
    this.#changed.delete(entry)
    this.#finished.delete(entry)
    if (this.#drop(entry.item.id)) this.#removed.add(itemField(entry.item.id))
  }

  /**
   * The session ends: what is unfinished stays as it is. Resolves, and never rejects, when its last checkpoint is
   * written, or its record deleted.
   *
   * @param keep whether it may be taken up again
   */
  async close (keep: boolean): Promise<void> {
    if (this.#over) return
    this.#end.abort()
    for (const entry of this.#session.conversation.entries) {
      if (this.#finished.has(entry)) continue
      this.#finished.add(entry)
      this.#changed.add(entry)
    }
    // What is on its way may not arrive.
    this.#whole ||= this.#inFlight
    const written = this.#writeLast(keep ? this.#collect() : null)
    this.#options.closing(written)
    await written
  }

  /** The record is another server's now: nothing more is written. */
  abandon (): void {
    if (this.#over) return
    this.#end.abort()
    this.#options.closing(this.#writeEnd(null).then(() => {}, error => this.#options.observe('failed', error)))
  }

  get #over (): boolean {
    return this.#end.signal.aborted
  }

  async #writeLast (last: Change | null): Promise<void> {
    const { key, keptMs, observe } = this.#options
    await this.#writing
    if (last === null) await this.#writeEnd({ space: SPACE, name: key, delete: true }).catch(error => observe('failed', error))
    // Nobody has it now.
    else await this.#write({ ...last, remove: [...last.remove, holderField] }, keptMs, async write => await this.#writeEnd(write))
  }

  async #writeEnd (last: Write | null): Promise<Written | null> {
    if (this.#session.end !== undefined) return await this.#session.end(last)
    return last === null ? null : await writeTo(this.#options.store, last)
  }

  /** Changes of the same tick, and those that come while one is being written, go together. */
  #save (): void {
    this.#due = true
    if (this.#over) return
    this.#writing ??= this.#run().finally(() => { this.#writing = null })
  }

  async #run (): Promise<void> {
    do {
      await null
      if (this.#over) return
      this.#due = false
      const written = await this.#write(this.#collect(), this.#options.connectedMs)
      if (written !== 'gone' || this.#over) continue
      // Either another server took it, and will say so, or the store has forgotten it, and needs all of it anew.
      await sleep(TELL_MS, undefined, { ref: false, signal: this.#end.signal }).catch(() => {})
      this.#whole = this.#due = true
    } while (this.#due && !this.#over)
  }

  async #write ({ set, remove, whole }: Change, ttlMs: number, send = async (write: Write): Promise<Written | null> => await writeTo(this.#options.store, write)): Promise<Written | null> {
    const { key, node, room, observe } = this.#options
    this.#inFlight = true
    try {
      const at = { space: SPACE, name: key, ttlMs }
      const written = await send(whole
        ? { ...at, put: remove.includes(holderField) ? set : { ...set, [holderField]: node }, room }
        : { ...at, patch: { set, remove } })
      if (written === 'full') throw new StoreError('There is no room to keep the session.')
      if (written === 'kept') observe('written')
      return written
    } catch (error) {
      this.#whole = true
      observe('failed', error)
      return null
    } finally {
      this.#inFlight = false
    }
  }

  #collect (): Change {
    const newcomers = this.#whole ? null : this.#newcomers()
    const whole = newcomers === null
    const set: Fields = {}
    if (whole) this.#placeAll(set)
    else for (const entry of new Set([...newcomers, ...this.#changed])) this.#place(entry, set)
    for (const id of this.#places.keys()) {
      if (this.#bytes <= this.#options.maxBytes) break
      this.#drop(id)
      const name = itemField(id)
      delete set[name]
      this.#removed.add(name)
    }
    const saved = this.#session.save()
    if (whole || saved !== this.#saved) set[sessionField] = JSON.stringify(saved)
    const remove = whole ? [] : [...this.#removed].filter(name => !(name in set))
    this.#saved = saved
    this.#whole = false
    this.#changed.clear()
    this.#removed.clear()
    return { set, remove, whole }
  }

  /** New items in their order. Null if one belongs between others that have a rank: then all need a new one. */
  #newcomers (): Entry[] | null {
    const { entries } = this.#session.conversation
    let missing = 0
    for (const { item: { id } } of this.#changed) if (!this.#places.has(id)) missing++
    const found: Entry[] = []
    for (let index = entries.length - 1; found.length < missing; index--) {
      const entry = entries[index]
      if (entry === undefined || this.#places.has(entry.item.id)) return null
      if (this.#changed.has(entry)) found.push(entry)
    }
    return found.reverse()
  }

  #placeAll (set: Fields): void {
    this.#places.clear()
    this.#nextRank = 0
    this.#bytes = 0
    for (const entry of this.#session.conversation.entries) if (this.#finished.has(entry)) this.#place(entry, set)
  }

  #place (entry: Entry, set: Fields): void {
    const { id } = entry.item
    const place = this.#places.get(id)
    const rank = place?.rank ?? this.#nextRank++
    const json = itemJson(entry, rank)
    this.#bytes += json.length - (place?.bytes ?? 0)
    this.#places.set(id, { rank, bytes: json.length })
    set[itemField(id)] = json
  }

  #drop (id: string): boolean {
    const place = this.#places.get(id)
    if (place === undefined) return false
    this.#bytes -= place.bytes
    return this.#places.delete(id)
  }
}

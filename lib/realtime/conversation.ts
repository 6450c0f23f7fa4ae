import { RealtimeError } from '../errors.js'
import type { Item } from './events/items.js'
import type { Recording } from './recording.js'

/** An item as the wire shows it, and what the session keeps beside it. */
export interface Entry {
  item: Item
  /** Audio of a spoken message, either side: of its first part that has any. */
  recording?: Recording
  /** While a spoken user message has no transcript: settles when it has; rejects, and stays, if transcription failed. */
  transcribed?: Promise<void>
  /** In the model's history but never on the wire: a tool call the server ran for a character. */
  hidden?: boolean
  /** Who alone knows it: a character by its name, or null, the session while no character is selected. Absent: everybody. */
  owner?: string | null
  /** Bytes that a client's item takes, about; nothing for what the server makes. */
  size?: number
}

export interface ConversationLimits {
  /** Of recordings to keep for `conversation.item.retrieve`; older ones are dropped. */
  audioBytes: number
  items: number
  /** Of what the client puts in. */
  bytes: number
}

/** Who keeps what is said. Told of an item once it is finished, and of what happens to it then. */
export interface ConversationWatcher {
  /** An item is as it will stay, unless the client changes it. */
  finished (entry: Entry): void
  changed (entry: Entry): void
  removed (entry: Entry): void
}

/** The items of one session in order. Sends nothing: its owner tells the client. */
export class Conversation {
  readonly #limits: ConversationLimits
  #entries: Entry[] = []
  readonly #ids = new Set<string>()
  #bytes = 0
  #watcher: ConversationWatcher | null = null

  /** @param entries that it begins with, of a session that is taken up again */
  constructor (limits: ConversationLimits, entries: readonly Entry[] = []) {
    this.#limits = limits
    for (const entry of entries) this.add(entry)
  }

  watch (watcher: ConversationWatcher): void {
    this.#watcher = watcher
  }

  /** Bytes of recordings that are kept. */
  get audioBytes (): number {
    return this.#limits.audioBytes
  }

  get full (): boolean {
    return this.#entries.length >= this.#limits.items
  }

  /** Throws `conversation_full` if there is no room for one more item, of so many bytes. */
  admit (size = 0): void {
    const { items, bytes } = this.#limits
    if (this.full) {
      throw new RealtimeError('conversation_full', { message: `The conversation has ${items} items, as many as it may: delete some.` })
    }
    if (this.#bytes + size > bytes) {
      throw new RealtimeError('conversation_full', { message: `The conversation holds ${this.#bytes} bytes of what you sent; with ${size} more it would be over ${bytes}. Delete items.` })
    }
  }

  get entries (): readonly Entry[] {
    return this.#entries
  }

  /** Id of the last item that the client knows, or null. */
  get lastId (): string | null {
    return this.#visibleBefore(this.#entries.length)
  }

  /**
   * Puts an item at the end, after the item named, or first (`root`).
   *
   * @returns the id of the item before it, or null
   */
  add (entry: Entry, after?: string | null): string | null {
    if (this.#ids.has(entry.item.id)) {
      throw new RealtimeError('invalid_value', { param: 'item.id', message: `An item with id '${entry.item.id}' already exists.` })
    }
    let index = this.#entries.length
    if (after === 'root') index = 0
    else if (after !== undefined && after !== null) {
      index = this.#indexOf(after) + 1
      if (index === 0) {
        throw new RealtimeError('item_create_invalid_item_id', {
          param: 'previous_item_id',
          message: `Error adding item: the previous item with id '${after}' does not exist.`
        })
      }
    }
    if (index === this.#entries.length) this.#entries.push(entry)
    else this.#entries.splice(index, 0, entry)
    this.#ids.add(entry.item.id)
    this.#bytes += entry.size ?? 0
    return this.#visibleBefore(index)
  }

  /** The entry of a visible item. */
  find (id: string): Entry | undefined {
    return this.#entries.find(entry => entry.item.id === id && !entry.hidden)
  }

  delete (id: string): boolean {
    const index = this.#indexOf(id)
    const entry = this.#entries[index]
    if (entry === undefined || entry.hidden) return false
    this.#bytes -= entry.size ?? 0
    this.#entries.splice(index, 1)
    this.#ids.delete(id)
    this.#watcher?.removed(entry)
    return true
  }

  /** An item is finished. */
  finish (entry: Entry): void {
    // Who deleted it while it was made does not want it kept.
    if (this.#watcher !== null && this.#ids.has(entry.item.id)) this.#watcher.finished(entry)
  }

  /** A finished item was changed. */
  change (entry: Entry): void {
    this.#watcher?.changed(entry)
  }

  previousOf (id: string): string | null {
    return this.#visibleBefore(Math.max(0, this.#indexOf(id)))
  }

  clear (): void {
    if (this.#watcher !== null) for (const entry of this.#entries) this.#watcher.removed(entry)
    this.#entries = []
    this.#ids.clear()
    this.#bytes = 0
  }

  /** Bytes of what the client sent and of all sound that is kept. */
  get heldBytes (): number {
    return this.#entries.reduce((sum, { recording }) => sum + (recording?.bytes ?? 0), this.#bytes)
  }

  /** Drops the samples of the oldest recordings over the bound. */
  trimAudio (): void {
    let bytes = 0
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const recording = this.#entries[index]!.recording
      if (recording === undefined) continue
      bytes += recording.bytes
      if (bytes > this.#limits.audioBytes) recording.drop()
    }
  }

  #indexOf (id: string): number {
    return this.#entries.findLastIndex(entry => entry.item.id === id)
  }

  #visibleBefore (index: number): string | null {
    for (let before = index - 1; before >= 0; before--) {
      const { item, hidden } = this.#entries[before]!
      if (!hidden) return item.id
    }
    return null
  }
}

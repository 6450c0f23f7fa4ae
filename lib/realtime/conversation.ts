import { RealtimeError } from '../errors.js'
import type { Item } from './events/items.js'
import type { Recording } from './recording.js'

/** An item as the wire shows it, and what the session keeps beside it. */
export interface Entry {
  item: Item
  /** Audio of a spoken message, either side: of its first part that has any. */
  recording?: Recording
  /** Settles when a spoken user message has its transcript; rejects if transcription failed. */
  transcribed?: Promise<void>
  /** In the model's history but never on the wire: a tool call the server ran for a character. */
  hidden?: boolean
}

/** The items of one session in order. Sends nothing: its owner tells the client. */
export class Conversation {
  readonly #audioBytes: number
  #entries: Entry[] = []
  readonly #ids = new Set<string>()

  /** @param audioBytes of recordings to keep for `conversation.item.retrieve`; older ones are dropped. */
  constructor (audioBytes: number) {
    this.#audioBytes = audioBytes
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
    return this.#visibleBefore(index)
  }

  /** The entry of a visible item. */
  find (id: string): Entry | undefined {
    return this.#entries.find(entry => entry.item.id === id && !entry.hidden)
  }

  delete (id: string): boolean {
    const index = this.#indexOf(id)
    if (index === -1 || this.#entries[index]!.hidden) return false
    this.#entries.splice(index, 1)
    this.#ids.delete(id)
    return true
  }

  previousOf (id: string): string | null {
    return this.#visibleBefore(Math.max(0, this.#indexOf(id)))
  }

  clear (): void {
    this.#entries = []
    this.#ids.clear()
  }

  /** Drops the samples of the oldest recordings over the bound. */
  trimAudio (): void {
    let bytes = 0
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const recording = this.#entries[index]!.recording
      if (recording === undefined) continue
      bytes += recording.bytes
      if (bytes > this.#audioBytes) recording.drop()
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

import { bytesOf, VALUE_BYTES, type Fields, type Room } from './store.js'

/** How often what has expired is looked for. Milliseconds. */
const SWEEP_MS = 5000

interface Kept {
  fields: Fields
  bytes: number
  expiresAt: number
  /** Counts in the room of its space. */
  inRoom: boolean
}

/** Values with an end, in the memory of this process. */
export class MemoryValues {
  readonly #now: () => number
  readonly #kept = new Map<string, Kept>()
  /** What is in each space that has a room. */
  readonly #used = new Map<string, Room>()
  #sweeper: NodeJS.Timeout | null = null

  /** @param now milliseconds, never going back */
  constructor (now: () => number) {
    this.#now = now
  }

  put (space: string, name: string, fields: Fields, ttlMs: number, room?: Room): 'kept' | 'full' {
    const bytes = bytesOf(fields)
    if (bytes > VALUE_BYTES) return 'full'
    const key = keyOf(space, name)
    const before = this.#kept.get(key)
    if (room !== undefined && !this.#fits(space, bytes, room, before)) {
      this.#sweep()
      if (!this.#fits(space, bytes, room, this.#kept.get(key))) return 'full'
    }
    this.#drop(key)
    this.#kept.set(key, { fields: { ...fields }, bytes, expiresAt: this.#now() + ttlMs, inRoom: room !== undefined })
    if (room !== undefined) this.#use(space, 1, bytes)
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
    return 'kept'
  }

  patch (space: string, name: string, { set = {}, remove = [] }: { set?: Fields, remove?: string[] }, ttlMs: number): 'kept' | 'gone' | 'full' {
    const value = this.#find(keyOf(space, name))
    if (value === undefined) return 'gone'
    let { bytes } = value
    // What is both set and removed is set.
    const changed = new Set([...remove, ...Object.keys(set)])
    for (const field of changed) {
      const text = value.fields[field]
      if (text !== undefined) bytes -= bytesOf({ [field]: text })
    }
    bytes += bytesOf(set)
    if (bytes > VALUE_BYTES) return 'full'
    for (const field of remove) delete value.fields[field]
    Object.assign(value.fields, set)
    if (value.inRoom) this.#use(space, 0, bytes - value.bytes)
    value.bytes = bytes
    value.expiresAt = this.#now() + ttlMs
    return 'kept'
  }

  get (space: string, name: string): Fields | null {
    const value = this.#find(keyOf(space, name))
    return value === undefined ? null : { ...value.fields }
  }

  take (space: string, name: string): Fields | null {
    const key = keyOf(space, name)
    const value = this.#find(key)
    this.#drop(key)
    return value?.fields ?? null
  }

  delete (space: string, name: string): boolean {
    return this.take(space, name) !== null
  }

  end (): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#kept.clear()
    this.#used.clear()
  }

  #find (key: string): Kept | undefined {
    const value = this.#kept.get(key)
    return value === undefined || value.expiresAt <= this.#now() ? undefined : value
  }

  #fits (space: string, bytes: number, room: Room, before: Kept | undefined): boolean {
    const used = this.#used.get(space) ?? { entries: 0, bytes: 0 }
    const freed = before?.inRoom === true ? { entries: 1, bytes: before.bytes } : { entries: 0, bytes: 0 }
    return used.entries - freed.entries < room.entries && used.bytes - freed.bytes + bytes <= room.bytes
  }

  #use (space: string, entries: number, bytes: number): void {
    const used = this.#used.get(space) ?? { entries: 0, bytes: 0 }
    this.#used.set(space, { entries: used.entries + entries, bytes: used.bytes + bytes })
  }

  #drop (key: string): void {
    const value = this.#kept.get(key)
    if (value === undefined) return
    this.#kept.delete(key)
    if (value.inRoom) this.#use(key.slice(0, key.indexOf(':')), -1, -value.bytes)
  }

  #sweep (): void {
    const now = this.#now()
    for (const [key, { expiresAt }] of this.#kept) if (expiresAt <= now) this.#drop(key)
    if (this.#kept.size > 0 || this.#sweeper === null) return
    clearInterval(this.#sweeper)
    this.#sweeper = null
  }
}

function keyOf (space: string, name: string): string {
  return `${space}:${name}`
}

/**
 * A card's lorebook: entries that come into the prompt when the conversation has their keywords. It is
 * compiled once for all sessions; what a session remembers of it is in {@link LoreMemory}.
 */
import type { Fields } from './fields.js'
import { KeyTable } from './key-table.js'
import { readLoreEntry, type LoreEntry } from './lore-entry.js'
import { cardLimits } from './problem.js'

/** Messages that are searched, unless the book says otherwise. */
const SCAN_DEPTH = 4
/** Tokens of entries in one prompt, unless the book says otherwise; estimated at four characters each. */
const TOKEN_BUDGET = 2048
/** Of one message: the end of it is searched. */
const SCANNED = 8192
/** How often entries that were found may bring in others. */
const ROUNDS = 5

/** Oldest first. */
export interface LoreMessage { readonly role: 'user' | 'assistant', readonly text: string, readonly key?: object }

/** What a session remembers: entries that were found before, and which keys a message has. */
export class LoreMemory {
  readonly matched = new Set<LoreEntry>()
  readonly hits = new WeakMap<object, { text: string, hits: Int32Array }>()
}

export interface LoreScan {
  messages: readonly LoreMessage[]
  memory: LoreMemory
  /** Number of the greeting in use. */
  greeting: number
  /** Runs what may take long, and throws if it does: patterns are the author's. */
  guard: (call: () => void) => void
}

interface LoreIndex {
  /** Entries that are always looked at, whatever is said. */
  readonly standing: readonly LoreEntry[]
  /** Those that a key may bring in. */
  readonly byKey: readonly (readonly LoreEntry[])[]
  /** Places in the prompt. */
  readonly order: ReadonlyMap<LoreEntry, number>
}

export class Lorebook {
  readonly entries: readonly LoreEntry[]
  readonly recursive: boolean
  readonly #budget: number
  readonly #keys: KeyTable
  readonly #contentHits = new Map<LoreEntry, Int32Array>()
  /** Made for the first message that is searched: in a large cast most never hear one. */
  #index: LoreIndex | undefined

  constructor (book: Fields) {
    this.#keys = new KeyTable()
    this.recursive = book.flag('recursive_scanning') ?? false
    this.#budget = Math.max(0, book.number('token_budget') ?? TOKEN_BUDGET)
    const scanDepth = book.number('scan_depth') ?? SCAN_DEPTH
    const entries: LoreEntry[] = []
    for (const fields of book.objects('entries', cardLimits.entries)) {
      const entry = readLoreEntry(fields, scanDepth, this.#keys)
      if (entry !== undefined) entries.push(entry)
    }
    this.entries = entries
    this.#keys.check(book)
  }

  /** The entries that belong into the prompt now, in the order of their insertion. */
  find (scan: LoreScan): LoreEntry[] {
    const { messages, memory } = scan
    const depths = new Map<number, number>()
    const deepest = this.#keys.deepest
    for (let depth = 0; depth < Math.min(deepest, messages.length); depth++) {
      for (const id of this.#hitsOf(messages[messages.length - 1 - depth]!, scan)) if (!depths.has(id)) depths.set(id, depth)
    }
    const found = new Set<LoreEntry>()
    const look = (entry: LoreEntry) => {
      if (!found.has(entry) && this.#belongs(entry, scan, depths)) found.add(entry)
    }
    const { standing, byKey } = this.#index ??= indexOf(this.entries)
    for (const entry of standing) look(entry)
    for (const id of [...depths.keys()]) byKey[id]?.forEach(look)
    if (this.recursive) this.#recurse(found, depths, look)
    for (const entry of found) memory.matched.add(entry)
    return this.#withinBudget([...found])
  }

  /** What entries say brings in others, from wherever in the conversation they are. */
  #recurse (found: Set<LoreEntry>, depths: Map<number, number>, look: (entry: LoreEntry) => void): void {
    let fresh = [...found]
    for (let round = 0; round < ROUNDS && fresh.length > 0; round++) {
      const before = new Set(found)
      const ids: number[] = []
      for (const entry of fresh) {
        for (const id of this.#hitsOfContent(entry)) {
          depths.set(id, 0)
          ids.push(id)
        }
      }
      for (const id of ids) this.#index!.byKey[id]?.forEach(look)
      fresh = [...found].filter(entry => !before.has(entry))
    }
  }

  #belongs (entry: LoreEntry, { messages, memory, greeting }: LoreScan, depths: Map<number, number>): boolean {
    const { needs, exclude, notAll, constant, decorations, scanDepth } = entry
    const { always, never, keep, once, after, every } = decorations
    if (always) return true
    if (never) return false
    if (once && memory.matched.has(entry)) return false
    if (keep && memory.matched.has(entry)) return true
    if (after !== undefined || every !== undefined) {
      const said = messages.reduce((count, { role }) => role === 'assistant' ? count + 1 : count, 0)
      if (after !== undefined && said < after) return false
      if (every !== undefined && said % every !== 0) return false
    }
    if (decorations.greeting !== undefined && decorations.greeting !== greeting) return false
    const has = (id: number) => (depths.get(id) ?? Infinity) < scanDepth
    if (exclude.some(has) || (notAll.length > 0 && notAll.every(has))) return false
    return (constant || entry.keys.some(has)) && needs.every(keys => keys.some(has))
  }

  /** What matters least goes first. */
  #withinBudget (found: LoreEntry[]): LoreEntry[] {
    const byOrder = (a: LoreEntry, b: LoreEntry) => this.#index!.order.get(a)! - this.#index!.order.get(b)!
    let left = this.#budget
    const kept = found.sort((a, b) => b.priority - a.priority || byOrder(b, a)).filter(({ text }) => {
      const tokens = Math.ceil(text.length / 4)
      if (tokens > left) return false
      left -= tokens
      return true
    })
    return kept.sort(byOrder)
  }

  #hitsOf ({ text, key }: LoreMessage, { memory, guard }: LoreScan): Int32Array {
    const known = key === undefined ? undefined : memory.hits.get(key)
    if (known?.text === text) return known.hits
    const hits = this.#keys.scan(text.length > SCANNED ? text.slice(-SCANNED) : text, guard)
    if (key !== undefined) memory.hits.set(key, { text, hits })
    return hits
  }

  #hitsOfContent (entry: LoreEntry): Int32Array {
    let hits = this.#contentHits.get(entry)
    if (hits === undefined) {
      const text = entry.text.replace(/\{\{\s*(?:\/\/|comment\s*:)[^{}]*\}\}/gi, '').slice(0, SCANNED)
      this.#contentHits.set(entry, hits = this.#keys.scan(text))
    }
    return hits
  }
}

function indexOf (entries: readonly LoreEntry[]): LoreIndex {
  const byKey: LoreEntry[][] = []
  for (const entry of entries) for (const id of entry.keys) (byKey[id] ??= []).push(entry)
  return {
    standing: entries.filter(({ constant, decorations }) => constant || decorations.always === true || decorations.keep === true),
    byKey,
    order: new Map([...entries].sort((a, b) => a.order - b.order).map((entry, index) => [entry, index]))
  }
}

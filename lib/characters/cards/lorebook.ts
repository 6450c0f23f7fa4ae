/**
 * A card's lorebook: entries that come into the prompt when the conversation has their keywords. It is
 * compiled once for all sessions; what a session remembers of it is in {@link LoreMemory}.
 */
import { readDecorators, type Decorations, type Position } from './decorators.js'
import type { Fields } from './fields.js'
import { KeyMatcher } from './key-matcher.js'
import { cardLimits, CardProblem } from './problem.js'

/** Messages that are searched, unless the book says otherwise. */
const SCAN_DEPTH = 4
const MAX_DEPTH = 200
/** Tokens of entries in one prompt, unless the book says otherwise; estimated at four characters each. */
const TOKEN_BUDGET = 2048
/** Of one message: the end of it is searched. */
const SCANNED = 8192
/** How often entries that were found may bring in others. */
const ROUNDS = 5
/** Letters of all keys of a book. */
const MAX_KEY_LETTERS = 100_000
const MAX_PATTERNS = 100

export interface LoreEntry {
  readonly text: string
  readonly order: number
  readonly priority: number
  readonly constant: boolean
  readonly position: Position
  readonly decorations: Decorations
  readonly scanDepth: number
  /** One of these must be in the conversation unless it is constant, one of each list of `needs`, and none of `exclude`. */
  readonly keys: readonly number[]
  readonly needs: readonly (readonly number[])[]
  readonly exclude: readonly number[]
}

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

/** Keys are told apart by how they are compared. */
type KeyKind = 'folded' | 'exact' | 'pattern'

export class Lorebook {
  readonly entries: readonly LoreEntry[]
  readonly recursive: boolean
  readonly #budget: number
  readonly #keys: KeyTable
  /** Entries without keys that are always looked at, and those that a key may bring in. */
  readonly #standing: LoreEntry[] = []
  readonly #byKey: LoreEntry[][] = []
  readonly #contentHits = new Map<LoreEntry, Int32Array>()
  readonly #order: Map<LoreEntry, number>

  constructor (book: Fields) {
    this.#keys = new KeyTable()
    this.recursive = book.flag('recursive_scanning') ?? false
    this.#budget = Math.max(0, book.number('token_budget') ?? TOKEN_BUDGET)
    const scanDepth = book.number('scan_depth') ?? SCAN_DEPTH
    this.entries = book.objects('entries', cardLimits.entries).flatMap(fields => this.#readEntry(fields, scanDepth) ?? [])
    this.#keys.compile(book)
    for (const entry of this.entries) {
      if (entry.constant || entry.decorations.always === true || entry.decorations.keep === true) this.#standing.push(entry)
      for (const id of entry.keys) (this.#byKey[id] ??= []).push(entry)
    }
    this.#order = new Map([...this.entries].sort((a, b) => a.order - b.order).map((entry, index) => [entry, index]))
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
    for (const entry of this.#standing) look(entry)
    for (const id of [...depths.keys()]) this.#byKey[id]?.forEach(look)
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
      for (const id of ids) this.#byKey[id]?.forEach(look)
      fresh = [...found].filter(entry => !before.has(entry))
    }
  }

  #belongs (entry: LoreEntry, { messages, memory, greeting }: LoreScan, depths: Map<number, number>): boolean {
    const { needs, exclude, constant, decorations, scanDepth } = entry
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
    if (exclude.some(has)) return false
    return (constant || entry.keys.some(has)) && needs.every(keys => keys.some(has))
  }

  /** What matters least goes first. */
  #withinBudget (found: LoreEntry[]): LoreEntry[] {
    const byOrder = (a: LoreEntry, b: LoreEntry) => this.#order.get(a)! - this.#order.get(b)!
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

  #readEntry (fields: Fields, bookDepth: number): LoreEntry | undefined {
    const content = fields.text('content')
    const enabled = fields.flag('enabled') ?? true
    const keys = readKeys(fields, 'keys')
    const secondary = readKeys(fields, 'secondary_keys')
    const { text, decorations } = readDecorators(content)
    const isRegex = fields.flag('use_regex') ?? false
    const order = fields.number('insertion_order') ?? 100
    const priority = fields.number('priority') ?? order
    const selective = fields.flag('selective') ?? false
    const constant = !isRegex && (fields.flag('constant') ?? false)
    const exact = fields.flag('case_sensitive') ?? false
    const given = fields.text('position')
    const whole = (fields.object('extensions') ?? {})['match_whole_words'] === true
    if (!enabled || text.trim() === '') return undefined

    const number = (key: string, kind: KeyKind = exact ? 'exact' : 'folded') => this.#keys.add(key, kind, whole)
    const needs: number[][] = []
    // Neither patterns nor what is constant has secondary keys, by the specification of V3.
    if (selective && secondary.length > 0 && !isRegex && !constant) needs.push(secondary.map(key => number(key)))
    for (const keys of decorations.additional ?? []) needs.push(keys.map(key => number(key, isRegex ? 'pattern' : undefined)))
    const scanDepth = Math.min(decorations.scanDepth ?? bookDepth, MAX_DEPTH)
    this.#keys.deepest = Math.max(this.#keys.deepest, scanDepth)
    return {
      text,
      order,
      priority,
      constant,
      position: decorations.position ?? (given === 'before_char' ? 'before_char' : 'after_char'),
      decorations,
      scanDepth,
      keys: keys.map(key => number(key, isRegex ? 'pattern' : undefined)),
      needs,
      exclude: isRegex ? [] : (decorations.exclude ?? []).map(key => number(key))
    }
  }
}

/** Keys are a list; some editors write them as text with commas. */
function readKeys (fields: Fields, name: string): string[] {
  const given = fields.isText(name) ? fields.text(name).split(',') : fields.texts(name)
  const keys = given.map(key => key.trim()).filter(key => key !== '')
  if (keys.length > cardLimits.keys) throw new CardProblem(`${fields.name([name])}: ${keys.length} keys, and may have ${cardLimits.keys}.`)
  return keys
}

/** All keys of a book, each once, and who finds them in a text. */
class KeyTable {
  /** Messages that are searched at most. */
  deepest = 0
  readonly #ids = new Map<string, number>()
  readonly #keys: { key: string, kind: KeyKind, whole: boolean }[] = []
  readonly #patterns: { id: number, pattern: RegExp }[] = []
  readonly #broken = new Set<number>()
  #folded = { ids: [] as number[], matcher: new KeyMatcher([]) }
  #exact = this.#folded
  #letters = 0

  /** The key's number; -1 for a pattern that is none. */
  add (key: string, kind: KeyKind, whole: boolean): number {
    if (kind === 'folded') key = key.toLowerCase()
    const name = `${kind} ${String(whole)} ${key}`
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = this.#keys.length
    if (kind === 'pattern') {
      const pattern = toPattern(key)
      if (pattern === undefined || this.#patterns.length >= MAX_PATTERNS) return -1
      this.#patterns.push({ id, pattern })
    }
    this.#keys.push({ key, kind, whole })
    this.#ids.set(name, id)
    this.#letters += key.length
    return id
  }

  compile (book: Fields): void {
    const long = this.#keys.find(({ key }) => key.length > cardLimits.keyLength)
    if (long !== undefined) throw new CardProblem(`${book.name(['entries'])}: a key is longer than ${cardLimits.keyLength} characters.`)
    if (this.#letters > MAX_KEY_LETTERS) throw new CardProblem(`${book.name(['entries'])}: all keys together are longer than ${MAX_KEY_LETTERS} characters.`)
    const matcherOf = (wanted: KeyKind) => {
      const ids = this.#keys.flatMap(({ kind }, id) => kind === wanted ? [id] : [])
      return { ids, matcher: new KeyMatcher(ids.map(id => this.#keys[id]!.key)) }
    }
    this.#folded = matcherOf('folded')
    this.#exact = matcherOf('exact')
  }

  /** @param guard if absent, patterns are not looked for */
  scan (text: string, guard?: (call: () => void) => void): Int32Array {
    const found = new Set<number>()
    const look = ({ ids, matcher }: { ids: number[], matcher: KeyMatcher }, text: string) => {
      if (ids.length === 0) return
      matcher.scan(text, (place, end) => {
        const id = ids[place]!
        if (found.has(id)) return
        const { key, whole } = this.#keys[id]!
        if (!whole || (!isLetter(text[end - key.length - 1]) && !isLetter(text[end]))) found.add(id)
      })
    }
    look(this.#folded, text.toLowerCase())
    look(this.#exact, text)
    if (guard !== undefined && this.#patterns.length > 0) this.#matchPatterns(text, found, guard)
    return Int32Array.from(found)
  }

  /** A pattern that takes too long is not tried again, in no session. */
  #matchPatterns (text: string, found: Set<number>, guard: (call: () => void) => void): void {
    let current = -1
    try {
      guard(() => {
        for (const { id, pattern } of this.#patterns) {
          if (this.#broken.has(current = id)) continue
          if (pattern.test(text)) found.add(id)
        }
      })
    } catch {
      this.#broken.add(current)
    }
  }
}

function isLetter (char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}_]/u.test(char)
}

/** `/pattern/flags`, or a pattern alone. Invalid ones match nothing. */
function toPattern (text: string): RegExp | undefined {
  const [, body, flags] = /^\/(.*)\/([a-z]*)$/s.exec(text) ?? [undefined, text, '']
  try {
    return new RegExp(body!, flags!.replace(/[gyd]/g, ''))
  } catch {
    return undefined
  }
}

/** The keywords of a lorebook. */
import type { Fields } from './fields.js'
import { KeyMatcher } from './key-matcher.js'
import { cardLimits, CardProblem } from './problem.js'

/** Letters of all keys of a book. */
const MAX_KEY_LETTERS = 100_000
const MAX_PATTERNS = 100

/** Keys are told apart by how they are compared. */
export type KeyKind = 'folded' | 'exact' | 'pattern'

/** Finds the keys with these numbers. */
interface Matcher { ids: readonly number[], matcher: KeyMatcher }

/** All keys of a book, each once, and who finds them in a text. */
export class KeyTable {
  /** Messages that are searched at most. */
  deepest = 0
  /** By how keys are compared. */
  readonly #ids = new Map<string, Map<string, number>>()
  readonly #keys: { key: string, kind: KeyKind, whole: boolean }[] = []
  readonly #patterns: { id: number, pattern: RegExp }[] = []
  readonly #broken = new Set<number>()
  /** Made for the first message that is searched: in a large cast most never hear one. */
  #matchers: { folded: Matcher, exact: Matcher } | undefined
  #letters = 0
  /** Of the first key that is longer than one may be. */
  #tooLong: KeyKind | undefined

  /** Numbers of the keys; -1 for a pattern that is none. */
  add (keys: readonly string[], kind: KeyKind, whole: boolean): number[] {
    const group = whole ? `${kind} word` : kind
    let ids = this.#ids.get(group)
    if (ids === undefined) this.#ids.set(group, ids = new Map())
    const numbers: number[] = []
    for (const given of keys) {
      const key = kind === 'folded' ? given.toLowerCase() : given
      let id = ids.get(key)
      if (id === undefined) {
        id = this.#append(key, kind, whole)
        if (id !== -1) ids.set(key, id)
      }
      numbers.push(id)
    }
    return numbers
  }

  #append (key: string, kind: KeyKind, whole: boolean): number {
    const id = this.#keys.length
    if (kind === 'pattern') {
      const pattern = toPattern(key)
      if (pattern === undefined) return -1
      this.#patterns.push({ id, pattern })
    }
    this.#keys.push({ key, kind, whole })
    this.#letters += key.length
    if (key.length > limitOf(kind)) this.#tooLong ??= kind
    return id
  }

  /** Throws a {@link CardProblem} for more than there may be. */
  check (book: Fields): void {
    const kind = this.#tooLong
    if (kind !== undefined) throw new CardProblem(`${book.name(['entries'])}: a ${kind === 'pattern' ? 'pattern' : 'key'} is longer than ${limitOf(kind)} characters.`)
    if (this.#patterns.length > MAX_PATTERNS) throw new CardProblem(`${book.name(['entries'])}: ${this.#patterns.length} patterns, and may have ${MAX_PATTERNS}.`)
    if (this.#letters > MAX_KEY_LETTERS) throw new CardProblem(`${book.name(['entries'])}: all keys together are longer than ${MAX_KEY_LETTERS} characters.`)
  }

  #matcherOf (wanted: KeyKind): Matcher {
    const ids = this.#keys.flatMap(({ kind }, id) => kind === wanted ? [id] : [])
    return { ids, matcher: new KeyMatcher(ids.map(id => this.#keys[id]!.key)) }
  }

  /** @param guard if absent, patterns are not looked for */
  scan (text: string, guard?: (call: () => void) => void): Int32Array {
    const found = new Set<number>()
    const look = ({ ids, matcher }: Matcher, text: string) => {
      if (ids.length === 0) return
      matcher.scan(text, (place, end) => {
        const id = ids[place]!
        if (found.has(id)) return
        const { key, whole } = this.#keys[id]!
        if (!whole || (!isLetter(text[end - key.length - 1]) && !isLetter(text[end]))) found.add(id)
      })
    }
    const { folded, exact } = this.#matchers ??= { folded: this.#matcherOf('folded'), exact: this.#matcherOf('exact') }
    look(folded, text.toLowerCase())
    look(exact, text)
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

function limitOf (kind: KeyKind): number {
  return kind === 'pattern' ? cardLimits.patternLength : cardLimits.keyLength
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

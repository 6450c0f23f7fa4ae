/** Fields of cards, read leniently where makers differ (absent, null) and strictly where nothing could be made of them. */
import { cardLimits, CardProblem } from './problem.js'

export type Json = Record<string, unknown>

export class Fields {
  readonly #value: Json
  readonly #path: readonly string[]

  constructor (value: Json, path: readonly string[] = []) {
    this.#value = value
    this.#path = path
  }

  /** Whether it says anything of this name. */
  has (key: string): boolean {
    const value = this.#value[key]
    return value !== undefined && value !== null
  }

  isText (key: string): boolean {
    return typeof this.#value[key] === 'string'
  }

  /** Empty if it is absent. */
  text (key: string): string {
    if (!this.has(key)) return ''
    return this.#checkText(this.#value[key], key)
  }

  /** What is no text to read, and may be as long as the card: empty if it is absent. */
  address (key: string): string {
    const value = this.#value[key]
    return typeof value === 'string' ? value : this.text(key)
  }

  texts (key: string): string[] {
    const values = this.list(key, cardLimits.list)
    for (let index = 0; index < values.length; index++) this.#checkText(values[index], key, index)
    return values as string[]
  }

  /** Text, or a list of texts as lines. */
  lines (key: string): string[] {
    if (!this.has(key)) return []
    return this.isText(key) ? [this.text(key)].filter(line => line !== '') : this.texts(key)
  }

  list (key: string, limit: number): unknown[] {
    if (!this.has(key)) return []
    const value = this.#value[key]
    if (!Array.isArray(value)) throw this.wrong([key], 'a list', value)
    if (value.length > limit) throw new CardProblem(`${this.name([key])}: ${value.length} items, and may have ${limit}.`, { path: [...this.#path, key] })
    return value
  }

  object (key: string): Json | undefined {
    if (!this.has(key)) return undefined
    return this.#checkObject(this.#value[key], [key])
  }

  objects (key: string, limit: number): Fields[] {
    return this.list(key, limit).map((value, index) => new Fields(this.#checkObject(value, [key, String(index)]), [...this.#path, key, String(index)]))
  }

  inside (key: string): Fields | undefined {
    const value = this.object(key)
    return value === undefined ? undefined : new Fields(value, [...this.#path, key])
  }

  /** Undefined if it is absent; text with a number in it counts, as some editors write it. */
  number (key: string): number | undefined {
    if (!this.has(key) || this.#value[key] === '') return undefined
    const value = this.#value[key]
    const number = typeof value === 'string' ? Number(value) : value
    if (typeof number !== 'number' || !Number.isFinite(number)) throw this.wrong([key], 'a number', value)
    return number
  }

  flag (key: string): boolean | undefined {
    if (!this.has(key)) return undefined
    const value = this.#value[key]
    if (typeof value !== 'boolean') throw this.wrong([key], 'true or false', value)
    return value
  }

  wrong (keys: readonly string[], expected: string, value: unknown): CardProblem {
    return new CardProblem(`${this.name(keys)}: expected ${expected}, got ${kind(value)}.`, { path: [...this.#path, ...keys] })
  }

  pathOf (key: string): string[] {
    return [...this.#path, key]
  }

  /** `data.tags[0]` */
  name (keys: readonly string[]): string {
    return [...this.#path, ...keys].reduce((name, key) => /^\d+$/.test(key) ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`, '')
  }

  /** Asked of every text of a card: names are put together only for those that are wrong. */
  #checkText (value: unknown, key: string, index?: number): string {
    if (typeof value === 'string' && value.length <= cardLimits.text && !value.includes('\0')) return value
    const keys = index === undefined ? [key] : [key, String(index)]
    if (typeof value !== 'string') throw this.wrong(keys, 'text', value)
    const fault = value.length > cardLimits.text ? `longer than ${cardLimits.text} characters` : 'has a NUL character'
    throw new CardProblem(`${this.name(keys)}: ${fault}.`, { path: [...this.#path, ...keys] })
  }

  #checkObject (value: unknown, keys: readonly string[]): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(keys, 'an object', value)
    return value as Json
  }
}

function kind (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'text' : `a ${typeof value}`
}

/** A map of bounded weight that forgets what was not asked for the longest. */
export class Lru<V> {
  readonly #entries = new Map<string, { value: V, weight: number }>()
  readonly #limit: number
  #weight = 0

  constructor (limit: number) {
    this.#limit = limit
  }

  get size (): number { return this.#entries.size }
  get weight (): number { return this.#weight }

  get (key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  set (key: string, value: V, weight: number): void {
    this.delete(key)
    this.#entries.set(key, { value, weight })
    this.#weight += weight
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#limit || oldest === key) break
      this.delete(oldest)
    }
  }

  delete (key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#weight -= entry.weight
  }

  clear (): void {
    this.#entries.clear()
    this.#weight = 0
  }
}

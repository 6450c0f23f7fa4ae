/** Tells the same thing once a minute, with how often it happened meanwhile: a loop of faults must not fill the disk. */
export class Flood {
  static readonly QUIET = 60_000
  static readonly MAX = 1_000
  readonly #told = new Map<string, { at: number, again: number }>()

  /** Whether to tell it now: how often it was not told since the last time; undefined if it is not to be told. */
  count (key: string): number | undefined {
    const now = Date.now()
    const last = this.#told.get(key)
    if (last !== undefined && now - last.at < Flood.QUIET) {
      last.again++
      return undefined
    }
    this.#told.delete(key)
    this.#told.set(key, { at: now, again: 0 })
    if (this.#told.size > Flood.MAX) this.#told.delete(this.#told.keys().next().value!)
    return last?.again ?? 0
  }
}

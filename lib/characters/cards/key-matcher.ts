/**
 * Finds thousands of keywords in a text in one pass over it (Aho and Corasick, 1975): time grows with the
 * text alone, whatever the keywords are. Nodes are numbers, and what they have stands in arrays.
 */
export class KeyMatcher {
  /** Children that are looked through one by one; a node with more gets a map. */
  static readonly #FEW = 8

  readonly #code: Uint16Array
  readonly #first: Int32Array
  readonly #sibling: Int32Array
  readonly #count: Int32Array
  readonly #many = new Map<number, Map<number, number>>()
  /** Where to go on when a letter does not follow: the longest suffix that begins a key. */
  readonly #fail: Int32Array
  /** The key that ends here, counted from 1, and the nearest suffix where another one does. */
  readonly #key: Int32Array
  readonly #shorter: Int32Array
  #size = 1

  /** @param keys different ones, by their place */
  constructor (keys: readonly string[]) {
    const size = keys.reduce((sum, key) => sum + key.length, 1)
    this.#code = new Uint16Array(size)
    const numbers = () => new Int32Array(size)
    this.#first = numbers()
    this.#sibling = numbers()
    this.#count = numbers()
    this.#fail = numbers()
    this.#key = numbers()
    this.#shorter = numbers()
    for (let id = 0; id < keys.length; id++) this.#add(keys[id]!, id)
    this.#link()
  }

  /** Calls back for each occurrence, with the key's number and where it ends. */
  scan (text: string, found: (id: number, end: number) => void): void {
    let node = 0
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      let to = this.#next(node, code)
      while (to === 0 && node !== 0) {
        node = this.#fail[node]!
        to = this.#next(node, code)
      }
      node = to
      for (let end = this.#key[node] === 0 ? this.#shorter[node]! : node; end !== 0; end = this.#shorter[end]!) found(this.#key[end]! - 1, at + 1)
    }
  }

  /** 0 if there is none: no letter leads back to the root. */
  #next (node: number, code: number): number {
    if (this.#count[node]! > KeyMatcher.#FEW) return this.#many.get(node)!.get(code) ?? 0
    let child = this.#first[node]!
    while (child !== 0 && this.#code[child] !== code) child = this.#sibling[child]!
    return child
  }

  #add (key: string, id: number): void {
    let node = 0
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at)
      node = this.#next(node, code) || this.#grow(node, code)
    }
    if (node !== 0) this.#key[node] = id + 1
  }

  #grow (node: number, code: number): number {
    const to = this.#size++
    this.#code[to] = code
    this.#sibling[to] = this.#first[node]!
    this.#first[node] = to
    const count = ++this.#count[node]!
    if (count === KeyMatcher.#FEW + 1) {
      const children = new Map<number, number>()
      for (let child = to; child !== 0; child = this.#sibling[child]!) children.set(this.#code[child]!, child)
      this.#many.set(node, children)
    } else if (count > KeyMatcher.#FEW) this.#many.get(node)!.set(code, to)
    return to
  }

  /** Breadth first, as each node needs those of shorter keys. */
  #link (): void {
    const queue = new Int32Array(this.#size)
    let length = 1
    for (let at = 0; at < length; at++) {
      const node = queue[at]!
      for (let child = this.#first[node]!; child !== 0; child = this.#sibling[child]!) {
        queue[length++] = child
        if (node === 0) continue
        const code = this.#code[child]!
        let back = this.#fail[node]!
        while (back !== 0 && this.#next(back, code) === 0) back = this.#fail[back]!
        const fail = this.#fail[child] = this.#next(back, code)
        this.#shorter[child] = this.#key[fail] === 0 ? this.#shorter[fail]! : fail
      }
    }
  }
}

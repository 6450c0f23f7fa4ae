/**
 * Which part of a text was said, told from the words that a server echoes: it leaves out punctuation and may join
 * words or split them, so letters are counted. What comes out, joined, is what went in.
 */
export class SaidWords {
  #rest = ''
  /** Letters of the text given out, and of the words echoed. */
  #given = 0
  #echoed = 0

  add (text: string): void {
    this.#rest += text
  }

  /** The text up to the end of a word that was echoed; may be empty. */
  take (word: string): string {
    this.#echoed += letters(word)
    let text = ''
    for (;;) {
      const next = /^\s*\S+\s*/.exec(this.#rest)?.[0]
      if (next === undefined || this.#given + letters(next) > this.#echoed) return text
      this.#given += letters(next)
      text += next
      this.#rest = this.#rest.slice(next.length)
    }
  }

  /** All that is left. */
  takeRest (): string {
    const text = this.#rest
    this.#rest = ''
    return text
  }
}

function letters (text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0
}

import type { SpeechChunk } from '../engines/engine.js'
import type { Speakable } from '../speech/speakable.js'

/** A piece of text as it was written, and as it is said. */
interface Piece { written: string, said: string }

/**
 * Puts what is written into words for a voice, and what the voice says back into what was written: the transcript is
 * the model's text, whatever was read aloud.
 */
export class SpokenClauses {
  readonly #speakable: Speakable
  readonly #pieces: Piece[] = []
  /** How much of the first piece was said, and told as written. Characters. */
  #said = 0
  #told = 0

  constructor (speakable: Speakable) {
    this.#speakable = speakable
  }

  /** The pieces as they are to be said; those with nothing to say are left out. */
  async * say (clauses: AsyncIterable<string>): AsyncIterable<string> {
    for await (const written of clauses) {
      const said = this.#speakable(written)
      this.#pieces.push({ written, said })
      if (said !== '') yield said
    }
  }

  /** What the voice says, with the text that was written; what nobody says comes with what is said after it. */
  async * tell (chunks: AsyncIterable<SpeechChunk>): AsyncIterable<SpeechChunk> {
    for await (const { text, audio } of chunks) yield { text: this.#advance(text), audio }
    const rest = this.#pieces.map(({ written }, i) => i === 0 ? written.slice(this.#told) : written).join('')
    if (rest !== '') yield { text: rest, audio: new Int16Array(0) }
  }

  #advance (text: string): string {
    let left = text.length
    let told = ''
    for (;;) {
      const piece = this.#pieces[0]
      // What has nothing to say goes with words, not with sound alone.
      if (piece === undefined || (left === 0 && (piece.said !== '' || text === ''))) return told
      const step = Math.min(left, piece.said.length - this.#said)
      left -= step
      this.#said += step
      if (this.#said < piece.said.length) {
        const end = Math.max(this.#told, writtenEnd(piece, this.#said))
        told += piece.written.slice(this.#told, end)
        this.#told = end
        return told
      }
      told += piece.written.slice(this.#told)
      this.#pieces.shift()
      this.#said = 0
      this.#told = 0
    }
  }
}

/** Up to where a piece is told when so much of it was said: exactly if nothing was changed, else in proportion, at a space. */
function writtenEnd ({ written, said }: Piece, position: number): number {
  if (written === said) return position
  return written.lastIndexOf(' ', Math.round(written.length * position / said.length)) + 1
}

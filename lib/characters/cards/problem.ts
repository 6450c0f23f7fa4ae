/** What is wrong with a card, worded for whoever made it. */
export class CardProblem extends Error {
  /** Keys from the card's JSON down to the field, if a field is at fault. */
  readonly path: readonly string[]
  /** Offset in the card's JSON, if that cannot be read. */
  readonly offset: number | null

  constructor (message: string, { path = [], offset = null }: { path?: readonly string[], offset?: number | null } = {}) {
    super(message)
    this.path = path
    this.offset = offset
  }
}

/** What a card may be at most. Beyond it a file is refused before it costs anything. */
export const cardLimits = Object.freeze({
  /** Bytes of a card's JSON, out of whatever container. */
  jsonBytes: 2 * 1024 * 1024,
  /** How deep its JSON may nest. */
  depth: 64,
  /** Characters of one text. */
  text: 256_000,
  /** Items of one list of texts. */
  list: 1000,
  /** Entries of a lorebook, keys of one entry, characters of a word and of a pattern. */
  entries: 2000,
  keys: 200,
  keyLength: 200,
  patternLength: 2000,
  /** Bytes of a PNG, which is not read but for its texts, and of a CHARX, of which only the card and the picture are. */
  fileBytes: 64 * 1024 * 1024,
  /** Chunks of a PNG, files in a CHARX. */
  parts: 16_384,
  /** Bytes of a picture that is shown. */
  pictureBytes: 16 * 1024 * 1024
})

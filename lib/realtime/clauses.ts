/** The first piece may be a clause, so that speech begins early; after it whole sentences sound better. */
const FIRST_CLAUSE = /^[^]{12,}?[,;:–—](?=\s)|^[^]*?[.!?…]+["'”’)\]]*(?=\s)|^[^]*?\n+/
const SENTENCE = /^[^]*?[.!?…]+["'”’)\]]*(?=\s)|^[^]*?\n+/
/** Full stops that end no sentence. */
const ABBREVIATION = /(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|approx|No)|\b[A-Z])\.$/
/** A sentence that never ends is cut at a space. */
const MAX_LENGTH = 300

/**
 * Cuts a stream of text into pieces to speak. Nothing is lost or changed: the pieces joined are the text.
 */
export async function * splitClauses (deltas: AsyncIterable<string>): AsyncIterable<string> {
  let text = ''
  let first = true
  for await (const delta of deltas) {
    text += delta
    for (let cut = nextCut(text, first); cut > 0; cut = nextCut(text, first)) {
      yield text.slice(0, cut)
      text = text.slice(cut)
      first = false
    }
  }
  if (text.trim() !== '') yield text
}

/** Where the first piece of a text ends, 0 if that cannot be told yet. */
function nextCut (text: string, first: boolean): number {
  const pattern = first ? FIRST_CLAUSE : SENTENCE
  let from = 0
  while (from < text.length) {
    const match = pattern.exec(text.slice(from))
    if (match === null) break
    const cut = from + match[0].length
    const piece = text.slice(0, cut)
    if (piece.trim() !== '' && !ABBREVIATION.test(piece)) return cut
    from = cut
  }
  return text.length > MAX_LENGTH ? text.lastIndexOf(' ', MAX_LENGTH) + 1 || MAX_LENGTH : 0
}

/** A place where a piece may end: after a sentence, a line, or, for the first piece, a clause. */
const BORDER = /[.!?…]+["'”’»)\]*_]*(?=\s)|[。！？]+["'”’」』）]*|[,;:–—](?=\s)|\n+/g
/** Full stops that end no sentence, whatever follows. */
const ABBREVIATION = /(?:\b(?:Mr|Mrs|Ms|Mx|Dr|Prof|Sr|Sra|Mme|Mlle|Hr|Fr|St|Mt|Capt|Lt|Gen|vs|cf|ca|approx|No|Nr|e\.g|i\.e|z\.\s?B|d\.\s?h|p\.\s?ex|bzw|usw)|(?:^|[\s(.])\p{Lu})\.$/u
/** The number of a list's line. */
const LIST_NUMBER = /(?:^|\n)\s*\d{1,3}\.$/
/** The first piece may be a clause of this length, so that speech begins early; after it whole sentences sound better. */
const FIRST_CLAUSE = 12
/** A sentence that never ends is cut at a space. */
const MAX_LENGTH = 300

/**
 * Cuts a stream of text into pieces to speak, each as soon as it is sure to end. Nothing is lost or changed: the
 * pieces joined are the text.
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
  for (const { 0: mark, index } of text.matchAll(BORDER)) {
    const cut = index + mark.length
    if (text.slice(0, cut).trim() === '') continue
    if (/^[,;:–—]/.test(mark)) {
      if (first && cut > FIRST_CLAUSE) return cut
      continue
    }
    if (/^[\n。！？]/.test(mark) || text[cut] === '\n') return cut
    const end = endsSentence(text, cut, mark)
    if (end === 'yes') return cut
    if (end === 'unknown') break
  }
  return text.length > MAX_LENGTH ? text.lastIndexOf(' ', MAX_LENGTH) + 1 || MAX_LENGTH : 0
}

/** Whether a full stop or the like ends its sentence: what follows tells, and may not be there yet. */
function endsSentence (text: string, cut: number, mark: string): 'yes' | 'no' | 'unknown' {
  const before = text.slice(0, cut)
  if (ABBREVIATION.test(before) || LIST_NUMBER.test(before)) return 'no'
  const next = /\S/.exec(text.slice(cut))?.[0]
  // A question rarely goes on, so it is not worth a wait.
  if (next === undefined) return /[!?]/.test(mark) ? 'yes' : 'unknown'
  return /\p{Ll}/u.test(next) ? 'no' : 'yes'
}

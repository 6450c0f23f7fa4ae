/** Characters after which a piece ends at the next clause, and at the next word. */
const CLAUSE = 80
const LONGEST = 200

/**
 * Cuts a long text into pieces that are rendered one by one, for a first sound after about a tenth
 * of a second and an abort that takes effect as soon. All joined are the text again.
 */
export function splitPieces (text: string): string[] {
  const pieces: string[] = []
  let rest = text
  while (rest.length > CLAUSE) {
    const end = clauseEnd(rest)
    if (end === undefined) break
    pieces.push(rest.slice(0, end))
    rest = rest.slice(end)
  }
  pieces.push(rest)
  return pieces
}

function clauseEnd (text: string): number | undefined {
  // Not too near to the start or the end: a piece of two words has no melody.
  for (const mark of text.matchAll(/[.!?;:,—–]['")\]’”]*\s+/g)) {
    const end = mark.index + mark[0].length
    if (end > LONGEST) break
    if (end >= CLAUSE / 2 && text.length - end >= CLAUSE / 4) return end
  }
  if (text.length <= LONGEST) return undefined
  const space = text.lastIndexOf(' ', LONGEST - 1)
  return space > 0 ? space + 1 : LONGEST
}

/** Milliseconds of pause after a text, by how it ends. */
export function pauseAfter (text: string): number {
  const end = text.trimEnd().replace(/['")\]’”]+$/, '')
  if (/[.!?…]$/.test(end)) return 280
  return /[,;:—–-]$/.test(end) ? 140 : 50
}

/** Whether there is anything to pronounce. */
export function hasWords (text: string): boolean {
  return /[\p{L}\p{N}$%&+@#]/u.test(text)
}

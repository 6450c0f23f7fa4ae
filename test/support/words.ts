/** The words of a text in lower case, without punctuation; a hyphen parts words. */
export function toWords (text: string): string[] {
  return text.toLowerCase().replace(/[-–—]/g, ' ').replace(/[^\p{L}\p{N}\s]/gu, '').split(/\s+/).filter(Boolean)
}

/** How many words must be put in, left out or changed to make one text of the other. */
export function countWrongWords (heard: string, said: string): number {
  const from = toWords(heard)
  const to = toWords(said)
  let row = to.map((_, i) => i + 1)
  row.unshift(0)
  for (const [i, word] of from.entries()) {
    const next = [i + 1]
    for (const [j, other] of to.entries()) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (word === other ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1)!
}

/** Words at the end of a transcript that more audio may still change. */
const UNSURE = 2

/** How many words two transcripts of a growing audio agree on, less those at the end. */
export function countStable (before: readonly string[], now: readonly string[]): number {
  let count = 0
  while (count < before.length && count < now.length - UNSURE && before[count] === now[count]) count++
  return count
}

/**
 * The words of the final transcript that follow those already given out. Where the two differ, it
 * goes on after the place that fits best, as nothing is taken back.
 */
export function wordsAfter (given: readonly string[], final: readonly string[]): readonly string[] {
  // Edit distance of all given words to each beginning of the final ones.
  let row = Array.from({ length: final.length + 1 }, (_, length) => length)
  for (const [i, word] of given.entries()) {
    const next = [i + 1]
    for (const [j, other] of final.entries()) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (same(word, other) ? 0 : 1)))
    }
    row = next
  }
  let best = Math.min(given.length, final.length)
  for (const [length, distance] of row.entries()) {
    // Of equal ones that which ends with the same word.
    const ends = length > 0 && given.length > 0 && same(given.at(-1)!, final[length - 1]!)
    if (distance < row[best]! || (distance === row[best]! && ends)) best = length
  }
  return final.slice(best)
}

export function splitWords (text: string): string[] {
  return text.split(/\s+/).filter(Boolean)
}

function same (one: string, other: string): boolean {
  return bare(one) === bare(other)
}

function bare (word: string): string {
  return word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

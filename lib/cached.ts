/**
 * Asks at most once in a while, and once at a time.
 *
 * @param ttlMs how long an answer holds, in milliseconds; a rejection does not hold
 */
export function cached<T> (ttlMs: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null
  let askedAt = -Infinity

  return () => {
    if (answer === null || performance.now() - askedAt > ttlMs) {
      askedAt = performance.now()
      answer = ask()
      answer.catch(() => { answer = null })
    }
    return answer
  }
}

/**
 * Reads another's iterable until a signal aborts: then rejects with the signal's reason at once, though the
 * other may still be waiting for its next value, and releases it.
 */
export async function * abortable<T> (values: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  signal.throwIfAborted()
  const iterator = values[Symbol.asyncIterator]()
  let abort: () => void
  const aborted = new Promise<never>((resolve, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
  })
  aborted.catch(() => {})
  let ended = false
  try {
    for (;;) {
      const result = await Promise.race([iterator.next(), aborted])
      if (result.done) {
        ended = true
        return
      }
      yield result.value
      signal.throwIfAborted()
    }
  } finally {
    signal.removeEventListener('abort', abort!)
    // Not awaited: a generator that waits for its next value answers only after that.
    if (!ended) Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

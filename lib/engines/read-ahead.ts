import { abortable } from './abortable.js'

/** What was begun with a value of the input: `end` gives it up, also when it was not read. Idempotent. */
interface Begun { end (): void }

/**
 * Begins something with each value of an input, at most `ahead` of them before those earlier ones were read
 * to their end, and gives them out in order. Whatever was begun is ended, however the reading ends,
 * and the input is released.
 */
export async function * readAhead<In, Out extends Begun> (input: AsyncIterable<In>, ahead: number, begin: (value: In) => Out, signal: AbortSignal): AsyncGenerator<{ value: In, result: Out }, void, undefined> {
  const over = new AbortController()
  const values = abortable(input, AbortSignal.any([signal, over.signal]))
  const begun: { value: In, result: Out }[] = []
  let pending: Promise<void> | null = null
  let ended = false

  /** The next value becomes a job as soon as it is there. */
  const pull = (): Promise<void> => {
    pending ??= values.next().then(next => {
      pending = null
      if (over.signal.aborted) return
      if (next.done) ended = true
      else begun.push({ value: next.value, result: begin(next.value) })
    })
    pending.catch(() => {})
    return pending
  }

  try {
    for (;;) {
      if (begun.length === 0 && !ended) await pull()
      const job = begun[0]
      if (job === undefined) return
      if (ahead > 0 && begun.length <= ahead && !ended) pull()
      yield job
      job.result.end()
      begun.shift()
    }
  } finally {
    for (const { result } of begun) result.end()
    over.abort()
    values.return().catch(() => {})
  }
}

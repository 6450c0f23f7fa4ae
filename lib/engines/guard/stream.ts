import { setTimeout as sleep } from 'node:timers/promises'
import { Attempt } from './attempt.js'
import type { Breaker } from './breaker.js'
import { isEngines, mayPass, unavailable } from './faults.js'
import type { Pace } from './pace.js'
import type { Policy, Stage } from './policy.js'
import type { Replay } from './replay.js'
import type { Work } from './work.js'

/** Milliseconds before the first further attempt; each later one waits twice as long, and up to half as long again by chance. */
const BACKOFF_MS = 250
const BACKOFF_MAX_MS = 5000

/** Told of what a guard does, for metrics. */
export interface GuardObserver {
  fault? (stage: Stage): void
  retry? (stage: Stage): void
  fallback? (stage: Stage): void
}

/** An engine that may be asked, the first one or its stand-in. */
export interface Candidate<In, Out> {
  engine: string
  open: (signal: AbortSignal, work: Work<In, Out>) => AsyncIterable<Out>
  policy: Policy
  breaker: Breaker
}

export interface GuardedStream<In, Out> {
  stage: Stage
  candidates: readonly Candidate<In, Out>[]
  check: (value: Out, engine: string) => void
  /** Whether a result is the user's for good: after it nothing is tried again. */
  counts: (value: Out) => boolean
  signal: AbortSignal
  pace: Pace
  /** What the engine owes; anew for each attempt. */
  work: () => Work<In, Out>
  /** The input, if there is one beside the request. */
  input?: Replay<In & { length: number }> | undefined
  observer: GuardObserver
}

/** One stream of results: retried, and handed to the next candidate, until something was given out. */
export async function * guardStream<In, Out> (stream: GuardedStream<In, Out>): AsyncGenerator<Out, void, undefined> {
  const { stage, signal, observer, input } = stream
  let fault: unknown
  try {
    for (const [rank, candidate] of stream.candidates.entries()) {
      const { breaker, policy, engine } = candidate
      for (let attempt = 0; attempt <= policy.retries; attempt++) {
        signal.throwIfAborted()
        if (!breaker.enter()) {
          fault ??= unavailable(stage, engine, breaker.lastFault)
          break
        }
        if (attempt > 0) observer.retry?.(stage)
        else if (rank > 0) observer.fallback?.(stage)
        let given = false
        let judged = false
        try {
          for await (const value of attemptOf(stream, candidate)) {
            if (!given && stream.counts(value)) {
              given = true
              input?.commit()
              if (breaker.state === 'half_open') breaker.succeeded()
            }
            yield value
          }
          judged = true
          breaker.succeeded()
          return
        } catch (error) {
          signal.throwIfAborted()
          observer.fault?.(stage)
          judged = isEngines(error)
          if (judged) breaker.failed(error)
          fault = error
          if (given || input?.whole === false) throw error
          if (!mayPass(error)) break
        } finally {
          if (!judged) breaker.abandoned()
        }
        if (attempt < policy.retries) await pause(attempt, signal)
      }
    }
    throw fault
  } finally {
    input?.close()
  }
}

function attemptOf<In, Out> (stream: GuardedStream<In, Out>, { engine, open, policy }: Candidate<In, Out>): Attempt<In, Out> {
  const { stage, check, signal: caller, pace, work } = stream
  const { firstResultTimeoutMs, stallTimeoutMs } = policy
  return new Attempt({ stage, engine, open, check, caller, pace, work: work(), firstResultTimeoutMs, stallTimeoutMs, local: engine === 'local' })
}

async function pause (attempt: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt) * (1 + Math.random() / 2)
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}

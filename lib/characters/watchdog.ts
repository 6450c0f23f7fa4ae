/**
 * Interrupts character code that holds the event loop. V8 ends what an inspector session evaluates longer
 * than its `timeout`, whatever functions of whatever realm it has called by then; so the code is called by
 * an expression that this process's own session evaluates. That needs no flag, cannot be caught by the code,
 * and costs 50 us of CPU: a third of a `vm` script with a timeout, which starts a thread each time.
 *
 * V8 interrupts once. If that hits what the {@link WatchdogThread} evaluates in the midst of the code (or what
 * anybody else does who inspects the process), it ends this and the code goes on; then that thread interrupts it
 * again. While a debugger is attached the thread looks away, and a second such expression stands around the first.
 */
import { randomUUID } from 'node:crypto'
import inspector from 'node:inspector'
import { FairShare } from './fair-share.js'
import { WatchdogThread, type Sighting } from './watchdog-thread.js'

/** The code was interrupted. Not the fault itself: whoever called the code knows whose it was. */
export class Interrupted extends Error {
  readonly ms: number
  /** Where the code was, in generated positions, innermost call first; empty if nobody saw it. */
  readonly frames: Sighting['frames']

  constructor (ms: number, frames: Sighting['frames']) {
    super(`held the event loop for ${ms} ms`)
    this.ms = ms
    this.frames = frames
  }
}

/** How long code that ended by itself is held for an interruption that is on its way. Milliseconds. */
const DOOM_MS = 1000

/** How long calls gather after others were made. */
const GATHER_MS = 10

/** What the expressions call: each watchdog's by its id, also across copies of this module. */
const guarded = (globalThis as unknown as Record<symbol, Map<string, () => void>>)[Symbol.for('dramatis.guarded')] ??= new Map()

export class Watchdog {
  readonly #id = randomUUID()
  readonly #expression = `globalThis[Symbol.for('dramatis.guarded')].get('${this.#id}')()\n//# sourceURL=watchdog`
  readonly #thread: WatchdogThread
  readonly #enter: <T>(call: () => T) => T
  #session: inspector.Session | undefined
  #running = false
  #waiting: { call: () => void, reject: (error: unknown) => void }[] = []
  #scheduled = false
  #gatherUntil = 0

  /** @param enter what every call is called through, outside of what is interrupted: no `finally` of that would run */
  constructor (thread: WatchdogThread, enter: <T>(call: () => T) => T = call => call()) {
    this.#thread = thread
    this.#enter = enter
  }

  /** Calls a function that gets at most this long. Within another call, that one's limit holds. */
  run<T> (ms: number, call: () => T): T {
    if (this.#running) return call()
    let outcome: { value: T } | { error: unknown } | undefined
    const job = (): void => {
      try {
        outcome = { value: call() }
      } catch (error) {
        outcome = { error }
      }
      // Here it does no harm; a moment later it would hit whatever runs then
      if (!this.#thread.finish()) hold(DOOM_MS)
    }
    const debugged = inspector.url() !== undefined
    this.#running = true
    this.#thread.begin(ms)
    let ended = false
    try {
      ended = this.#enter(() => debugged ? this.#call(2 * ms, () => { this.#call(ms, job) }) : this.#call(ms, job))
    } finally {
      this.#running = false
      this.#thread.end()
    }
    if (!ended || outcome === undefined) throw new Interrupted(ms, this.#thread.sighting())
    if ('value' in outcome) return outcome.value
    throw outcome.error
  }

  /** Whether the function, which throws nothing, came to its end. */
  #call (ms: number, call: () => void): boolean {
    if (this.#session === undefined) {
      this.#session = new inspector.Session()
      this.#session.connect()
    }
    let ended = false
    guarded.set(this.#id, call)
    this.#session.post('Runtime.evaluate', { expression: this.#expression, timeout: ms }, error => { ended = error === null })
    // It would keep the last session's cast
    guarded.delete(this.#id)
    return ended
  }

  /** What is called later opens a session again. */
  close (): void {
    this.#session?.disconnect()
    this.#session = undefined
  }

  /**
   * Calls a function soon, together with others that wait: a guard costs more than
   * most prompts, so one guards them all. On an idle server that is at once; where calls come all the time,
   * they gather for {@link GATHER_MS}. The limit is theirs together, but no call begins later than
   * {@link FairShare.SLICE} ms into it.
   */
  soon<T> (ms: number, call: () => T): Promise<{ result: T }> {
    return new Promise((resolve, reject) => {
      // In a box: a promise that the code returns is not to be waited for here.
      this.#waiting.push({ call: () => resolve({ result: call() }), reject })
      this.#schedule(ms)
    })
  }

  #schedule (ms: number): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const callAll = () => {
      this.#scheduled = false
      this.#callWaiting(ms)
      this.#gatherUntil = performance.now() + GATHER_MS
      if (this.#waiting.length === 0) return
      // Those that are left have waited enough
      this.#gatherUntil = 0
      this.#schedule(ms)
    }
    const pause = this.#gatherUntil - performance.now()
    if (pause > 0) setTimeout(callAll, pause)
    else setImmediate(callAll)
  }

  #callWaiting (ms: number): void {
    const end = performance.now() + FairShare.SLICE
    let current = this.#waiting.shift()
    try {
      this.run(ms, () => {
        while (current !== undefined) {
          try {
            current.call()
          } catch (error) {
            current.reject(error)
          }
          current = performance.now() < end ? this.#waiting.shift() : undefined
        }
      })
    } catch (interrupted) {
      current?.reject(interrupted)
    }
  }
}

function hold (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

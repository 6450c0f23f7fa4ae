/**
 * Interrupts character code that holds the event loop. V8 ends a script that runs inside a context
 * longer than its `timeout`, whatever functions of whatever realm it has called by then; so the code
 * is called by a one-line script in an empty context of its own. That costs about 30 us, no flag,
 * and cannot be caught by the code.
 */
import vm from 'node:vm'
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

export class Watchdog {
  readonly #box: vm.Context
  readonly #script = new vm.Script('run()', { filename: 'watchdog' })
  readonly #thread: WatchdogThread
  #job: (() => void) | undefined

  constructor (thread: WatchdogThread) {
    this.#thread = thread
    this.#box = vm.createContext({ run: () => this.#job!() })
  }

  /** Calls a function that gets at most this long. Within another call, that one's limit holds. */
  run<T> (ms: number, call: () => T): T {
    if (this.#job !== undefined) return call()
    let outcome: { value: T } | { error: unknown } | undefined
    this.#job = () => {
      try {
        outcome = { value: call() }
      } catch (error) {
        outcome = { error }
      }
    }
    const done = this.#thread.guard(ms)
    try {
      this.#script.runInContext(this.#box, { timeout: ms })
    } catch {
      // Nothing that the code throws gets here
      throw new Interrupted(ms, this.#thread.sighting())
    } finally {
      this.#job = undefined
      done()
    }
    if (outcome !== undefined && 'value' in outcome) return outcome.value
    throw outcome?.error
  }
}

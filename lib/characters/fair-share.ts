/**
 * One queue for the small synchronous steps (read, compile, evaluate) of all sessions. It works for
 * a few milliseconds, then lets the event loop serve everybody else before it goes on, so that
 * opening many sessions at once delays no one's audio.
 */
export class FairShare {
  /** Milliseconds of work between two turns of the event loop. */
  static readonly SLICE = 4

  readonly #steps: (() => void)[] = []
  #scheduled = false
  #sliceEnd = 0

  /** Runs the step when its turn comes: at once, if there is time left and nobody waits. */
  run<T> (step: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const task = () => {
        try { resolve(step()) } catch (error) { reject(error) }
      }
      if (this.#scheduled) {
        this.#steps.push(task)
        return
      }
      this.#sliceEnd = performance.now() + FairShare.SLICE
      this.#schedule()
      task()
    })
  }

  /** Steps that work in a loop look here when to stop and queue again. */
  get spent (): boolean { return performance.now() >= this.#sliceEnd }

  #schedule (): void {
    this.#scheduled = true
    setImmediate(() => this.#work())
  }

  #work (): void {
    this.#sliceEnd = performance.now() + FairShare.SLICE
    while (this.#steps.length > 0) {
      this.#steps.shift()!()
      if (this.spent && this.#steps.length > 0) return this.#schedule()
    }
    this.#scheduled = false
  }
}

import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../characters/logger.js'
import { threadUrl } from '../thread.js'
import type { Snapshot } from './metrics.js'
import { WorkerProcess } from './worker-process.js'

/** Between its end and its successor: the first, and the longest while they keep ending. Milliseconds. */
const RESTART_MS = 50
const RESTART_MOST_MS = 5000
/** Between two questions whether it is still there. Milliseconds. */
const LOOK_MS = 1000
/** So many in a row without an answer, for each of which it has three seconds, and it hangs. After one only, it may be this process that stood still. */
const LOOKS = 3

/** The process that has the local engines of all session processes, as the one that listens knows it; it is ended when it hangs, and replaced when it ends. */
export class EngineProcess {
  /** Where it listens: only this user may connect. */
  readonly path: string
  readonly #log: Logger
  readonly #onRetired: (last: Snapshot | undefined) => void
  #process: WorkerProcess
  #pause = RESTART_MS
  #ending = false

  /** @param onRetired told the last metrics of each that has ended */
  constructor (log: Logger, onRetired: (last: Snapshot | undefined) => void) {
    this.#log = log
    this.#onRetired = onRetired
    this.path = process.platform === 'win32' ? `\\\\.\\pipe\\dramatis-${randomUUID()}` : join(mkdtempSync(join(tmpdir(), 'dramatis-')), 'engines')
    this.#process = this.#spawn()
  }

  /** Rejects with the line that says why it cannot start. */
  get ready (): Promise<void> {
    return this.#process.ready
  }

  async metrics (): Promise<Snapshot | undefined> {
    const engines = this.#process
    engines.metrics = await engines.link.ask('metrics') ?? engines.metrics
    return engines.alive ? engines.metrics as Snapshot | undefined : undefined
  }

  /** Nobody uses it any more. Resolves once it has ended. */
  async drain (): Promise<void> {
    this.#ending = true
    await this.#process.ready.catch(() => {})
    this.#process.link.send({ op: 'drain' })
    await this.#process.exited
    this.#remove()
  }

  kill (): void {
    this.#ending = true
    this.#process.kill()
    this.#remove()
  }

  #spawn (): WorkerProcess {
    const engines = new WorkerProcess({
      entry: threadUrl(import.meta.url, 'engine-entry'), number: 0, argument: { path: this.path }, answers: async () => undefined, onStore: () => {}, onLost: () => {}
    })
    engines.ready.then(() => {
      this.#pause = RESTART_MS
      return this.#watch(engines)
    }).catch(() => {})
    engines.exited.then(async () => {
      this.#onRetired(engines.metrics as Snapshot | undefined)
      const err = await engines.ready.catch((error: Error) => error)
      await sleep(this.#pause)
      // Of the first one that cannot start its owner has told meanwhile, and given up.
      if (this.#ending) return
      this.#pause = Math.min(2 * this.#pause, RESTART_MOST_MS)
      this.#log.error({ process: engines.child.pid, err }, 'The engine process ended by itself and is replaced')
      this.#process = this.#spawn()
    }).catch(error => this.#log.error({ err: error }, 'The engine process was not replaced'))
    return engines
  }

  /** Ends one that hangs: whoever waits for it would wait for ever. */
  async #watch (engines: WorkerProcess): Promise<void> {
    for (let silent = 0; silent < LOOKS;) {
      if (silent === 0) await sleep(LOOK_MS, undefined, { ref: false })
      silent = await engines.link.ask('ready') === undefined ? silent + 1 : 0
      if (!engines.child.connected) return
    }
    this.#log.error({ process: engines.child.pid }, 'The engine process does not answer and is ended')
    engines.kill()
  }

  #remove (): void {
    if (process.platform !== 'win32') rmSync(dirname(this.path), { recursive: true, force: true })
  }
}

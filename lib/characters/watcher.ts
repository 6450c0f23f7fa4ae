/**
 * Watches all roots for all sessions: one watcher a server. It tells that something may have changed, no
 * more: whether a cast did is seen by its plan.
 */
import { watch, type FSWatcher } from 'chokidar'
import { basename } from 'node:path'
import type { Logger } from './logger.js'

/** How long files must have rested: an editor writes several, and a `stat` is trusted only then. Milliseconds. */
const REST = 80

export class Watcher {
  readonly #watcher: FSWatcher
  readonly #ready: Promise<void>
  #timer: NodeJS.Timeout | null = null

  /** @param changed called once for changes that come together */
  constructor (directories: readonly string[], changed: () => void, log: Logger) {
    this.#watcher = watch([...directories], {
      ignoreInitial: true,
      ignored: path => /^(?:node_modules|\.[^.].*)$/.test(basename(path)) && !directories.includes(path)
    })
    this.#watcher.on('all', () => {
      if (this.#timer === null) {
        this.#timer = setTimeout(() => {
          this.#timer = null
          changed()
        }, REST)
      } else this.#timer.refresh()
    })
    this.#watcher.on('error', error => log.error({ err: error }, 'The characters cannot be watched'))
    this.#ready = new Promise(resolve => { this.#watcher.once('ready', resolve) })
  }

  /** Resolves when a change will be told. */
  get ready (): Promise<void> { return this.#ready }

  async close (): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#watcher.close()
  }
}

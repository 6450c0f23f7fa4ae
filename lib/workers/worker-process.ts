import { fork, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { StoreCall } from '../cluster/remote-store.js'
import { OptionsError } from '../options.js'
import { Link, type Question } from './link.js'

export interface WorkerOptions {
  entry: URL
  /** No other that lives has it. */
  number: number
  /** What the entry is told, as JSON. */
  argument: unknown
  answers: (what: Question) => Promise<unknown>
  /** It asks for what all session processes share. */
  onStore: (call: StoreCall) => void
  /** Its connections that had not arrived when it ended. */
  onLost: (sockets: Socket[]) => void
}

/** A session process, or the engine process, as the one that listens knows it. */
export class WorkerProcess {
  readonly number: number
  readonly child: ChildProcess
  readonly link: Link
  /** Rejects with the line that says why it cannot start. */
  readonly ready: Promise<void>
  readonly exited: Promise<void>
  /** What its metrics were when they were seen last. */
  metrics: unknown = undefined
  /** Takes connections, and is not to be replaced. */
  serving = false
  /** Ends as it was told to. */
  ending = false
  alive = true
  /** Sessions it has. */
  sessions = 0
  #settled = 0
  #handed = 0
  #onSettled: (() => void) | null = null
  /** Connections on their way, by number. */
  readonly #under = new Map<number, Socket>()

  constructor ({ entry, number, argument, answers, onStore, onLost }: WorkerOptions) {
    this.number = number
    this.child = fork(entry, [JSON.stringify(argument)], { serialization: 'advanced' })
    let fault = 'A process of the server ended before it was ready.'
    let resolve!: () => void
    let reject!: (error: Error) => void
    this.ready = new Promise<void>((_resolve, _reject) => { [resolve, reject] = [_resolve, _reject] })
    // Whoever awaits it hears of it.
    this.ready.catch(() => {})
    this.link = new Link(this.child, message => {
      switch (message.op) {
        case 'ready':
          this.serving = !this.ending
          return resolve()
        case 'failed':
          fault = message.message
          return
        case 'taken':
          this.#under.get(message.id)?.destroy()
          this.#under.delete(message.id)
          return
        case 'last':
          this.metrics = message.metrics
          return
        case 'store':
          return onStore(message.call)
        case 'load':
          this.sessions = message.sessions
          this.#settled = message.settled
          if (this.#settled === this.#handed) this.#onSettled?.()
      }
    }, answers)
    this.exited = new Promise<void>(resolve => {
      const gone = (): void => {
        if (!this.alive) return
        this.alive = this.serving = false
        this.#onSettled?.()
        reject(new OptionsError(fault))
        resolve()
        onLost([...this.#under.values()])
      }
      this.child.once('exit', gone)
      this.child.once('error', error => {
        fault = `A process of the server could not be started: ${error.message}.`
        gone()
      })
    })
  }

  /** Sessions it has, and connections it was given of which it is not yet known what they are. */
  get load (): number {
    return this.sessions + this.#handed - this.#settled
  }

  give (socket: Socket): void {
    const id = ++this.#handed
    this.#under.set(id, socket)
    this.link.send({ op: 'connection', id }, socket)
  }

  /** Is given nothing more; ends when its sessions have, each as soon as it has nothing left to say. */
  async drain (patienceMs: number): Promise<void> {
    this.ending = true
    this.serving = false
    if (this.alive && this.#settled !== this.#handed) {
      // Who was just sent there gets its session, and is then closed as the others are.
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, patienceMs)
        this.#onSettled = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.link.send({ op: 'drain' })
  }

  kill (): void {
    this.ending = true
    this.child.kill('SIGKILL')
  }
}

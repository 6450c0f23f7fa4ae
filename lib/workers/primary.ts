import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Logger } from '../characters/logger.js'
import { StoreHost } from '../cluster/store-host.js'
import { EngineProcess } from './engine-process.js'
import type { Question } from './link.js'
import { addCounts, mergeMetrics, type Snapshot } from './metrics.js'
import { mergeReadiness, type Readiness } from '../readiness.js'
import { WorkerProcess } from './worker-process.js'

/** Between the end of a worker and its successor: the first, and the longest while they keep ending before they are ready. Milliseconds. */
const RESTART_MS = 50
const RESTART_MOST_MS = 5000
/** How long connections that were just handed to a worker may take to say what they are before it drains. Milliseconds. */
const SETTLE_MS = 1000

export interface PrimaryOptions {
  /** The module that a worker runs. */
  entry: URL
  workers: number
  host: string
  port: number
  /** Sessions that the machine may have; each worker gets its share. */
  sessions: number
  /** What the names of the workers in the fleet begin with. */
  node: string
  log: Logger
}

/** Listens, and gives each connection to the process that has fewest sessions; sees that there are as many as there should be. */
export class Primary {
  readonly #options: PrimaryOptions
  readonly #server: Server
  readonly #register = new Registry()
  /** By place; those that are being replaced are in `#all` until they have ended. */
  readonly #places: WorkerProcess[] = []
  readonly #all = new Set<WorkerProcess>()
  /** What the workers share, where there is no Redis. */
  readonly #store = new StoreHost()
  /** Has the local engines of all workers. */
  #engines: EngineProcess | undefined
  /** Connections for which there is no worker just now. */
  #waiting: Socket[] = []
  /** What was counted by workers that have ended. */
  #retired: Snapshot | undefined
  #retiring: Promise<void> = Promise.resolve()
  #rolling: Promise<void> | null = null
  #again = false
  #draining = false
  #refusing = false

  constructor (options: PrimaryOptions) {
    this.#options = options
    // Nothing is read here, and who half-closes still gets an answer, as with an HTTP server that accepts itself.
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, socket => this.#place(socket))
    collectDefaultMetrics({ register: this.#register })
  }

  /** Resolves with the port once all workers are ready. Rejects with the first fault, and then nothing is left running. */
  async start (): Promise<number> {
    const { workers, host, port } = this.#options
    try {
      // First of all: a port that is taken is found out before models are loaded.
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen(port, host, () => {
          this.#server.off('error', reject)
          resolve()
        })
      })
      this.#engines = new EngineProcess(this.#options.log, last => this.#retire(last))
      for (let place = 0; place < workers; place++) this.#places[place] = this.#spawn(place)
      await Promise.all([this.#engines.ready, ...this.#places.map(({ ready }) => ready)])
    } catch (error) {
      this.#draining = true
      this.kill()
      throw error
    }
    for (const place of this.#places.keys()) this.#watch(place)
    this.#flush()
    return (this.#server.address() as AddressInfo).port
  }

  /** Reads the keys again, and replaces the workers, one after another, each when its successor is ready. */
  restart (): void {
    for (const { link } of this.#all) link.send({ op: 'keys' })
    this.#refusing = false
    this.#again = true
    this.#rolling ??= this.#roll().catch((error: Error) => {
      this.#options.log.error({}, `The session processes are not replaced: ${error.message} Those that run go on.`)
    }).finally(() => { this.#rolling = null })
  }

  /** Lets answers finish, closes all sessions and resolves when all workers have ended. */
  async drain (): Promise<void> {
    this.#draining = true
    await Promise.all([...this.#all].map(async worker => {
      await worker.ready.catch(() => {})
      // Each is still given who asks how the machine is, and who is to be told that it takes nobody.
      worker.ending = true
      worker.link.send({ op: 'drain' })
      await worker.exited
    }))
    await this.#engines?.drain()
    this.#close()
  }

  kill (): void {
    for (const worker of this.#all) worker.kill()
    this.#engines?.kill()
    this.#close()
  }

  #close (): void {
    this.#server.close()
    for (const socket of this.#waiting.splice(0)) socket.destroy()
  }

  #spawn (place: number): WorkerProcess {
    const { workers, sessions, entry, node } = this.#options
    const share = Math.max(1, Math.floor(sessions / workers) + Number(place < sessions % workers))
    const guest = this.#store.admit(reply => worker.link.send({ op: 'stored', reply }))
    const number = this.#freeNumber()
    const worker: WorkerProcess = new WorkerProcess({
      entry,
      number,
      argument: { sessions: share, node: `${node}-${number}`, workers, engines: this.#engines?.path },
      onStore: call => guest.take(call),
      answers: what => this.#answer(what),
      onLost: sockets => {
        for (const socket of sockets) this.#place(socket)
      }
    })
    this.#all.add(worker)
    worker.ready.then(() => { if (this.#refusing) worker.link.send({ op: 'refuse' }) }, () => {})
    worker.exited.then(() => {
      this.#all.delete(worker)
      guest.gone()
      this.#retire(worker.metrics as Snapshot | undefined)
    }, () => {})
    return worker
  }

  /** One that no worker has: whoever follows one that crashed takes its name over, and what that has left in Redis is forgotten. */
  #freeNumber (): number {
    const taken = new Set([...this.#all].map(({ number }) => number))
    let number = 1
    while (taken.has(number)) number++
    return number
  }

  /** Replaces the worker of a place when it ends and was not told to. */
  #watch (place: number): void {
    const worker = this.#places[place]!
    worker.exited.then(async () => {
      if (worker.ending || this.#draining) return
      this.#options.log.error({ worker: worker.child.pid }, 'A session process ended by itself and is replaced')
      let last = worker
      for (let pause = RESTART_MS; !this.#draining; pause = Math.min(2 * pause, RESTART_MOST_MS)) {
        await sleep(pause)
        // A restart may have been faster than this.
        if (this.#draining || this.#places[place] !== last) return
        const successor = last = this.#places[place] = this.#spawn(place)
        const fault = await successor.ready.then(() => null, (error: Error) => error)
        if (this.#places[place] !== successor) return
        if (fault === null) {
          this.#watch(place)
          return this.#flush()
        }
        this.#options.log.error({}, fault.message)
      }
    }).catch(error => this.#options.log.error({ err: error }, 'A session process was not replaced'))
  }

  async #roll (): Promise<void> {
    while (this.#again && !this.#draining) {
      this.#again = false
      for (const place of this.#places.keys()) {
        // Whose successor is on its way needs no other.
        if (!this.#places[place]!.serving) continue
        const successor = this.#spawn(place)
        await successor.ready
        if (this.#draining) return
        // It may have ended meanwhile, and have a successor already.
        const before = this.#places[place]!
        this.#places[place] = successor
        this.#watch(place)
        this.#flush()
        // Not waited for: its last answer may take long.
        before.drain(SETTLE_MS).catch(error => this.#options.log.error({ err: error }, 'A session process was not drained'))
      }
      this.#options.log.info({}, 'All session processes are replaced')
    }
  }

  #place (socket: Socket): void {
    socket.on('error', () => {})
    let best: WorkerProcess | undefined
    for (const worker of this.#draining ? this.#all : this.#places) {
      if (worker.alive && (worker.serving || this.#draining) && (best === undefined || worker.load < best.load)) best = worker
    }
    if (best !== undefined) best.give(socket)
    else if (this.#draining) socket.destroy()
    else this.#waiting.push(socket)
  }

  #flush (): void {
    for (const socket of this.#waiting.splice(0)) this.#place(socket)
  }

  /** An operator drains: as one process that was asked, the machine takes nobody in until it is restarted. */
  #refuse (): number {
    this.#refusing = true
    let sessions = 0
    for (const worker of this.#all) {
      worker.link.send({ op: 'refuse' })
      sessions += worker.sessions
    }
    return sessions
  }

  async #answer (what: Question): Promise<unknown> {
    if (what === 'drained') return this.#refuse()
    return what === 'metrics' ? await this.#metrics() : await this.#readiness()
  }

  async #metrics (): Promise<string> {
    await Promise.all([...this.#all].map(async worker => {
      worker.metrics = await worker.link.ask('metrics') ?? worker.metrics
    }))
    await this.#retiring
    const own = await this.#register.getMetricsAsJSON() as unknown as Snapshot
    const parts = [...[...this.#all].map(({ metrics }) => metrics as Snapshot | undefined), await this.#engines?.metrics(), this.#retired, own]
    return await mergeMetrics(parts.filter(part => part !== undefined))
  }

  async #readiness (): Promise<Readiness> {
    const asked = this.#draining ? [...this.#all] : this.#places.filter(({ serving }) => serving)
    const answers = await Promise.all(asked.map(({ link }) => link.ask('ready')))
    return mergeReadiness(answers.filter(answer => answer !== undefined) as Readiness[], this.#options.workers)
  }

  #retire (last: Snapshot | undefined): void {
    if (last === undefined) return
    this.#retiring = this.#retiring.then(async () => { this.#retired = await addCounts(this.#retired, last) })
      .catch(error => this.#options.log.error({ err: error }, 'The counters of a session process are lost'))
  }
}

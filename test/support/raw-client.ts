import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A WebSocket client on a bare TCP connection, which reads only when it is told to, and never answers a ping. */
export class RawClient {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #wake: (() => void) | null = null
  /** Close code, once there was a close frame. */
  closeCode: number | null = null

  private constructor (socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake?.()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#wake?.())
  }

  /** Connects, and reads nothing after the upgrade. */
  static async connect (port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const client = new RawClient(socket)
    socket.write(`GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`)
    let head = -1
    while ((head = client.#received.indexOf('\r\n\r\n')) === -1) await client.#more()
    socket.pause()
    client.#received = client.#received.subarray(head + 4)
    return client
  }

  get gone (): boolean {
    return this.#socket.destroyed
  }

  /** Whether all that was sent has left. */
  get sent (): boolean {
    return this.#socket.writableLength === 0
  }

  send (event: object): void {
    this.#socket.write(frameOf(event))
  }

  /** Sends an event and a close frame in one piece: the server reads both at once. */
  sendLast (event: object): void {
    this.#socket.write(Buffer.concat([frameOf(event), Buffer.from([0x88, 0x80, 0, 0, 0, 0])]))
  }

  /** Reads on: the events from here, until the connection ends or the caller stops. */
  async * read (): AsyncGenerator<{ type: string } & Record<string, any>> {
    this.#socket.resume()
    for (;;) {
      const frame = this.#next()
      if (frame === 'close') return
      if (frame !== null) yield frame
      else if (this.gone) return
      else await this.#more()
    }
  }

  stop (): void {
    this.#socket.pause()
  }

  end (): void {
    this.#socket.destroy()
  }

  #next (): ({ type: string } & Record<string, any>) | 'close' | null {
    const data = this.#received
    if (data.length < 2) return null
    let start = 2
    let length = data[1]! & 127
    if (length === 126) {
      if (data.length < 4) return null
      length = data.readUInt16BE(2)
      start = 4
    } else if (length === 127) {
      if (data.length < 10) return null
      length = Number(data.readBigUInt64BE(2))
      start = 10
    }
    if (data.length < start + length) return null
    const payload = data.subarray(start, start + length)
    this.#received = data.subarray(start + length)
    switch (data[0]! & 15) {
      case 1: return JSON.parse(payload.toString())
      case 8:
        this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
        return 'close'
      default: return this.#next()
    }
  }

  #more (): Promise<void> {
    return new Promise(resolve => { this.#wake = resolve })
  }
}

function frameOf (event: object): Buffer {
  const data = Buffer.from(JSON.stringify(event))
  const head = data.length < 126 ? Buffer.from([0x81, 0x80 | data.length]) : Buffer.from([0x81, 0xfe, data.length >> 8, data.length & 255])
  // A mask of zeros changes nothing.
  return Buffer.concat([head, Buffer.alloc(4), data])
}

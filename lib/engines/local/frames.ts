import type { Socket } from 'node:net'
import { deserialize, serialize } from 'node:v8'

/** Length that stands before each frame. Bytes. */
const HEADER = 4
/** Nothing that is said in one turn of the event loop is as long: a connection that claims so is broken. Bytes. */
const MOST = 256 * 1024 * 1024

/** Sends a value, typed arrays and all. Nothing is sent to who is gone. */
export function writeFrame (socket: Socket, value: unknown): void {
  if (!socket.writable) return
  const body = serialize(value)
  const header = Buffer.allocUnsafe(HEADER)
  header.writeUInt32LE(body.length)
  socket.cork()
  socket.write(header)
  socket.write(body)
  socket.uncork()
}

/**
 * Calls `onFrame` for each value that comes. Typed arrays in it are parts of one buffer.
 * A socket that sends what is no frame is destroyed.
 */
export function readFrames (socket: Socket, onFrame: (value: unknown) => void): void {
  let chunks: Buffer[] = []
  let size = 0
  let wanted = HEADER
  const refuse = (): void => { socket.destroy() }

  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size < wanted) return
    let held = chunks.length === 1 ? chunk : Buffer.concat(chunks, size)
    for (;;) {
      wanted = HEADER
      if (held.length < HEADER) break
      const length = held.readUInt32LE()
      if (length > MOST) return refuse()
      wanted = HEADER + length
      if (held.length < wanted) break
      let value: unknown
      try {
        value = deserialize(held.subarray(HEADER, wanted))
      } catch {
        return refuse()
      }
      onFrame(value)
      if (socket.destroyed) return
      held = held.subarray(wanted)
    }
    chunks = held.length === 0 ? [] : [held]
    size = held.length
  })
}

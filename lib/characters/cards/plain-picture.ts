/** A picture for a card that has none: a plain one, whose colour is always the same for a name. */
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { PNG_SIGNATURE, pngChunk } from './png.js'

const [WIDTH, HEIGHT] = [200, 300]

export function plainPicture (name: string): Buffer {
  const [red, green, blue] = createHash('sha256').update(name).digest()
  const header = Buffer.alloc(13)
  header.writeUInt32BE(WIDTH, 0)
  header.writeUInt32BE(HEIGHT, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const pixels = Buffer.alloc((WIDTH * 3 + 1) * HEIGHT)
  for (let y = 0; y < HEIGHT; y++) {
    const shade = 0.9 - 0.4 * y / HEIGHT
    const line = Buffer.from([red!, green!, blue!].map(part => Math.round((96 + part / 2) * shade)))
    pixels.fill(line, y * (WIDTH * 3 + 1) + 1, (y + 1) * (WIDTH * 3 + 1))
  }
  return Buffer.concat([PNG_SIGNATURE, pngChunk('IHDR', header), pngChunk('IDAT', deflateSync(pixels)), pngChunk('IEND', Buffer.alloc(0))])
}

import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decode, encode } from '@msgpack/msgpack'
import { WebSocketServer, type WebSocket } from 'ws'

/** Samples of a frame: 80 ms. */
const FRAME = 1920
/** Frames that recognition is behind its audio. */
const DELAY = 6
/** Frames in which a word is spoken. */
const WORD_FRAMES = 2

/** How a server misbehaves on one connection. */
export type Trouble =
  /** Never says that it is ready. */
  | 'mute'
  /** Cuts the connection after the first frame or word. */
  | 'drop'
  /** Says nothing after the first frame or word. */
  | 'stall'
  | 'garbage'
  /** Says `Error` after the first frame or word. */
  | 'error'
  /** Sends what belongs to the client before, and only then that it is ready. */
  | 'leftovers'

export interface MoshiConnection {
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  /** Messages of the client, in order. */
  messages: Record<string, any>[]
  /** Resolves with the close code. */
  closed: Promise<number>
}

export interface MoshiServer {
  url: string
  /** Streams at a time; more are told `no free channels`. */
  slots: number
  /** The key that is let in. */
  key: string
  /** What goes wrong on the next connections, in order. */
  troubles: Trouble[]
  connections: MoshiConnection[]
  connection (number: number): Promise<MoshiConnection>
  /** Open connections. */
  open (): number
  close (): Promise<void>
}

/**
 * A real server that speaks moshi-server's messages over a socket. It hears `word1 word2 …`, one for each 400 ms of
 * sound, sees the end of a turn in silence, and speaks every word for 160 ms.
 */
export async function startMoshiServer (): Promise<MoshiServer> {
  const connections: MoshiConnection[] = []
  const waiting = new Map<number, (connection: MoshiConnection) => void>()
  const http = createServer((request, response) => { response.writeHead(request.url === '/api/build_info' ? 200 : 404).end('{}') })
  const sockets = new WebSocketServer({ noServer: true })
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))

  const moshi: MoshiServer = {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    slots: 4,
    key: 'public_token',
    troubles: [],
    connections,
    connection (number) {
      const connection = connections[number]
      return connection !== undefined ? Promise.resolve(connection) : new Promise(resolve => waiting.set(number, resolve))
    },
    open: () => sockets.clients.size,
    close () {
      for (const socket of sockets.clients) socket.terminate()
      http.closeAllConnections()
      return new Promise(resolve => http.close(() => resolve()))
    }
  }

  http.on('upgrade', (request, stream, head) => {
    const url = new URL(request.url!, moshi.url)
    if (request.headers['kyutai-api-key'] !== moshi.key) return stream.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n')
    sockets.handleUpgrade(request, stream, head, socket => {
      const connection: MoshiConnection = {
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        messages: [],
        closed: new Promise(resolve => socket.on('close', resolve))
      }
      socket.on('message', data => { connection.messages.push(decode(data as Buffer) as Record<string, any>) })
      connections.push(connection)
      waiting.get(connections.length - 1)?.(connection)
      serve(socket, url.pathname)
    })
  })
  return moshi

  function serve (socket: WebSocket, path: string): void {
    const say = (message: object) => socket.send(encode(message))
    if (sockets.clients.size > moshi.slots) {
      say({ type: 'Error', message: 'no free channels' })
      socket.close()
      return
    }
    const trouble = moshi.troubles.shift()
    if (trouble === 'mute') return
    if (trouble === 'leftovers') {
      say({ type: 'Audio', pcm: [0.5] })
      say({ type: 'Word', text: 'leftover', start_time: 1 })
    }
    say({ type: 'Ready' })
    if (path === '/api/asr-streaming') hear(socket, say, trouble)
    else speak(socket, say, trouble)
  }
}

type Say = (message: object) => void

/** What goes wrong once something was said; true if nothing more is to come. */
function spoil (socket: WebSocket, say: Say, trouble: Trouble | undefined): boolean {
  switch (trouble) {
    case 'drop': socket.terminate(); return true
    case 'garbage': socket.send(Buffer.from('not msgpack')); return true
    case 'error': say({ type: 'Error', message: 'model\nlost' }); return true
    case 'stall': return true
    default: return false
  }
}

function hear (socket: WebSocket, say: Say, trouble: Trouble | undefined): void {
  let rest: number[] = []
  let frames = 0
  let loud = 0
  let spoilt = false
  const markers: { id: number, at: number }[] = []
  socket.on('message', data => {
    const message = decode(data as Buffer) as { type: string, pcm: number[], id: number }
    if (message.type === 'Marker') markers.push({ id: message.id, at: frames + Math.floor(rest.length / FRAME) + DELAY })
    if (message.type !== 'Audio') return
    rest.push(...message.pcm)
    for (; rest.length >= FRAME && !spoilt; rest = rest.slice(FRAME)) {
      const sounds = rest.slice(0, FRAME).some(sample => Math.abs(sample) > 0.1)
      frames++
      say({ type: 'Step', step_idx: frames, prs: sounds ? [0.1, 0.1, 0.05, 0.01] : [0.9, 0.95, 0.95, 0.9], buffered_pcm: 0 })
      if (sounds && ++loud % 5 === 0) {
        say({ type: 'Word', text: `word${loud / 5}`, start_time: frames * 0.08 })
        say({ type: 'EndWord', stop_time: frames * 0.08 })
        spoilt = spoil(socket, say, trouble)
      }
      while (markers.length > 0 && markers[0]!.at <= frames) say({ type: 'Marker', id: markers.shift()!.id })
    }
  })
}

function speak (socket: WebSocket, say: Say, trouble: Trouble | undefined): void {
  let words = 0
  let spoilt = false
  say({ type: 'Text', text: '', start_s: 0, stop_s: 0 })
  socket.on('message', data => {
    const message = decode(data as Buffer) as { type: string, text: string }
    if (message.type === 'Eos') {
      if (!spoilt) socket.close()
      return
    }
    // Words come before their sound, in the form the model reads.
    const spoken = message.text.replaceAll('’', '\'').replace(/[()–]/g, '').replaceAll(':', ' ').split(/\s+/).filter(word => word !== '')
    for (const [i, text] of spoken.entries()) say({ type: 'Text', text, start_s: (words + i) * WORD_FRAMES * 0.08, stop_s: (words + i + 1) * WORD_FRAMES * 0.08 })
    for (let i = 0; i < spoken.length * WORD_FRAMES && !spoilt; i++) {
      say({ type: 'Audio', pcm: new Array(FRAME).fill(0.25) })
      spoilt = spoil(socket, say, trouble)
    }
    words += spoken.length
  })
}

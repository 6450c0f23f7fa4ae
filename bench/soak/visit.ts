import { WebSocket } from 'ws'
import type { Random } from '../../test/support/hostile/mutations.js'

const LOUD = Buffer.alloc(4800 * 4, 31).toString('base64')
const SILENT = Buffer.alloc(4800 * 12).toString('base64')

type Deed = (socket: WebSocket) => Promise<unknown> | void

const send = (socket: WebSocket, event: object): void => socket.send(JSON.stringify(event))

/** Resolves with the next event of a type, or when the socket is gone. */
function next (socket: WebSocket, type: string): Promise<void> {
  return new Promise(resolve => {
    const take = (data: Buffer): void => {
      if (data.toString('latin1', 9, 9 + type.length + 1) !== `${type}"`) return
      finish()
    }
    const finish = (): void => {
      socket.off('message', take)
      socket.off('close', finish)
      resolve()
    }
    socket.on('message', take)
    socket.on('close', finish)
    if (socket.readyState !== WebSocket.OPEN) finish()
  })
}

const reload = (socket: WebSocket, directory: string): void => send(socket, { type: 'session.characters.reload', directory })
const say = (socket: WebSocket): void => send(socket, { type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello there, how are you?' }] } })

/** What a session does; some do not wait for the answer. */
const deeds: Deed[] = [
  socket => {
    say(socket)
    send(socket, { type: 'response.create', response: { output_modalities: ['text'] } })
    return next(socket, 'response.done')
  },
  socket => {
    say(socket)
    send(socket, { type: 'response.create' })
  },
  socket => {
    send(socket, { type: 'input_audio_buffer.append', audio: LOUD })
    send(socket, { type: 'input_audio_buffer.append', audio: SILENT })
    return next(socket, 'response.done')
  },
  socket => { send(socket, { type: 'input_audio_buffer.append', audio: LOUD }) },
  socket => {
    reload(socket, 'other')
    return next(socket, 'session.characters.reloaded')
  },
  socket => { reload(socket, 'default') },
  socket => { for (const directory of ['other', 'empty', 'default', 'nowhere']) reload(socket, directory) },
  socket => { send(socket, { type: 'session.update', session: { type: 'realtime', instructions: 'Be kind.', audio: { output: { voice: 'alloy' } } } }) },
  socket => { send(socket, { type: 'response.cancel' }) },
  socket => { socket.send('{"no": "event"') }
]

const endings: ((socket: WebSocket) => void)[] = [
  socket => socket.close(1000),
  socket => socket.terminate(),
  socket => { socket.send(Buffer.from([0xff]), { binary: false }) },
  socket => {
    reload(socket, 'other')
    socket.close()
  },
  socket => {
    say(socket)
    send(socket, { type: 'response.create' })
    socket.terminate()
  }
]

/** One session from its opening to its end, in an order of its own. */
export async function visit (url: string, random: Random): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime`)
  socket.on('error', () => {})
  const closed = new Promise(resolve => socket.once('close', resolve))
  // Some leave before they are let in.
  if (random(20) === 0) socket.once('upgrade', () => socket.terminate())
  else {
    await Promise.race([new Promise(resolve => socket.once('open', resolve)), closed])
    for (let n = random(5); n > 0 && socket.readyState === WebSocket.OPEN; n--) await deeds[random(deeds.length)]!(socket)
    endings[random(endings.length)]!(socket)
  }
  await closed
}

/** Sessions one after another, some at a time. */
export async function visits (url: string, count: number, random: Random, atOnce = 16): Promise<void> {
  let left = count
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) await visit(url, random)
  }))
}

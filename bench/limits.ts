import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { packageRoot } from '../lib/package-root.js'
import { round, type Figure } from './figure.js'
import { start, startServer, type BenchServer } from './server.js'

const AUDIO_SECONDS = 4000
const CHUNK = JSON.stringify({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800 * 10, 7).toString('base64') })

/** What one client can make the server's memory grow by: it does not read half an hour of audio, or never commits an hour of it. */
export default async function (): Promise<Figure[]> {
  return [
    { name: 'a client that does not read 30 min of audio', value: round(await unread()), unit: 'MB', limit: 16, note: 'RSS, highest over what it was; the server is given 5 s' },
    { name: `${AUDIO_SECONDS} s of audio without a commit`, value: round(await uncommitted(null, true)), unit: 'MB', limit: 40, note: 'RSS, highest; push-to-talk, after a client that clears' },
    { name: `${AUDIO_SECONDS} s of audio without a commit, fresh`, value: round(await uncommitted(null, false)), unit: 'MB', limit: 40, note: 'the same as the first thing that a process ever hears' },
    { name: `${AUDIO_SECONDS} s of silence to voice detection`, value: round(await uncommitted({ type: 'server_vad' }, false)), unit: 'MB', limit: 40, note: 'RSS, highest; fresh process, local voice detection, sent as fast as it is taken' }
  ]
}

async function open (server: BenchServer): Promise<WebSocket> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/realtime`)
  await once(socket, 'message')
  return socket
}

async function unread (): Promise<number> {
  const server = await start(['--input-type=module', '--eval', `
    import Fastify from 'fastify'
    import dramatis from ${JSON.stringify(join(packageRoot, 'dist', 'app.js'))}
    const engine = { name: 'canned', voices: ['one'], async * detect () {}, async * transcribe () {} }
    const tts = { ...engine, async * synthesize (words) {
      for await (const text of words) for (let n = 0; n < 18_000; n++) yield { text: n === 0 ? text : '', audio: new Int16Array(2400) }
    } }
    const llm = { name: 'canned', model: 'canned', async * generate () {
      yield { type: 'text', delta: 'Once upon a time.' }
      yield { type: 'end', reason: 'stop' }
    } }
    const app = Fastify()
    await app.register(dramatis, { vad: engine, stt: engine, tts, llm })
    console.log('listens on ' + await app.listen({ host: '127.0.0.1', port: 0 }))
    process.once('SIGTERM', () => process.exit())`], {})
  try {
    // A short answer first: what the first one of a process compiles and loads is not this client's.
    const warm = await open(server)
    warm.send(JSON.stringify({ type: 'response.create', response: { output_modalities: ['text'] } }))
    await delay(1000)
    const socket = await open(server)
    const before = server.memory()
    socket.pause()
    socket.send(JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Tell me a story.' }] } }))
    socket.send(JSON.stringify({ type: 'response.create' }))
    const most = await highest(server, () => delay(5000))
    socket.terminate()
    warm.terminate()
    return most - before
  } finally {
    await server.stop()
  }
}

async function send (socket: WebSocket, seconds: number, clearAfter = Infinity): Promise<void> {
  for (let second = 1; second <= seconds && socket.readyState === WebSocket.OPEN; second++) {
    socket.send(CHUNK)
    if (second % clearAfter === 0) socket.send(JSON.stringify({ type: 'input_audio_buffer.clear' }))
    while (socket.bufferedAmount > 1_000_000) await delay(1)
  }
  // Answered when all before it was read.
  const read = new Promise<void>(resolve => {
    socket.on('message', (data: Buffer) => { if (data.includes('session.characters.listed')) resolve() })
  })
  socket.send(JSON.stringify({ type: 'session.characters.list' }))
  await read
}

/** @param worked whether the process has heard another client before, which cleared its audio every ten seconds */
async function uncommitted (detection: object | null, worked: boolean): Promise<number> {
  const server = await startServer()
  try {
    if (worked) {
      const other = await open(server)
      other.send(JSON.stringify({ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: null } } } }))
      await send(other, 600, 10)
      other.close()
    }
    const socket = await open(server)
    socket.send(JSON.stringify({ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: detection } } } }))
    await delay(1000)
    const before = server.memory()
    const most = await highest(server, async () => {
      await send(socket, AUDIO_SECONDS)
      await delay(1000)
    })
    socket.terminate()
    return most - before
  } finally {
    await server.stop()
  }
}

async function highest (server: BenchServer, during: () => Promise<unknown>): Promise<number> {
  let most = server.memory()
  const timer = setInterval(() => { most = Math.max(most, server.memory()) }, 20)
  await during()
  clearInterval(timer)
  return most
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { packageRoot } from '../lib/package-root.js'
import { percentile, round, type Figure } from './figure.js'
import { flags, start, startPlugin, type BenchServer } from './server.js'

const TALKERS = 500
const STREAMS = 1000
/** The code that answers a turn is compiled by then, there as here. Milliseconds. */
const WARM_UP_MS = 5000
/** How often both servers are measured, one after the other: what else runs on the machine meets both. The figures are the medians. */
const ROUNDS = 3

const QUESTION = JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'How are you today, and what is new?' }] } })
const ASK = JSON.stringify({ type: 'response.create' })
const SETUP = JSON.stringify({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'], audio: { input: { turn_detection: null } } } })

/** What the protocol costs: text turns against a bare `ws` server that sends the same frames, and live audio that nobody detects. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const seconds = quick ? 4 : 10
  const frames = await recordTurn()
  const rounds: { floor: number, ours: number, events: number }[] = []
  for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
    const bare = await start([...flags, '--input-type=module', '--eval', bareServer(frames)], {})
    const floor = await turns(bare, seconds)
    await bare.stop()
    const server = await startPlugin({ limits: { sessions: 2000 } })
    const { cpu, events } = await turns(server, seconds)
    await server.stop()
    rounds.push({ floor: floor.cpu, ours: cpu, events })
  }
  const median = (of: (round: typeof rounds[number]) => number) => percentile(rounds.map(of), 50)

  const hear = async (flags?: readonly string[]) => {
    const server = await startPlugin({ limits: { sessions: 2000 } }, flags)
    const audio = await stream(server, seconds)
    await server.stop()
    return audio
  }
  const plain = await hear([])
  const audio = await hear()

  return [
    { name: 'bare ws, CPU an event', value: round(median(({ floor }) => floor)), unit: 'µs', note: `${TALKERS} sessions; the same frames, parsed, stringified and sent one by one` },
    { name: 'text turn, CPU an event', value: round(median(({ ours }) => ours)), unit: 'µs', note: `${TALKERS} sessions, ${frames.length + 2} events a turn, ${rounds.reduce((sum, { events }) => sum + events, 0)} events` },
    { name: 'text turn against bare ws', value: round(median(({ ours, floor }) => ours / floor)), unit: '', limit: 2, note: `median of ${rounds.length}: ${rounds.map(({ ours, floor }) => round(ours / floor)).join(' ')}` },
    { name: 'live audio, CPU', value: round(audio.core * 100), unit: '% of a core', limit: 60, note: `${STREAMS} sessions, 100 ms chunks in real time, no voice detection` },
    { name: 'live audio, small event p50', value: round(percentile(audio.pings, 50)), unit: 'ms' },
    { name: 'live audio, small event p99', value: round(percentile(audio.pings, 99)), unit: 'ms', limit: 20 },
    { name: 'the same without --max-semi-space-size, CPU', value: round(plain.core * 100), unit: '% of a core', note: 'of V8, which npm start gives' },
    { name: 'the same without it, small event p99', value: round(percentile(plain.pings, 99)), unit: 'ms' }
  ]
}

const endpointOf = (server: BenchServer): string => `${server.url.replace('http', 'ws')}/v1/realtime`

async function open (server: BenchServer, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = []
  for (let n = 0; n < count; n++) {
    const socket = new WebSocket(endpointOf(server))
    await once(socket, 'open')
    sockets.push(socket)
  }
  return sockets
}

/** The frames that answer one text turn. */
async function recordTurn (): Promise<string[]> {
  const server = await startPlugin()
  const [socket] = await open(server, 1)
  const frames: string[] = []
  socket!.send(SETUP)
  await until(socket!, 'session.updated')
  socket!.on('message', data => frames.push(String(data)))
  socket!.send(QUESTION)
  socket!.send(ASK)
  await until(socket!, 'rate_limits.updated')
  socket!.close()
  await server.stop()
  return frames
}

/** Parses what it gets, and answers `response.create` with the recorded frames: what any server has to do. */
function bareServer (frames: string[]): string {
  return `
    import { WebSocketServer } from ${JSON.stringify(join(packageRoot, 'node_modules', 'ws', 'wrapper.mjs'))}
    const frames = ${JSON.stringify(frames.map(frame => JSON.parse(frame)))}
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => console.log('listens on http://127.0.0.1:' + server.address().port))
    server.on('connection', socket => {
      socket.on('message', data => {
        const event = JSON.parse(data)
        if (event.type === 'session.update') socket.send(JSON.stringify({ type: 'session.updated' }))
        if (event.type === 'response.create') for (const frame of frames) socket.send(JSON.stringify(frame))
      })
    })
    process.once('SIGTERM', () => process.exit())`
}

function until (socket: WebSocket, type: string): Promise<void> {
  return new Promise(resolve => {
    const take = (data: unknown) => {
      if (!String(data).startsWith(`{"type":"${type}"`)) return
      socket.off('message', take)
      resolve()
    }
    socket.on('message', take)
  })
}

/** Every socket asks, waits for the end of the answer, and asks again after a while. */
async function turns (server: BenchServer, seconds: number): Promise<{ cpu: number, events: number }> {
  const sockets = await open(server, TALKERS)
  let events = 0
  let stopped = false
  for (const socket of sockets) {
    socket.send(SETUP)
    const ask = () => {
      socket.send(QUESTION)
      socket.send(ASK)
      events += 2
    }
    socket.on('message', (data: Buffer) => {
      events++
      // latin1 of the first bytes only: the client must not be the bottleneck.
      if (data.toString('latin1', 9, 28) === 'rate_limits.updated' && !stopped) setTimeout(ask, 300 + Math.random() * 400)
    })
    setTimeout(ask, Math.random() * 1000)
  }
  await delay(WARM_UP_MS)
  const before = { cpu: server.cpu(), events }
  await delay(seconds * 1000)
  const counted = events - before.events
  const cpu = (server.cpu() - before.cpu) * 1e6 / counted
  stopped = true
  for (const socket of sockets) socket.terminate()
  return { cpu, events: counted }
}

/** Every socket sends 100 ms of audio ten times a second; another client asks for small answers. */
async function stream (server: BenchServer, seconds: number): Promise<{ core: number, pings: number[] }> {
  const sockets = await open(server, STREAMS)
  const pinger = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'protocol', 'pinger.ts'), endpointOf(server)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pings: number[] = []
  createInterface(pinger.stdout).on('line', line => pings.push(Number(line)))
  for (const socket of sockets) socket.send(SETUP)
  const chunk = JSON.stringify({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800, 7).toString('base64') })
  const clear = JSON.stringify({ type: 'input_audio_buffer.clear' })
  const began = performance.now()
  let sent = 0
  const sending = setInterval(() => {
    // All that is due: an even load, as from people who do not know each other, in real time though this timer may be late.
    for (const due = (performance.now() - began) / 100 * sockets.length; sent < due; sent++) {
      const n = sent % sockets.length
      sockets[n]!.send(chunk)
      // Nobody commits here: every five seconds what was said is dropped, of each socket at another time.
      if (Math.floor(sent / sockets.length) % 50 === n % 50) sockets[n]!.send(clear)
    }
  }, 2)
  await delay(3000)
  const before = { cpu: server.cpu(), at: performance.now() }
  pings.length = 0
  await delay(seconds * 1000)
  const core = (server.cpu() - before.cpu) / ((performance.now() - before.at) / 1000)
  clearInterval(sending)
  pinger.kill()
  for (const socket of sockets) socket.terminate()
  return { core, pings }
}

import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { packageRoot } from '../lib/package-root.js'
import { percentile, round, type Figure } from './figure.js'
import { flags, start, type BenchServer } from './server.js'

const SESSIONS = 400
/** Two workers have half the turns each, and each compiles for itself, which still shows after ten seconds. Milliseconds. */
const WARM_UP_MS = 20_000
/** Both are measured in turn: what else runs on the machine meets both. */
const ROUNDS = 3
const SETUP = JSON.stringify({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'], audio: { input: { turn_detection: null } } } })
const QUESTION = JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'How are you today, and what is new?' }] } })
const ASK = JSON.stringify({ type: 'response.create' })

/** What a second process of sessions costs, and how evenly sessions are spread. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const seconds = quick ? 4 : 10
  const one: number[] = []
  const two: number[] = []
  let uneven = 0
  for (let n = 0; n < (quick ? 1 : ROUNDS); n++) {
    one.push((await measure(0, seconds)).turns)
    const both = await measure(2, seconds)
    two.push(both.turns)
    uneven = Math.max(uneven, both.uneven)
  }
  return [
    { name: 'one process, turns a CPU second', value: round(percentile(one, 50)), unit: '' },
    { name: 'two workers, turns a CPU second', value: round(percentile(two, 50)), unit: '', note: 'all processes together' },
    { name: 'two workers against one process', value: round(percentile(two.map((turns, n) => turns / one[n]!), 50)), unit: '', floor: 0.85, note: `${SESSIONS} sessions` },
    { name: 'furthest from an even spread', value: round(uneven * 100), unit: '%', limit: 10, note: `${SESSIONS} sessions, 2 workers, by their sockets` }
  ]
}

async function measure (workers: number, seconds: number): Promise<{ turns: number, uneven: number }> {
  const server = await start([...flags, join(packageRoot, 'dist', 'server.js')], {
    PORT: '0', LOG_LEVEL: 'warn', WORKERS: String(workers), EVENT_LOOP_LAG_MS: '0', STT_BASE_URL: 'http://127.0.0.1:9', STT_MODEL: 'x', TTS_BASE_URL: 'http://127.0.0.1:9', TTS_MODEL: 'x'
  })
  const sockets: WebSocket[] = []
  let turns = 0
  let stopped = false
  try {
    for (let n = 0; n < SESSIONS; n++) {
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/realtime`)
      await once(socket, 'open')
      sockets.push(socket)
      socket.send(SETUP)
      const ask = () => {
        if (stopped) return
        socket.send(QUESTION)
        socket.send(ASK)
      }
      socket.on('message', (data: Buffer) => {
        if (data.toString('latin1', 9, 28) !== 'rate_limits.updated') return
        turns++
        setTimeout(ask, 300 + Math.random() * 400)
      })
      setTimeout(ask, Math.random() * 1000)
    }
    await delay(WARM_UP_MS)
    const uneven = workers === 0 ? 0 : spread(server, workers)
    const before = { cpu: cpu(server), turns }
    await delay(seconds * 1000)
    return { turns: (turns - before.turns) / (cpu(server) - before.cpu), uneven }
  } finally {
    stopped = true
    for (const socket of sockets) socket.terminate()
    await server.stop()
  }
}

/** How far the worker that is furthest from it is from an even share, by the connections that each has. */
function spread ({ child, url }: BenchServer, workers: number): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set(readFileSync('/proc/net/tcp', 'utf8').split('\n').filter(line => new RegExp(`^\\s*\\d+: \\w+:${port} \\w+:\\w+ 01 `).test(line)).map(line => line.trim().split(/\s+/)[9]))
  const sessions = childrenOf(child.pid!).filter(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker.js'))
  const counts = sessions.map(pid => readdirSync(`/proc/${pid}/fd`).filter(fd => inodes.has(/^socket:\[(\d+)\]$/.exec(linkOf(pid, fd))?.[1])).length)
  return Math.max(...counts.map(count => Math.abs(count - SESSIONS / workers))) / (SESSIONS / workers)
}

/** Seconds of CPU of the server and all its processes. */
function cpu (server: BenchServer): number {
  return server.cpu() + childrenOf(server.child.pid!).reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) / 100
  }, 0)
}

function childrenOf (pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(text => text !== '').map(Number)
}

function linkOf (pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`)
  } catch {
    return ''
  }
}

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TestClient } from '../test/support/client.js'
import { temporaryDirectory, writeCast } from './cast.js'
import { percentile, round, type Figure } from './figure.js'
import { startPlugin, type BenchServer } from './server.js'

const SESSIONS = 50

/** Reloading as clients see it: how long it takes, that no cast leaks into another's answers, and what the others feel of it. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const seconds = quick ? 5 : 30
  const root = temporaryDirectory()
  for (let n = 0; n < SESSIONS; n++) writeCast({ directory: join(root, `cast${n}`), mark: `m${n}m` })
  const server = await startPlugin({ characters: { directory: join(root, 'cast0'), roots: { casts: root } } })
  try {
    const times = await reloadOne(server, quick ? 50 : 300)
    const quiet = await answers(server, seconds / 3)
    const busy = await underReloads(server, seconds)
    return [
      { name: 'reload of a known directory p50', value: round(percentile(times, 50)), unit: 'ms', limit: 3, note: 'session.characters.reload to .reloaded, 20 characters' },
      { name: 'reload of a known directory p95', value: round(percentile(times, 95)), unit: 'ms', limit: 8 },
      { name: 'answers that show another cast', value: busy.mixed, unit: `of ${busy.total}`, limit: 0, note: `${SESSIONS} casts, ${busy.reloads} reloads in ${seconds} s` },
      { name: 'answer p99, nobody reloads', value: round(percentile(quiet, 99)), unit: 'ms', note: `response.create to done, ${SESSIONS} sessions talk` },
      { name: 'answer p99, the others reload', value: round(percentile(busy.times, 99)), unit: 'ms' },
      { name: 'answer p99, change', value: round(percentile(busy.times, 99) - percentile(quiet, 99)), unit: 'ms', limit: 5 }
    ]
  } finally {
    await server.stop()
    rmSync(root, { recursive: true })
  }
}

async function connect (server: BenchServer, cast?: number): Promise<TestClient> {
  const query = cast === undefined ? '' : `?characters=casts/cast${cast}`
  return TestClient.connect(`${server.url.replace('http', 'ws')}/v1/realtime${query}`)
}

async function reloadOne (server: BenchServer, rounds: number): Promise<number[]> {
  const client = await connect(server)
  const times: number[] = []
  for (let round = 0; round < rounds + 5; round++) {
    const since = performance.now()
    client.send({ type: 'session.characters.reload', directory: 'default' })
    await client.next('session.characters.reloaded')
    // The first ones load the client's own code.
    if (round >= 5) times.push(performance.now() - since)
    await client.next('session.updated')
  }
  await client.close()
  return times
}

/** One session that asks without end, and the time of each of its answers. */
async function ask (client: TestClient, until: number): Promise<number[]> {
  const times: number[] = []
  while (performance.now() < until) {
    const since = performance.now()
    client.send({ type: 'response.create', response: { output_modalities: ['text'], conversation: 'none', input: [] } })
    await client.next('response.done')
    times.push(performance.now() - since)
    await delay(20)
  }
  return times
}

/** The others talk at a person's pace. */
async function converse (client: TestClient, mark: string, until: number, reload?: (client: TestClient) => Promise<void>): Promise<{ mixed: number, total: number, reloads: number }> {
  const count = { mixed: 0, total: 0, reloads: 0 }
  while (performance.now() < until) {
    const answer = await client.ask('Who are you?')
    count.total++
    if (!answer.includes(mark)) count.mixed++
    if (reload !== undefined) {
      await reload(client)
      count.reloads++
    }
    await delay(100 + Math.random() * 400)
  }
  return count
}

async function answers (server: BenchServer, seconds: number): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: SESSIONS }, (_, n) => connect(server, n)))
  const until = performance.now() + seconds * 1000
  const [times] = await Promise.all([ask(clients[0]!, until), ...clients.slice(1).map((client, n) => converse(client, `m${n + 1}m`, until))])
  await Promise.all(clients.map(client => client.close()))
  return times
}

async function underReloads (server: BenchServer, seconds: number): Promise<{ times: number[], mixed: number, total: number, reloads: number }> {
  const clients = await Promise.all(Array.from({ length: SESSIONS }, (_, n) => connect(server, n)))
  const until = performance.now() + seconds * 1000
  const measured = ask(clients[0]!, until)
  const counts = await Promise.all(clients.slice(1).map((client, n) => converse(client, `m${n + 1}m`, until, async client => {
    client.send({ type: 'session.characters.reload', directory: `casts/cast${n + 1}` })
    await client.next('session.characters.reloaded')
    await client.next('session.updated')
  })))
  const times = await measured
  await Promise.all(clients.map(client => client.close()))
  const sum = (key: 'mixed' | 'total' | 'reloads') => counts.reduce((total, count) => total + count[key], 0)
  return { times, mixed: sum('mixed'), total: sum('total'), reloads: sum('reloads') }
}

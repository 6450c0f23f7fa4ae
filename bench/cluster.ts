import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { RedisServer } from '../test/support/redis.js'
import { percentile, round, type Figure } from './figure.js'
import { startPlugin, type BenchServer } from './server.js'

const LEASE_SECONDS = 5
const QUESTION = JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'How are you?' }] } })
const ASK = JSON.stringify({ type: 'response.create', response: { output_modalities: ['text'] } })
const key = (name: string): Record<string, string> => ({ authorization: `Bearer sk-key-of-${name}` })

/** What a fleet costs a session that opens, and what it does when a server or Redis is gone. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const ends: (() => unknown)[] = []
  const teardown = (end: () => unknown): void => { ends.push(end) }
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  teardown(() => rmSync(folder, { recursive: true }))
  const keysFile = join(folder, 'keys.json')
  const sessions = { fifty: 50, any: 100_000 }
  writeFileSync(keysFile, JSON.stringify({ keys: Object.fromEntries(Object.entries(sessions).map(([name, most]) => [name, { key: `sk-key-of-${name}`, sessions: most }])) }))
  const limits = { eventLoopLagMs: 0, engineLagMs: 0 }
  const begin = async (cluster: object): Promise<BenchServer> => {
    const server = await startPlugin({ keysFile, limits, cluster })
    teardown(() => server.child.kill('SIGKILL'))
    return server
  }
  try {
    const redis = await RedisServer.start({ teardown } as Parameters<typeof RedisServer.start>[0])
    const alone = await begin({})
    const fleet = await Promise.all(['a', 'b', 'c'].map(async node => await begin({ redisUrl: redis.url, node, leaseSeconds: LEASE_SECONDS })))
    return [
      ...await opening(alone, fleet[0]!, quick ? 200 : 1000),
      ...await race(fleet),
      ...await outage(redis, fleet, quick ? 5 : 30),
      ...await death(redis, fleet, quick ? 20 : 200)
    ]
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** In turn, so that what else runs on the machine meets both. */
async function opening (alone: BenchServer, member: BenchServer, count: number): Promise<Figure[]> {
  const took = { alone: [] as number[], member: [] as number[] }
  for (let n = -20; n < count; n++) {
    for (const [which, server] of [['alone', alone], ['member', member]] as const) {
      const began = performance.now()
      const client = await connect(server)
      if (n >= 0) took[which].push(performance.now() - began)
      client!.socket.close()
      await client!.closed
    }
  }
  const more = percentile(took.member, 50) - percentile(took.alone, 50)
  return [
    { name: 'open a session, store in memory, p50', value: round(percentile(took.alone, 50)), unit: 'ms' },
    { name: 'open a session, store in Redis, p50', value: round(percentile(took.member, 50)), unit: 'ms', note: `p95 ${round(percentile(took.member, 95))}, in memory ${round(percentile(took.alone, 95))}` },
    { name: 'what Redis adds, p50', value: round(more), unit: 'ms', limit: 2, note: `${count} openings, to session.created` }
  ]
}

async function race (fleet: BenchServer[]): Promise<Figure[]> {
  const clients = await Promise.all(Array.from({ length: 200 }, async (_, index) => await connect(fleet[index % 3]!, 'fifty')))
  const admitted = clients.filter(client => client !== null)
  for (const client of admitted) client.socket.terminate()
  return [{ name: 'admitted of 200 at once, limit 50', value: admitted.length, unit: '', limit: 50, floor: 50, note: 'over three servers' }]
}

/** Redis is stopped while sessions talk and others come. */
async function outage (redis: RedisServer, fleet: BenchServer[], seconds: number): Promise<Figure[]> {
  const clients = (await Promise.all(Array.from({ length: 60 }, async (_, index) => await connect(fleet[index % 3]!)))).filter(client => client !== null)
  const until = performance.now() + (seconds + 4) * 1000
  let turns = 0
  const talking = Promise.all(clients.map(async client => {
    while (performance.now() < until && client.open) {
      await client.ask()
      turns++
      await delay(500)
    }
  }))
  await delay(2000)
  await redis.stop()
  const back = performance.now() + seconds * 1000
  let refused = 0
  let came = 0
  while (performance.now() < back) {
    const client = await connect(fleet[came++ % 3]!)
    if (client === null) refused++
    else clients.push(client)
    await delay(200)
  }
  await redis.resume()
  const since = performance.now()
  while ((await directory(fleet[0]!)).length < clients.length) await delay(20)
  const healed = performance.now() - since
  await talking
  const lost = clients.filter(client => !client.open).length
  for (const client of clients) client.socket.close()
  await Promise.all(clients.map(async client => await client.closed))
  return [
    { name: 'sessions lost while Redis was gone', value: lost, unit: '', limit: 0, note: `${seconds} s, ${clients.length} sessions, ${turns} turns` },
    { name: 'refused of those that came meanwhile', value: refused, unit: '', limit: 0, note: `${came} came` },
    { name: 'all in the directory again after', value: round(healed), unit: 'ms' }
  ]
}

/** One of three servers is killed, and the clients of its sessions come back to the others at once; ends that one. */
async function death (redis: RedisServer, fleet: BenchServer[], each: number): Promise<Figure[]> {
  while ((await directory(fleet[0]!)).length > 0) await delay(20)
  const own = []
  for (const server of fleet) own.push((await Promise.all(Array.from({ length: each }, async () => await connect(server, 'any', '?resume=new')))).filter(client => client !== null))
  await Promise.all(own.flat().map(async client => await client.ask()))
  // The end of an answer is written right behind it.
  while (kept(redis) < 3 * each) await delay(50)
  const all = (await directory(fleet[0]!)).length
  fleet[2]!.child.kill('SIGKILL')
  const since = performance.now()
  const lost = own[2]!
  const again = await Promise.all(lost.map(async (client, index) => {
    await client.closed
    return await connect(fleet[index % 2]!, 'any', `?resume=${client.created.session.resume.token}`)
  }))
  const back = (performance.now() - since) / 1000
  const whole = again.filter((client, index) => {
    const { id, resume } = client?.created.session ?? {}
    return id === lost[index]!.created.session.id && resume.resumed === true && resume.item_count === 2
  })
  while ((await directory(fleet[0]!)).some(({ node }) => node === 'c')) await delay(20)
  const left = (performance.now() - since) / 1000
  const others = [...own[0]!, ...own[1]!]
  const live = [...others, ...again.filter(client => client !== null)]
  await Promise.all(live.map(async client => await client.ask()))
  const noticed = others.filter(client => !client.open).length
  const count = (await directory(fleet[0]!)).length
  for (const client of live) client.socket.terminate()
  return [
    { name: 'sessions of a killed server leave the directory after', value: round(left), unit: 's', limit: LEASE_SECONDS, note: `lease ${LEASE_SECONDS} s; ${all} sessions before, ${count} after` },
    { name: 'sessions of a killed server taken up on another', value: round(100 * whole.length / each), unit: '%', floor: 100, note: `${whole.length} of ${each}, with all they had said, ${round(back)} s after it was killed` },
    { name: 'other sessions that noticed', value: noticed, unit: '', limit: 0 }
  ]
}

/** Sessions that can be taken up, with both a question and an answer. */
function kept (redis: RedisServer): number {
  return Number(redis.ask('EVAL', `
    local count = 0
    for _, key in ipairs(redis.call('KEYS', 'dramatis:value:resume:*')) do
      local items = 0
      for _, field in ipairs(redis.call('HKEYS', key)) do if string.sub(field, 1, 6) == '.item:' then items = items + 1 end end
      if items == 2 then count = count + 1 end
    end
    return count`, '0'))
}

async function directory (server: BenchServer): Promise<{ id: string, node: string }[]> {
  const sessions: { id: string, node: string }[] = []
  let after: string | null = ''
  while (after !== null) {
    const response = await fetch(`${server.url}/v1/sessions?limit=1000${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`, { headers: key('any') })
    const page = await response.json() as { data: { id: string, node: string }[], next: string | null }
    sessions.push(...page.data)
    after = page.next
  }
  return sessions
}

class Client {
  readonly socket: WebSocket
  readonly closed: Promise<void>
  open = true
  /** The first event. */
  created: any
  #done: (() => void) | null = null

  constructor (socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise(resolve => socket.on('close', () => {
      this.open = false
      this.#done?.()
      resolve()
    }))
    socket.on('message', data => { if (String(data).includes('"type":"response.done"')) this.#done?.() })
  }

  async ask (): Promise<void> {
    this.socket.send(QUESTION)
    this.socket.send(ASK)
    await new Promise<void>(resolve => { this.#done = resolve })
  }
}

/** Null: it was refused. */
function connect ({ url }: BenchServer, name = 'any', query = ''): Promise<Client | null> {
  return new Promise(resolve => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime${query}`, { headers: key(name) })
    const client = new Client(socket)
    socket.once('message', data => {
      client.created = JSON.parse(String(data))
      resolve(client)
    })
    socket.on('error', () => resolve(null))
  })
}

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisStore } from '../lib/cluster/redis-store.js'
import { round, type Benchmark } from './figure.js'

/** Of a conversation whose turns take a quarter of a minute: two items a turn. */
const ITEMS_A_SECOND = 2 / 15
/** Sessions that begin and end, of 1,000 that are there: each lasts ten minutes. */
const CHURN_A_SECOND = 1000 / 600
const ITEM = JSON.stringify({ rank: 0, item: { id: 'item_000000000000000000000', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_text', text: 'x'.repeat(200) }] } })
/** Nodes of the fleet that is played, and what each has on the way at a time. */
const NODES = 8
const DEPTH = 32

/**
 * What a fleet asks of Redis, played against a real one: sessions are opened, kept with each item, and closed, as
 * fast as Redis can. From the CPU that takes follows how much of it any number of sessions needs.
 */
const redis: Benchmark = async ({ quick }) => {
  const sessions = quick ? 2000 : 20_000
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = once(child, 'close')
  try {
    let output = ''
    while (!output.includes('Ready to accept')) output += String((await once(child.stdout, 'data'))[0])
    child.stdout.resume()
    const stores = await Promise.all(Array.from({ length: NODES }, async (_, node) => {
      const store = new RedisStore({ url: `redis://127.0.0.1:${port}`, prefix: 'bench' })
      await store.start()
      await store.join({ node: `n${node}`, instance: 'i', leaseMs: 600_000, draining: false, limit: sessions }, [])
      return store
    }))
    const cpu = (): number => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
      return (Number(fields[11]) + Number(fields[12])) / 100
    }
    const memory = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) * 1024

    /** Does something once for each session, so many at a time; CPU of Redis in microseconds, and commands a second. */
    const each = async (act: (store: RedisStore, node: string, id: string) => Promise<unknown>) => {
      const [began, before] = [performance.now(), cpu()]
      let next = 0
      await Promise.all(Array.from({ length: NODES * DEPTH }, async () => {
        for (let index = next++; index < sessions; index = next++) await act(stores[index % NODES]!, `n${index % NODES}`, `sess_${index}`)
      }))
      return { us: (cpu() - before) * 1e6 / sessions, rate: sessions / (performance.now() - began) * 1000 }
    }
    const places = [{ name: 'key:kiosk', most: null }]
    const empty = memory()
    const opened = await each((store, node, id) => store.openSession({ node, instance: 'i' }, { id, places, rate: null }))
    const begun = await each((store, node, id) => store.put('resume', id, { session: 'x'.repeat(1000), at: node }, 600_000))
    let kept = { us: 0, rate: 0 }
    const items = 10
    for (let item = 0; item < items; item++) {
      const one = await each((store, node, id) => store.patch('resume', id, { set: { [`item:${item}`]: ITEM } }, 600_000))
      kept = { us: kept.us + one.us / items, rate: kept.rate + one.rate / items }
    }
    const full = memory()
    const closed = await each(async (store, node, id) => {
      await store.closeSession({ node, instance: 'i' }, { id, places: places.map(({ name }) => name) }, { space: 'resume', name: id, delete: true })
    })
    await Promise.all(stores.map(store => store.end()))

    const plain = CHURN_A_SECOND * (opened.us + closed.us) / 1e6
    const resumable = ITEMS_A_SECOND * 1000 * kept.us / 1e6 + CHURN_A_SECOND * (opened.us + begun.us + closed.us) / 1e6
    const cores = (share: number, count: number) => round(share * count / 1000 * 100)
    const bytes = (full - empty) / sessions
    return [
      { name: 'CPU of Redis: open a session', value: round(opened.us), unit: 'µs', note: `${Math.round(opened.rate)} a second` },
      { name: 'CPU of Redis: keep a finished item', value: round(kept.us), unit: 'µs', note: `${Math.round(kept.rate)} a second` },
      { name: 'CPU of Redis: close a session and forget it', value: round(closed.us), unit: 'µs', note: 'one command' },
      { name: 'memory of Redis: a session with ten items kept', value: round(bytes / 1024), unit: 'KB' },
      { name: 'core of Redis, 10,000 sessions', value: cores(plain, 10_000), unit: '%', limit: 100, note: 'none resumable; each lasts ten minutes' },
      { name: 'core of Redis, 10,000 resumable sessions', value: cores(resumable, 10_000), unit: '%', limit: 100, note: 'a turn each quarter of a minute' },
      { name: 'core of Redis, 1,000,000 sessions', value: cores(plain, 1_000_000), unit: '%', note: 'none resumable' },
      { name: 'core of Redis, 1,000,000 resumable sessions', value: cores(resumable, 1_000_000), unit: '%', note: 'over 100: so many fleets, each with a Redis of its own' }
    ]
  } finally {
    child.kill('SIGKILL')
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
}

export default redis

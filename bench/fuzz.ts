import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { illFormed, wellFormed } from '../test/support/hostile/arbitraries.js'
import { Attacker } from '../test/support/hostile/attacker.js'
import { createRandom, mutatedFrames, recordedSessions, toFrame, type Frame, type Random } from '../test/support/hostile/mutations.js'
import { round, type Figure } from './figure.js'
import { startWatched } from './soak/watch.js'

/** Frames between two checks that the session still serves, and checks of one session. */
const FRAMES_A_CHECK = 200
const CHECKS_A_SESSION = 10
const AT_ONCE = 8
const PATIENCE_MS = 30_000

/**
 * Malformed and hostile frames, and well-formed ones among them: nobody may crash, every session must serve what
 * comes after, and no memory may be left. `FUZZ_SEED` repeats a run.
 */
export default async function ({ quick }: { quick: boolean }): Promise<Figure[]> {
  const frames = quick ? 50_000 : 1_000_000
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9)
  process.stderr.write(`fuzz: FUZZ_SEED=${seed}\n`)
  const server = await startWatched()
  try {
    await attack(server.url, frames / 20, seed - 1)
    const before = await server.probe()
    const started = performance.now()
    const { sent, faults, crashes } = await attack(server.url, frames, seed)
    const seconds = (performance.now() - started) / 1000
    for (const fault of faults.slice(0, 5)) process.stderr.write(`fuzz: ${fault.slice(0, 500)}\n`)
    const after = await server.probe()
    const grown = (key: 'heap' | 'rss'): number => round((after[key] + (key === 'heap' ? after.external : 0)) / (before[key] + (key === 'heap' ? before.external : 0)))
    return [
      { name: 'frames', value: sent, unit: '', floor: frames, note: `${round(sent / seconds / 1000)} thousand a second, seed ${seed}` },
      { name: 'crashes', value: crashes, unit: '', limit: 0 },
      { name: 'sessions that did not serve afterwards', value: faults.length, unit: `of ${Math.ceil(sent / FRAMES_A_CHECK)} checks`, limit: 0 },
      { name: 'heap and buffers, after / before', value: grown('heap'), unit: '', limit: 1.1, note: `${round((after.heap + after.external) / 1e6)} MB` },
      { name: 'resident memory, after / before', value: grown('rss'), unit: '', limit: 1.1, note: `${round(after.rss / 1e6)} MB` },
      { name: 'namespaces alive', value: after.namespaces, unit: '', limit: 0 }
    ]
  } finally {
    await server.stop()
  }
}

async function attack (url: string, count: number, seed: number): Promise<{ sent: number, faults: string[], crashes: number }> {
  const pool = [
    ...fc.sample(illFormed, { numRuns: 4000, seed }).map(toFrame),
    ...fc.sample(wellFormed, { numRuns: 2000, seed }).map(event => toFrame(JSON.stringify(event)))
  ]
  const result = { sent: 0, faults: [] as string[], crashes: 0 }
  await Promise.all(Array.from({ length: AT_ONCE }, async (_, n) => {
    const random = createRandom(seed * AT_ONCE + n)
    const sources = [false, true].map(beta => mix(random, pool, mutatedFrames(random, recordedSessions.filter(session => session.beta === beta))))
    while (result.sent < count && result.crashes === 0) {
      const beta = random(4) === 0
      const fault = await session(url, beta, sources[Number(beta)]!, result).catch((error: Error) => {
        result.crashes++
        return `seed ${seed}: ${error.message}`
      })
      if (fault !== null) result.faults.push(fault)
    }
  }))
  return result
}

function * mix (random: Random, pool: readonly Frame[], mutated: Generator<Frame, never>): Generator<Frame, never> {
  for (;;) yield random(3) === 0 ? pool[random(pool.length)]! : mutated.next().value
}

/** What is wrong if a session does not answer at all. */
const late = (): Promise<string> => delay(PATIENCE_MS, 'an event was not answered', { ref: false })

async function session (url: string, beta: boolean, frames: Generator<Frame, never>, result: { sent: number }): Promise<string | null> {
  const attacker = await Attacker.connect(`${url.replace('http', 'ws')}/v1/realtime`, beta)
  try {
    for (let check = 0; check < CHECKS_A_SESSION; check++) {
      for (let n = 0; n < FRAMES_A_CHECK; n++) attacker.send(frames.next().value)
      result.sent += FRAMES_A_CHECK
      const fault = await Promise.race([attacker.check(), late()])
      if (fault !== null) return fault
    }
    return null
  } finally {
    await attacker.close()
  }
}

import { createRandom } from '../test/support/hostile/mutations.js'
import { round, slope, type Figure } from './figure.js'
import { startWatched } from './soak/watch.js'
import { visits } from './soak/visit.js'

const SAMPLES = 20

/** Sessions that are opened, reloaded, used and closed in every order, over the socket: what is left of them. */
export default async function ({ quick, sessions = quick ? 2000 : 10_000 }: { quick?: boolean, sessions?: number }): Promise<Figure[]> {
  const server = await startWatched()
  try {
    const random = createRandom(sessions)
    await visits(server.url, Math.max(500, sessions / 5), random)
    // The first probe makes a series of its own.
    await server.probe()
    const before = await server.probe()
    const heaps: [number, number][] = [[0, before.heap]]
    for (let n = 1; n <= SAMPLES; n++) {
      await visits(server.url, sessions / SAMPLES, random)
      heaps.push([n * sessions / SAMPLES, (await server.probe()).heap])
    }
    let after = await server.probe()
    for (let n = 0; n < 20 && after.collected < after.released; n++) after = await server.probe()
    return [
      { name: 'heap kept a session', value: round(slope(heaps)), unit: 'B', limit: 200, note: `${sessions} sessions; least squares through ${SAMPLES + 1} samples` },
      { name: 'heap before and after', value: round(after.heap / before.heap), unit: '', note: `${round(before.heap / 1e6)} and ${round(after.heap / 1e6)} MB` },
      { name: 'namespaces alive', value: after.namespaces, unit: '', limit: 0 },
      { name: 'casts not collected', value: after.released - after.collected, unit: `of ${after.released}`, limit: 0 },
      { name: '/metrics longer by', value: after.metricsBytes - before.metricsBytes, unit: 'B', limit: 0, note: 'digits of values left out' },
      { name: 'handles that are new', value: Number(after.handles !== before.handles), unit: '', limit: 0, note: after.handles }
    ]
  } finally {
    await server.stop()
  }
}

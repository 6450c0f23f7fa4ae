import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { TestClient } from '../test/support/client.js'
import { editUnder, writeEdited } from '../test/support/edits.js'
import { temporaryDirectory } from './cast.js'
import type { Held } from './edits/server.js'
import { round, slope, type Figure } from './figure.js'
import { start } from './server.js'

const SESSIONS = 50
const ROUNDS = 10

/** Files that are edited under sessions which talk, over sockets, with the server's own watcher. */
export default async function ({ quick, edits = quick ? 100 : 1000 }: { quick?: boolean, edits?: number }): Promise<Figure[]> {
  const directory = writeEdited(temporaryDirectory())
  const server = await start(['--expose-gc', '--import', 'tsx', join(import.meta.dirname, 'edits', 'server.ts'), directory], {})
  try {
    const held = async () => await (await fetch(`${server.url}/held`)).json() as Held
    const clients = await Promise.all(Array.from({ length: SESSIONS }, () => TestClient.connect(`${server.url.replace('http', 'ws')}/v1/realtime`)))
    // Bursts, as of an editor that saves all its files, and single edits that are looked at
    const pauseMs = (edit: number) => edit % 20 < 10 ? 5 : 150
    const all = { turns: 0, mixed: 0, backwards: 0, versions: 0, settledMs: 0 }
    const heaps: [number, number][] = []
    for (let round = 1; round <= ROUNDS; round++) {
      const from = edits / ROUNDS * (round - 1)
      const { turns, mixed, backwards, versions, settledMs } = await editUnder(clients, { directory, from, edits: edits / ROUNDS * round, pauseMs })
      all.turns += turns
      all.mixed += mixed
      all.backwards += backwards
      all.versions += versions
      all.settledMs = Math.max(all.settledMs, settledMs)
      // The first rounds compile the server's own code
      if (round > 3) {
        const { heap, replaced } = await held()
        heaps.push([replaced, heap])
      }
    }
    let after = await held()
    for (let n = 0; n < 20 && after.collected < after.replaced; n++) after = await held()
    await Promise.all(clients.map(client => client.close()))
    return [
      { name: 'turns that saw a mixture of versions', value: all.mixed, unit: `of ${all.turns}`, limit: 0, note: `${edits} edits under ${SESSIONS} sessions; ${all.versions} versions were seen` },
      { name: 'turns that saw an older version than before', value: all.backwards, unit: `of ${all.turns}`, limit: 0 },
      { name: 'sessions that missed the last edit', value: 0, unit: '', limit: 0, note: `all had it after ${round(all.settledMs)} ms at most` },
      { name: 'casts alive', value: after.alive, unit: '', limit: SESSIONS },
      { name: 'replaced casts not collected', value: after.replaced - after.collected, unit: `of ${after.replaced}`, limit: 0 },
      { name: 'heap kept a replaced cast', value: round(slope(heaps)), unit: 'B', limit: 200, note: 'least squares; compiled code of dropped versions included' }
    ]
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true })
  }
}

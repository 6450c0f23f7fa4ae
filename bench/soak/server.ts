/**
 * A server that tells what it holds: `GET /probe` collects garbage and answers with a {@link Probe}. Run with
 * --expose-gc and --import tsx. Its engines answer at once.
 */
import Fastify from 'fastify'
import dramatis from '../../app.js'
import { CharacterRegistry } from '../../lib/characters/registry.js'
import { cannedEngines } from '../../test/support/engines.js'
import { temporaryDirectory, writeCast } from '../cast.js'

export interface Probe {
  /** Bytes. */
  heap: number
  external: number
  rss: number
  /** Kinds of what is open, each with its number. */
  handles: string
  /** Casts that were let go, and those of them that were collected. */
  released: number
  collected: number
}

const gc = globalThis.gc!
const count = { released: 0, collected: 0 }
const finalizer = new FinalizationRegistry<void>(() => { count.collected++ })
const purge = CharacterRegistry.prototype.purge
CharacterRegistry.prototype.purge = function () {
  const held = this.first()?.instructions
  if (held !== undefined) {
    count.released++
    finalizer.register(held, undefined)
  }
  return purge.call(this)
}

const engines = cannedEngines()
const { generate } = engines.llm
engines.llm.generate = (request, options) => {
  engines.llm.requests.length = 0
  return generate(request, options)
}

const app = Fastify()
app.get('/probe', async (): Promise<Probe> => {
  for (let n = 0; n < 4; n++) {
    await new Promise(resolve => setTimeout(resolve, 5))
    gc()
  }
  const { heapUsed: heap, external, rss } = process.memoryUsage()
  const types = process.getActiveResourcesInfo().filter(type => type !== 'Immediate' && type !== 'Timeout')
  const handles = [...new Set(types)].sort().map(type => `${type} ${types.filter(other => other === type).length}`).join(', ')
  return { heap, external, rss, handles, ...count }
})
const characters = { directory: writeCast({ characters: 5 }), roots: { other: writeCast({ characters: 5, mark: 'other' }), empty: temporaryDirectory() } }
// What hostile clients send faster than that would only be read more slowly; and nobody is refused on a busy machine.
await app.register(dramatis, { ...engines, characters, limits: { sessions: 5000, eventsPerSecond: 1_000_000, waitingReloads: 10_000, eventLoopLagMs: 0 } })
process.stdout.write(`listens on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
process.once('SIGTERM', () => process.exit())

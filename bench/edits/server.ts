/** A server that watches the directory it is given and tells what it holds: run with --expose-gc and --import tsx. */
import Fastify from 'fastify'
import dramatis from '../../app.js'
import { Cast } from '../../lib/characters/cast.js'
import { cannedEngines, says } from '../../test/support/engines.js'

export interface Held {
  /** Bytes. */
  heap: number
  /** Casts of sessions that were replaced, and those of them that were collected. */
  replaced: number
  collected: number
  /** Casts alive. */
  alive: number
}

const gc = globalThis.gc!
const count = { replaced: 0, collected: 0 }
const finalizer = new FinalizationRegistry<void>(() => { count.collected++ })
const purge = Cast.prototype.purge
Cast.prototype.purge = function () {
  // What a module of it made: as long as that is held, all of the module's memory is
  const held = this.characters[0]?.instructions
  if (held !== undefined) {
    count.replaced++
    finalizer.register(held, undefined)
  }
  return purge.call(this)
}

const engines = cannedEngines(({ messages }) => {
  engines.llm.requests.length = 0
  return says(String(messages[0]!.content))
})
const app = Fastify()
app.get('/held', async (): Promise<Held> => {
  for (let n = 0; n < 4; n++) {
    await new Promise(resolve => setTimeout(resolve, 5))
    gc()
  }
  const page = await (await fetch(`http://127.0.0.1:${(app.server.address() as { port: number }).port}/metrics`)).text()
  return { heap: process.memoryUsage().heapUsed, ...count, alive: Number(/^dramatis_namespaces (\d+)/m.exec(page)?.[1]) }
})
await app.register(dramatis, { ...engines, characters: { directory: process.argv[2]!, watch: true } })
process.stdout.write(`listens on ${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
process.once('SIGTERM', () => process.exit())

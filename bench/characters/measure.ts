/** One measurement in a process of its own; prints its numbers as JSON. `node --expose-gc measure.js <what> [size]` */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import { temporaryDirectory, writeCast, writeNativeCast } from '../cast.js'

const [,, what = '', given = '0'] = process.argv
const size = Number(given)
const gc = globalThis.gc!
const session = { id: 'bench', startedAt: new Date(), language: null }
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function heap (): Promise<number> {
  for (let n = 0; n < 3; n++) {
    await pause(20)
    gc()
  }
  return process.memoryUsage().heapUsed
}

const measurements: Record<string, () => Promise<object>> = {
  /** CPU of opening and closing sessions of a known cast: the first ones of a process, for which V8 compiles the code, and as many after them. */
  async open () {
    const library = createCharacterLibrary({ directory: writeCast() })
    for (let n = 0; n < 10; n++) await (await library.open(session)).purge()
    await pause(100)
    const open = async () => {
      let cpuMs = 0
      let purgeMs = 0
      for (let n = 0; n < size; n++) {
        const start = process.cpuUsage()
        const registry = await library.open(session)
        const opened = process.cpuUsage(start)
        const middle = process.cpuUsage()
        await registry.purge()
        const closed = process.cpuUsage(middle)
        cpuMs += (opened.user + opened.system) / 1000
        purgeMs += (closed.user + closed.system) / 1000
      }
      return { cpuMs: cpuMs / size, purgeMs: purgeMs / size }
    }
    const first = await open()
    const then = await open()
    await library.close()
    return { firstMs: first.cpuMs, ...then }
  },

  /** First load of a cast that was never seen: by a library just made, or after a restart, when the server has loaded its default cast. */
  async start () {
    const library = createCharacterLibrary({ directory: writeCast({ mark: 'start' }), roots: { other: writeCast({ mark: 'other' }) } })
    const load = async (directory: string): Promise<number> => {
      const start = performance.now()
      const registry = await library.open(session, directory)
      if (registry.size !== 20) throw new Error(JSON.stringify(registry.report.errors))
      return performance.now() - start
    }
    const coldMs = await load('default')
    await pause(500)
    const restartMs = await load('other')
    await library.close()
    return { coldMs, restartMs }
  },

  /** First loads of casts that were never seen, in a server that runs; the last one after nobody has needed the compiler for long. */
  async first () {
    const roots = Object.fromEntries(Array.from({ length: size + 2 }, (_, n) => [`r${n}`, writeCast({ mark: `first ${n}` })]))
    const library = createCharacterLibrary({ directory: temporaryDirectory(), roots })
    const load = async (n: number): Promise<number> => {
      const start = performance.now()
      await library.open(session, `r${n}`)
      return performance.now() - start
    }
    await load(size)
    const times: number[] = []
    for (let n = 0; n < size; n++) times.push(await load(n))
    await pause(4000)
    const restedMs = await load(size + 1)
    await library.close()
    return { restedMs, times }
  },

  /** Ten casts that were never seen, at once, and the delay of the event loop meanwhile. */
  async ten () {
    const roots = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`r${n}`, writeCast({ mark: `ten ${n}` })]))
    const library = createCharacterLibrary({ directory: writeCast(), roots })
    await library.open(session)
    await pause(200)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const start = performance.now()
    await Promise.all(Object.keys(roots).map(root => library.open(session, root)))
    const ms = performance.now() - start
    delay.disable()
    await library.close()
    return { ms, delayP99: delay.percentile(99) / 1e6 }
  },

  /** Heap of live sessions, beyond sessions without characters. */
  async heap () {
    const library = createCharacterLibrary({ directory: writeCast(), roots: { empty: temporaryDirectory() } })
    await library.open(session)
    const held: unknown[] = [await library.open(session, 'empty')]
    const measure = async (directory: string): Promise<number> => {
      const before = await heap()
      for (let n = 0; n < size; n++) held.push(await library.open({ ...session }, directory))
      return (await heap() - before) / size
    }
    const without = await measure('empty')
    const full = await measure('default')
    const live = library.live
    await library.close()
    return { bytes: full - without, live, held: held.length }
  },

  /** The same cast through `import(file?session=n)`: helpers shared, nothing ever freed. */
  async native () {
    const directory = writeNativeCast()
    const files = readdirSync(directory).filter(name => name.endsWith('.js')).map(name => pathToFileURL(join(directory, name)).href)
    const open = (n: number) => Promise.all(files.map(file => import(`${file}?session=${n}`)))
    for (let n = 0; n < 5; n++) await open(-n - 1)
    const before = await heap()
    const start = process.cpuUsage()
    for (let n = 0; n < size; n++) await open(n)
    const { user, system } = process.cpuUsage(start)
    return { cpuMs: (user + system) / 1000 / size, bytes: (await heap() - before) / size }
  }
}

process.stdout.write(JSON.stringify(await measurements[what]!()) + '\n')

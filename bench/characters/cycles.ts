/**
 * Sessions that open, talk, reload and close in every order, with characters among them that throw,
 * loop and never clear a timer. Prints what is left of them, as JSON. Run with --expose-gc:
 *
 *     node --expose-gc --import tsx bench/characters/cycles.ts [cycles] [characters]
 *
 * How far it is goes to standard error.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import type { CharacterRegistry } from '../../lib/characters/registry.js'
import { temporaryDirectory, writeCast } from '../cast.js'
import { slope } from '../figure.js'

const cycles = Number(process.argv[2] ?? 10_000)
const characters = Number(process.argv[3] ?? 20)
/** Cycles that run at the same time. */
const TOGETHER = 5
const gc = globalThis.gc!

const resources = () => process.getActiveResourcesInfo().filter(type => type !== 'Immediate').sort().join()
const signal = () => new AbortController().signal

/** Characters that misbehave, all at once. */
function writeTroublemakers (): string {
  const directory = temporaryDirectory()
  const put = (name: string, before: string, body: string, more = '') => writeFileSync(join(directory, `${name}.ts`), `${before}
export default { name: '${name}', voice: { source: 'file', path: '${name}' }, instructions: { prompt: 'p' }, async systemPrompt (context: any) { ${body} }, ${more} }`)
  put('good', '', 'return \'good\'')
  put('throws', 'class Own extends Error { held = new Array(100).fill(1) }', 'throw new Own(\'no\')')
  put('top', 'throw new Error(\'top\')', 'return \'\'')
  put('timers', 'const held = new Array(1000).fill(1)\nsetInterval(() => held.push(1), 1e6)\nglobalThis.setTimeout(() => held, 1e6)\nsetImmediate(() => setInterval(() => held, 1e6))', 'setInterval(() => context, 1e6); return \'timers\'')
  put('listens', 'process.on(\'SIGUSR2\', () => {})\nimport net from \'node:net\'\nexport const server = net.createServer()', 'return \'listens\'')
  put('waits', '', 'await new Promise(() => {}); return context')
  put('awaits', 'await null\nexport const later = await import(\'./resources/later.js\')', 'return later.text')
  put('globals', '(globalThis as any).kept = new Array(1000).fill(1)', 'throw \'text\'')
  mkdirSync(join(directory, 'resources'))
  writeFileSync(join(directory, 'resources/later.ts'), 'export const text: string = await Promise.resolve(\'later\')')
  return directory
}

const troubled = writeTroublemakers()
const looping = temporaryDirectory()
writeFileSync(join(looping, 'a.ts'), 'for (;;) {}')
writeFileSync(join(looping, 'b.ts'), 'export default { name: \'loops\', voice: { source: \'file\', path: \'x\' }, instructions: { prompt: \'p\' }, systemPrompt () { for (;;) {} } }')

const library = createCharacterLibrary({
  directory: writeCast({ characters }),
  roots: { other: writeCast({ characters, mark: 'other' }), troubled, looping },
  limits: { loadMs: 60, syncMs: 60, settleMs: 1, disposeMs: 1 }
})

const seen = { registered: 0, collected: 0 }
const finalizer = new FinalizationRegistry<void>(() => { seen.collected++ })

/** An object that only the namespace and who asks it know. */
function register (registry: CharacterRegistry): void {
  for (const name of registry.names().slice(0, 1)) {
    seen.registered++
    finalizer.register(registry.find(name)!.instructions, undefined)
  }
}

async function talk (registry: CharacterRegistry): Promise<void> {
  await Promise.all(registry.names().slice(0, 7).map(async name => {
    const controller = new AbortController()
    const call = registry.find(name)!.systemPrompt(controller.signal).catch(() => {})
    if (name === 'waits') setImmediate(() => controller.abort())
    await call
  }))
  await registry.first()?.runTool('look_around', { place: 'tower' }, signal()).catch(() => {})
}

async function cycle (n: number): Promise<void> {
  const registry = await library.open({ id: String(n), startedAt: new Date(), language: 'en' }, n % 7 === 3 ? 'troubled' : 'default')
  register(registry)
  const directory = n % 5 === 0 ? 'troubled' : n % 200 === 1 ? 'looping' : 'other'
  const reload = async () => {
    await registry.reload(directory).catch(() => {})
    register(registry)
  }
  switch (n % 6) {
    case 0: await talk(registry); await reload(); await talk(registry); break
    case 1: await reload(); await talk(registry); break
    case 2: await Promise.all([reload(), talk(registry)]); break
    case 3: reload().catch(() => {}); break
    case 4: talk(registry).catch(() => {}); break
    case 5: await registry.reload('nowhere').catch(() => {})
  }
  await registry.purge()
}

const settle = async () => {
  for (let n = 0; n < 3; n++) {
    await new Promise(resolve => setTimeout(resolve, 5))
    gc()
  }
}

/** Some at once: most of a cycle is waiting. */
async function run (from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += TOGETHER) await Promise.all(Array.from({ length: Math.min(TOGETHER, to - n) }, (_, index) => cycle(n + index)))
}

/** Whoever ends a run that takes too long learns how far it got. */
function tell (what: string): void {
  process.stderr.write(`${what}: ${seen.registered} namespaces, ${seen.collected} collected, ${library.live} casts live, heap ${process.memoryUsage().heapUsed} B\n`)
}

// Until the caches are full and the code is optimised, the heap grows by itself
await run(0, Math.max(1000, cycles / 10))
await settle()
tell('warm')
const before = resources()
const listeners = process.listenerCount('SIGUSR2')
const samples: [cycle: number, heap: number][] = []
const started = performance.now()
const step = Math.ceil(cycles / 20)
for (let n = 0; n < cycles; n += step) {
  await settle()
  samples.push([n, process.memoryUsage().heapUsed])
  await run(n, Math.min(cycles, n + step))
  tell(`${Math.min(cycles, n + step)} cycles`)
}
const seconds = (performance.now() - started) / 1000
await settle()
samples.push([cycles, process.memoryUsage().heapUsed])
for (let n = 0; n < 20 && seen.collected < seen.registered; n++) await settle()
const after = resources()
const live = library.live
await library.close()

process.stdout.write(JSON.stringify({ cycles, seconds, slope: slope(samples), ...seen, live, before, after, listeners: process.listenerCount('SIGUSR2') - listeners }) + '\n')

/**
 * What a cast costs: opening, compiling, holding and forgetting it. Each measurement runs in a plain
 * Node process of its own, from code that is compiled first, so that no loader is measured with it.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { percentile, round, type Benchmark, type Figure } from './figure.js'

const run = promisify(execFile)
const folder = import.meta.dirname
const built = join(folder, '../node_modules/.cache/dramatis-bench')

async function measure<T> (script: string, ...args: unknown[]): Promise<T> {
  const { stdout } = await run(process.execPath, ['--expose-gc', join(built, `${script}.mjs`), ...args.map(String)], { env: process.env, maxBuffer: 1e8 })
  return JSON.parse(stdout) as T
}

async function python<T> (...args: unknown[]): Promise<T | undefined> {
  try {
    const { stdout } = await run('python3', [join(folder, 'characters/importlib.py'), ...args.map(String)])
    return JSON.parse(stdout) as T
  } catch {
    return undefined
  }
}

async function repeat<T> (times: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let n = 0; n < times; n++) results.push(await run())
  return results
}

interface Cost { cpuMs: number, bytes: number }

const benchmark: Benchmark = async ({ quick }) => {
  await build({
    entryPoints: [join(folder, 'characters/measure.ts'), join(folder, 'characters/cycles.ts')],
    outdir: built,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error'
  })
  const figures: Figure[] = []
  const add = (name: string, value: number, unit: string, more: Partial<Figure> = {}) => { figures.push({ name, value: round(value), unit, ...more }) }

  const open = await measure<{ firstMs: number, cpuMs: number, purgeMs: number }>('measure', 'open', quick ? 300 : 2000)
  add('open a session, 20 known characters', open.cpuMs, 'ms CPU', { limit: 0.6, note: `file checks and watchdog included; ${round(open.firstMs)} of the first ${quick ? 300 : 2000} of a process, which V8 compiles for` })
  add('close it', open.purgeMs, 'ms CPU')

  const first = await measure<{ restedMs: number, times: number[] }>('measure', 'first', quick ? 3 : 10)
  add('first load of 20 new files', percentile(first.times, 50), 'ms', { limit: 80, note: `slowest ${round(Math.max(...first.times))} ms` })
  add('the same after four idle seconds', first.restedMs, 'ms', { limit: 80 })
  const starts = await repeat(quick ? 1 : 5, () => measure<{ coldMs: number, restartMs: number }>('measure', 'start'))
  add('the same after a restart', percentile(starts.map(({ restartMs }) => restartMs), 50), 'ms', { limit: 80, note: 'the server has loaded its default cast; nothing is kept on disk' })
  add('the same in a library just made', percentile(starts.map(({ coldMs }) => coldMs), 50), 'ms', { note: 'the compiler is started, too: what a server does before it listens' })

  const ten = await repeat(quick ? 1 : 5, () => measure<{ ms: number, delayP99: number }>('measure', 'ten'))
  add('ten new directories at once', percentile(ten.map(({ ms }) => ms), 50), 'ms', { limit: 250, note: `slowest of ${ten.length} ${round(Math.max(...ten.map(({ ms }) => ms)))} ms` })
  add('event-loop delay meanwhile, p99', percentile(ten.map(({ delayP99 }) => delayP99), 50), 'ms', { limit: 15, note: `worst ${round(Math.max(...ten.map(({ delayP99 }) => delayP99)))} ms` })

  const heap = await measure<{ bytes: number }>('measure', 'heap', quick ? 200 : 1000)
  add('heap a live session, 20 characters', heap.bytes / 1024, 'KB', { limit: 100, note: 'beyond a session without characters' })
  if (!quick) {
    const many = await measure<{ bytes: number, live: number }>('measure', 'heap', 5000)
    add('heap a live session, of 5,000', many.bytes / 1024, 'KB', { limit: 100 })
  }

  const cycles = await measure<{ slope: number, registered: number, collected: number, before: string, after: string }>('cycles', quick ? 1000 : 10_000)
  add('retained heap a cycle of open, reload, talk, close', cycles.slope, 'B', { limit: 200, note: `over ${quick ? 1000 : 10_000} cycles, by regression` })
  add('namespaces not collected', cycles.registered - cycles.collected, '', { limit: 0, note: `of ${cycles.registered}` })
  add('handles left', cycles.before === cycles.after ? 0 : 1, '', { limit: 0 })

  const native = await measure<Cost>('measure', 'native', quick ? 30 : 200)
  add('native import(?session) against opening', native.cpuMs / open.cpuMs, 'times', { floor: 1, note: `${round(native.cpuMs)} ms CPU, ${round(native.bytes / 1024)} KB a session, never freed` })
  const importlib = await python<Cost>(quick ? 30 : 200)
  if (importlib !== undefined) {
    add('Python importlib against opening', importlib.cpuMs / open.cpuMs, 'times', { floor: 1, note: `${round(importlib.cpuMs)} ms CPU, ${round(importlib.bytes / 1024)} KB a session` })
  }
  return figures
}

export default benchmark

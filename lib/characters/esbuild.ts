/**
 * The compiler's child process. It stands by as long as a library may compile, so that a first load
 * does not wait for it to start: 8 MB. What has grown by work is replaced when nobody needed it for a
 * while. It is never a reason for the process to stay alive.
 *
 * esbuild keeps one child for each copy of its module, and stopping it fails the transforms of
 * everybody who shares the copy. So we load a copy of our own, which tsx, vite or an embedder never see.
 */
import { createRequire } from 'node:module'
import type * as Esbuild from 'esbuild'

/** What the file is called for esbuild; the names of generated variables derive from it. */
export const NAME = 'cast'

export const options = {
  format: 'cjs',
  platform: 'neutral',
  target: 'node20',
  charset: 'utf8',
  sourcefile: `${NAME}.ts`,
  sourcemap: 'external',
  sourcesContent: false,
  logLevel: 'silent',
  tsconfigRaw: '{}'
} as const satisfies Esbuild.TransformOptions

/** Only for sources that need it: with anything defined esbuild sets up its table of all globals anew, a sixth of the time of a file. */
const DEFINE = { 'import.meta': '__meta' }

/** Milliseconds without work until a child that has worked is replaced, or stopped if nobody holds the compiler. */
const IDLE = 3_000

/** The child works on all that it has at once: the first of many would be ready as late as the last, and we idle meanwhile. */
const AT_ONCE = 16

/** Its garbage collector would take a third of its time, for a heap that hardly grows in the second that it works. */
const CHILD_ENVIRONMENT = { GOGC: '800' }

const require = createRequire(import.meta.url)
let esbuild: typeof Esbuild | undefined
/** The child that runs. */
let child: symbol | undefined
let running = 0
const waiting: (() => void)[] = []
let holders = 0
let idle: NodeJS.Timeout | undefined

function ownCopy (): typeof Esbuild {
  const path = require.resolve('esbuild')
  const shared = require.cache[path]
  delete require.cache[path]
  try {
    return require(path) as typeof Esbuild
  } finally {
    if (shared === undefined) delete require.cache[path]
    else require.cache[path] = shared
  }
}

/** Starts the child, unless it runs: a millisecond. */
function start (): typeof Esbuild {
  esbuild ??= ownCopy()
  if (child !== undefined) return esbuild
  // The child gets the environment of this very moment
  const missing = Object.entries(CHILD_ENVIRONMENT).filter(([name]) => process.env[name] === undefined)
  for (const [name, value] of missing) process.env[name] = value
  try {
    esbuild.initialize({}).catch(() => {}) // It is ready at once; whoever compiles learns what is wrong
  } finally {
    for (const [name] of missing) delete process.env[name]
  }
  child = Symbol('child')
  return esbuild
}

/** Transforms off the event loop; `import.meta` becomes `__meta`. Rejects with esbuild's `TransformFailure`. */
export async function transform (source: string, given: Esbuild.TransformOptions): Promise<Esbuild.TransformResult> {
  const options = /\bmeta\b/.test(source) ? { ...given, define: DEFINE } : given
  running++
  clearTimeout(idle)
  if (running > AT_ONCE) await new Promise<void>(resolve => { waiting.push(resolve) })
  let asked: symbol | undefined
  try {
    const esbuild = start()
    asked = child
    return await esbuild.transform(source, options)
  } catch (error) {
    if (isTransformFailure(error)) throw error
    if (asked === child) await end() // It died: another one does it
    return await start().transform(source, options)
  } finally {
    waiting.shift()?.()
    if (--running === 0) idle = setTimeout(rest, holders === 0 ? 0 : IDLE).unref()
  }
}

export function isTransformFailure (error: unknown): error is Esbuild.TransformFailure {
  return error instanceof Error && Array.isArray((error as Partial<Esbuild.TransformFailure>).errors)
}

/** A library that may compile holds the compiler; when the last one lets go, the child ends at once. */
export function holdCompiler (): () => Promise<void> {
  holders++
  try { start() } catch {} // Whoever compiles learns why
  let held = true
  return async () => {
    if (!held) return
    held = false
    if (--holders === 0) await rest()
  }
}

async function rest (): Promise<void> {
  clearTimeout(idle)
  if (running > 0) return
  await end()
  if (holders > 0) start()
}

async function end (): Promise<void> {
  child = undefined
  await esbuild?.stop()
}

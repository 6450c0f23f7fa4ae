/**
 * The compiler's child process: started by the first transform, stopped when nobody needed it for a
 * while (it holds up to 130 MB), never a reason for the process to stay alive.
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
  define: { 'import.meta': '__meta' },
  tsconfigRaw: '{}'
} as const satisfies Esbuild.TransformOptions

/** Milliseconds without work until the child is stopped. */
const IDLE = 3_000

const require = createRequire(import.meta.url)
let esbuild: typeof Esbuild | undefined
let running = 0
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

/** Transforms off the event loop. Rejects with esbuild's `TransformFailure`. */
export async function transform (source: string, options: Esbuild.TransformOptions): Promise<Esbuild.TransformResult> {
  esbuild ??= ownCopy()
  running++
  clearTimeout(idle)
  try {
    return await esbuild.transform(source, options)
  } catch (error) {
    if (isTransformFailure(error)) throw error
    await esbuild.stop() // The child died: the next transform starts another one
    return await esbuild.transform(source, options)
  } finally {
    if (--running === 0) idle = setTimeout(stop, holders === 0 ? 0 : IDLE).unref()
  }
}

export function isTransformFailure (error: unknown): error is Esbuild.TransformFailure {
  return error instanceof Error && Array.isArray((error as Partial<Esbuild.TransformFailure>).errors)
}

/** A library that may compile holds the service; when the last one lets go, the child ends at once. */
export function holdCompiler (): () => Promise<void> {
  holders++
  let held = true
  return async () => {
    if (!held) return
    held = false
    if (--holders === 0 && running === 0) await stop()
  }
}

async function stop (): Promise<void> {
  clearTimeout(idle)
  if (running === 0) await esbuild?.stop()
}

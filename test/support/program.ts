import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'
import { packageRoot } from '../../lib/package-root.js'

const tsx = join(packageRoot, 'node_modules', 'tsx', 'dist')

/** What the tsx command adds; with `--import tsx` alone, worker threads do not load TypeScript. */
export const loader = ['--require', join(tsx, 'preflight.cjs'), '--import', pathToFileURL(join(tsx, 'loader.mjs')).href]

/** Whether `npm run build` has been run since the last change. */
export const isBuilt = ((): boolean => {
  const server = join(packageRoot, 'dist', 'server.js')
  if (!existsSync(server)) return false
  const { mtimeMs } = statSync(server)
  const files = ['lib', 'plugins', 'routes', 'cli'].flatMap(folder => readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)))
  return ['app.ts', 'server.ts', 'worker.ts', ...files].every(file => statSync(join(packageRoot, file)).mtimeMs <= mtimeMs)
})()

/** A module of ours: as built, or else from source, of which every process takes seconds to be translated. */
export function moduleFile (name: string): string {
  return isBuilt ? join(packageRoot, 'dist', `${name}.js`) : join(packageRoot, `${name}.ts`)
}

/** What Node is given to run a program of ours. */
export function program (name: 'server' | 'cli/dramatis'): string[] {
  return [...isBuilt ? ['--enable-source-maps'] : loader, moduleFile(name)]
}

/**
 * What Node is given, with the root of the package as its working directory, to run a program of the tests that imports
 * nothing of ours but types and what {@link moduleFile} names: where ours is built, translated here once for all its
 * processes, as the loader takes each of them more than a second. Its one argument is the last of `process.argv`.
 */
export function supportProgram (name: string): string[] {
  const file = join(packageRoot, 'test', 'support', `${name}.ts`)
  if (!isBuilt) return [...loader, file]
  let code = translated.get(file)
  if (code === undefined) {
    code = buildSync({ entryPoints: [file], bundle: true, write: false, platform: 'node', format: 'esm', packages: 'external' }).outputFiles[0]!.text
    translated.set(file, code)
  }
  return ['--input-type=module', '--eval', code]
}

const translated = new Map<string, string>()

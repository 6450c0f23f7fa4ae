/**
 * npm packages and builtins for characters: one instance a process, imported natively.
 *
 * Node resolves a bare specifier only from the module that asks, and our modules are not modules to
 * Node. So the package is looked up here the way Node does it (`node_modules` upwards from the
 * character file, `exports` with the conditions of an import), and by Node itself from the server.
 */
import { readFileSync, statSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isInside } from './source.js'

export { isBuiltin }

const CONDITIONS = ['node', 'import', 'module-sync', 'default']

interface Manifest { exports?: unknown, main?: string }

/** `name/sub/path` or `@scope/name/sub/path` in its parts; undefined if it is nothing that a package could be called. */
export function readPackageName (specifier: string): { name: string, subpath: string } | undefined {
  const parts = specifier.split('/')
  const count = specifier.startsWith('@') ? 2 : 1
  if (parts.length < count) return undefined
  const clean = parts.every(part => part !== '' && part !== '.' && part !== '..' && !/[\\%\0?#:]/.test(part))
  if (!clean || specifier.startsWith('#') || specifier.startsWith('.')) return undefined
  return { name: parts.slice(0, count).join('/'), subpath: ['.', ...parts.slice(count)].join('/') }
}

/** URL of what a bare specifier means to a file, or undefined if no `node_modules` above it has the package. */
export function resolvePackage (specifier: string, from: string): string | undefined {
  const wanted = readPackageName(specifier)
  if (wanted === undefined) return undefined
  for (let directory = dirname(from); ; directory = dirname(directory)) {
    const folder = join(directory, 'node_modules', wanted.name)
    const manifest = readManifest(folder)
    if (manifest !== undefined) return resolveInside(folder, manifest, specifier, wanted.subpath)
    if (directory === dirname(directory)) return undefined
  }
}

/** The namespace object of a package or builtin, resolved from the file and then from the server. */
export async function importHost (specifier: string, from: string): Promise<object> {
  if (isBuiltin(specifier)) return await import(specifier) as object
  const url = resolvePackage(specifier, from)
  return await import(url ?? specifier) as object
}

function readManifest (folder: string): Manifest | undefined {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  } catch {
    return {}
  }
}

function resolveInside (folder: string, manifest: Manifest, specifier: string, subpath: string): string {
  if (manifest.exports === undefined || manifest.exports === null) {
    return pathToFileURL(createRequire(join(folder, 'package.json')).resolve(subpath === '.' ? folder : join(folder, subpath))).href
  }
  const target = resolveExports(manifest.exports, subpath)
  const path = target === undefined ? undefined : join(folder, target)
  if (path === undefined || !isInside(folder, path)) throw new Error(`Package '${specifier}' does not export '${subpath}'.`)
  return pathToFileURL(path).href
}

/** `exports` of a package.json: a target, conditions, or subpaths with at most one `*`. */
function resolveExports (exports: unknown, subpath: string): string | undefined {
  const isMap = typeof exports === 'object' && exports !== null && !Array.isArray(exports) && Object.keys(exports).some(key => key.startsWith('.'))
  if (!isMap) return subpath === '.' ? resolveTarget(exports, '') : undefined
  const map = exports as Record<string, unknown>
  if (Object.hasOwn(map, subpath)) return resolveTarget(map[subpath], '')
  let best: { key: string, rest: string } | undefined
  for (const key of Object.keys(map)) {
    const star = key.indexOf('*')
    if (star === -1) continue
    const tail = key.slice(star + 1)
    if (!subpath.startsWith(key.slice(0, star)) || !subpath.endsWith(tail) || subpath.length < key.length) continue
    if (best === undefined || key.length > best.key.length) best = { key, rest: subpath.slice(star, subpath.length - tail.length) }
  }
  return best === undefined ? undefined : resolveTarget(map[best.key], best.rest)
}

function resolveTarget (target: unknown, rest: string): string | undefined {
  if (typeof target === 'string') return target.replaceAll('*', rest)
  if (Array.isArray(target)) {
    for (const one of target) {
      const found = resolveTarget(one, rest)
      if (found !== undefined) return found
    }
  } else if (typeof target === 'object' && target !== null) {
    for (const condition of Object.keys(target)) {
      if (!CONDITIONS.includes(condition)) continue
      const found = resolveTarget((target as Record<string, unknown>)[condition], rest)
      if (found !== undefined) return found
    }
  }
  return undefined
}

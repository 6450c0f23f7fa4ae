/** What an import specifier of a cast means: a file inside the root, a builtin, a package, or nothing that is allowed. */
import { dirname, extname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isBuiltin, readPackageName } from './packages.js'
import { isInside, isUnchanged, OutsideRoot, readSource, type Source } from './source.js'
import { Lru } from './lru.js'
import type { Language } from './compiler.js'

/** The module that a cast gets from us, wherever it lies. */
export const PROVIDED = 'dramatis/character'

export const languages: Readonly<Record<string, Language>> = { '.ts': 'ts', '.mts': 'ts', '.js': 'js', '.mjs': 'js', '.json': 'json' }
const EXTENSIONS = Object.keys(languages)
/** TypeScript's custom: what is imported as `.js` may have been written as `.ts`. */
const WRITTEN_AS: Readonly<Record<string, string>> = { '.js': '.ts', '.mjs': '.mts' }

export type Target =
  | { kind: 'file', paths: Iterable<string> }
  | { kind: 'host' }
  | { kind: 'provided' }

/** What is wrong with an import, worded for its author. */
export class ImportProblem extends Error {}

/** @param from real path of the importing file */
export function readSpecifier (specifier: string, from: string, root: string): Target {
  if (specifier === PROVIDED) return { kind: 'provided' }
  if (isBuiltin(specifier)) return { kind: 'host' }
  if (specifier.startsWith('./') || specifier.startsWith('../') || specifier === '.' || specifier === '..') {
    return { kind: 'file', paths: candidates(toPath(specifier, from, root)) }
  }
  if (readPackageName(specifier) === undefined) {
    throw new ImportProblem(`'${specifier}' cannot be imported: a character imports files of its root by a relative path, packages and node: modules.`)
  }
  return { kind: 'host' }
}

/** What means the same as a URL and as a path: nearly all that people write. */
const PLAIN = /^\.\.?(\/[\w.-]+)+$/

/** Relative specifiers are URLs, as in any ES module: decoded once, no query. */
function toPath (specifier: string, from: string, root: string): string {
  let path: string
  if (PLAIN.test(specifier)) path = join(dirname(from), specifier)
  else {
    try {
      const url = new URL(specifier, pathToFileURL(from))
      if (url.search !== '' || url.hash !== '') throw new Error('it has a query')
      path = fileURLToPath(url)
    } catch (error) {
      throw new ImportProblem(`'${specifier}' is not a path: ${(error as Error).message}.`)
    }
  }
  if (path.includes('\0')) throw new ImportProblem(`'${JSON.stringify(specifier).slice(1, -1)}' is not a path: it has a NUL.`)
  if (!isInside(root, path)) throw outside(specifier)
  return path
}

export function outside (specifier: string): ImportProblem {
  return new ImportProblem(`'${specifier}' lies outside of the root.`)
}

/** Nearly always it is the first, and the others are never made. */
function * candidates (path: string): Iterable<string> {
  const extension = extname(path)
  if (languages[extension] !== undefined) yield path
  const written = WRITTEN_AS[extension]
  if (written !== undefined) yield path.slice(0, -extension.length) + written
  for (const extension of EXTENSIONS) yield path + extension
  const folder = path.endsWith(sep) ? path : path + sep
  for (const extension of EXTENSIONS) yield `${folder}index${extension}`
}

/** What was at a path, while one plan is made: many files import the same ones. */
export type SeenPaths = Map<string, Source | undefined>

/** The sources of all casts: read when first asked and when changed. */
export class Sources {
  readonly #known: Lru<Source>

  constructor (bytes: number) {
    this.#known = new Lru(bytes)
  }

  /** The file at a path, or undefined. Throws {@link OutsideRoot}. */
  read (path: string, root: string): Source | undefined {
    const known = this.#known.get(path)
    if (known !== undefined && isUnchanged(path, known.stamp) && isInside(root, known.file)) return known
    const source = readSource(path, root)
    if (source === undefined) this.#known.delete(path)
    else this.#known.set(path, source, source.text.length)
    return source
  }

  /** The first that exists. `absent` gets the paths that would have come before it; what was `seen` is not looked at again. */
  readFirst (specifier: string, paths: Iterable<string>, root: string, absent: Set<string>, seen: SeenPaths = new Map()): Source {
    for (const path of paths) {
      let source
      try {
        source = seen.has(path) ? seen.get(path) : this.read(path, root)
        seen.set(path, source)
      } catch (error) {
        if (error instanceof OutsideRoot) throw outside(specifier)
        throw new ImportProblem(`'${specifier}' cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}.`)
      }
      if (source !== undefined) return source
      absent.add(path)
    }
    throw new ImportProblem(`'${specifier}' is not found.`)
  }

  clear (): void {
    this.#known.clear()
  }
}

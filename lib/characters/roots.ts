/**
 * The directories that casts may come from: named roots, chosen by whoever runs the server. A client
 * names a directory by its root (`team`, `team/winter`) or by an absolute path inside one. It cannot
 * learn anything about what lies outside: that answer is the same whether it exists or not.
 */
import { accessSync, constants, lstatSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { RealtimeError, type ErrorCode } from '../errors.js'
import { OptionsError } from '../options.js'
import { isInside } from './source.js'

/** The root of the default cast. */
export const DEFAULT_ROOT = 'default'

export interface Place {
  /** What it is called in answers: `default`, `team/winter`. */
  readonly name: string
  /** Real path. */
  readonly path: string
  /** Real path of its root, beyond which nothing is imported. */
  readonly root: string
  /** The file that has it, by its real path, and the folders to it in there, if it is packed: Packs gives it a path. */
  readonly pack?: { readonly file: string, readonly below: readonly string[] }
}

/** What a packed cast's file ends in. */
export const PACK_EXTENSION = '.zip'

export class Roots {
  /** Absolute path by name. */
  readonly #roots = new Map<string, string>()

  constructor (directory: string, roots: Readonly<Record<string, string>> = {}) {
    this.#roots.set(DEFAULT_ROOT, resolve(directory))
    for (const [name, path] of Object.entries(roots)) {
      const problem = findProblem(name, path)
      if (problem !== undefined) throw new OptionsError(`The characters' root '${name}' is wrong: ${problem}.`)
      this.#roots.set(name, resolve(path))
    }
  }

  /** These roots without those that are not named; the default cast's stays. */
  only (names: readonly string[]): Roots {
    const named = [...this.#roots].filter(([name]) => name !== DEFAULT_ROOT && names.includes(name))
    return new Roots(this.#roots.get(DEFAULT_ROOT)!, Object.fromEntries(named))
  }

  /** The directory that a client means. Throws a {@link RealtimeError} of the four directory codes. */
  resolve (directory: unknown): Place {
    if (typeof directory !== 'string' || directory.trim() === '' || directory.includes('\0')) {
      throw refuse('invalid_directory_format', 'The directory must be the name of a root, a path below one, or an absolute path inside one.')
    }
    return isAbsolute(directory) ? this.#resolvePath(directory) : this.#resolveName(directory)
  }

  #resolveName (directory: string): Place {
    const [name, ...below] = directory.split('/')
    if (below.at(-1) === '') below.pop()
    const root = this.#roots.get(name!)
    if (root === undefined || below.some(part => part === '' || part === '.' || part === '..')) throw notAllowed()
    return this.#check(name!, root, join(root, ...below))
  }

  #resolvePath (directory: string): Place {
    const path = resolve(directory)
    let best: { name: string, root: string, base: string } | undefined
    for (const [name, root] of this.#roots) {
      for (const base of new Set([root, real(root) ?? root])) {
        if (isInside(base, path) && (best === undefined || base.length > best.base.length)) best = { name, root, base }
      }
    }
    if (best === undefined) throw notAllowed()
    return this.#check(best.name, best.root, join(best.root, relative(best.base, path)))
  }

  #check (name: string, root: string, path: string): Place {
    const realRoot = real(root)
    if (realRoot === undefined) throw refuse('directory_not_found', 'The directory does not exist.')
    const pack = findPack(root, path)
    if (pack !== undefined) return checkPack(name, realRoot, pack)
    const realPath = path === root ? realRoot : real(path)
    if (realPath === undefined) throw refuseMissing(path, realRoot)
    if (!isInside(realRoot, realPath)) throw notAllowed()
    const below = relative(realRoot, realPath)
    try {
      if (!statSync(realPath).isDirectory()) throw refuse('directory_not_readable', 'That is not a directory.')
      accessSync(realPath, constants.R_OK | constants.X_OK)
    } catch (error) {
      if (error instanceof RealtimeError) throw error
      throw refuse('directory_not_readable', 'The directory cannot be read.')
    }
    return { name: below === '' ? name : `${name}/${below.split(sep).join('/')}`, path: realPath, root: realRoot }
  }
}

/** The first file on the way from a root to a path that is a packed cast, and the folders after it. */
function findPack (root: string, path: string): { file: string, below: string[] } | undefined {
  const parts = relative(root, path).split(sep).filter(part => part !== '')
  for (let count = 0; count <= parts.length; count++) {
    const file = join(root, ...parts.slice(0, count))
    if (file.endsWith(PACK_EXTENSION) && statSync(file, { throwIfNoEntry: false })?.isFile()) return { file, below: parts.slice(count) }
  }
  return undefined
}

function checkPack (name: string, realRoot: string, { file, below }: { file: string, below: string[] }): Place {
  const realFile = real(file)
  if (realFile === undefined) throw refuse('directory_not_found', 'The directory does not exist.')
  if (!isInside(realRoot, realFile)) throw notAllowed()
  try {
    accessSync(realFile, constants.R_OK)
  } catch {
    throw refuse('directory_not_readable', 'The directory cannot be read.')
  }
  const names = [...relative(realRoot, realFile).split(sep), ...below].filter(part => part !== '')
  return { name: [name, ...names].join('/'), path: realFile, root: realRoot, pack: { file: realFile, below } }
}

/** What is wrong with a root as the server is given it. A relative path is one from where the server runs. */
function findProblem (name: string, path: unknown): string | undefined {
  if (name === DEFAULT_ROOT) return 'that is the name of the default cast\'s directory'
  if (!/^[\w-][\w.-]*$/.test(name)) return 'its name may have letters, digits, \'.\', \'_\' and \'-\''
  if (typeof path !== 'string' || path.trim() === '' || path.includes('\0')) return 'it has no path'
  return undefined
}

/**
 * Nothing is there. If the way to it leaves the root before it ends, even that must not be told:
 * the nearest thing that does exist decides.
 */
function refuseMissing (path: string, root: string): RealtimeError {
  for (let above = path; ; above = dirname(above)) {
    const exists = real(above)
    if (exists !== undefined) {
      return isInside(root, exists) ? refuse('directory_not_found', 'The directory does not exist.') : notAllowed()
    }
    // A link that leads nowhere: where to is nobody's business
    if (isLink(above)) return notAllowed()
    if (above === dirname(above)) return notAllowed()
  }
}

function isLink (path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}

function real (path: string): string | undefined {
  try {
    return realpathSync.native(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw refuse('directory_not_readable', 'The directory cannot be read.')
    return undefined
  }
}

function notAllowed (): RealtimeError {
  return refuse('directory_not_allowed', 'The directory is outside of every root.')
}

export function refuse (code: ErrorCode, message: string): RealtimeError {
  return new RealtimeError(code, { message, param: 'directory' })
}

/**
 * Files of casts, read once per change. An unchanged file costs one `stat`.
 *
 * What is read is what was checked: the file is opened first, and then the real path of what was
 * opened must lie inside the root. A symlink that is swapped between check and read changes nothing.
 */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync, statSync, type Stats } from 'node:fs'
import { sep } from 'node:path'

export interface Source {
  /** Real path. */
  readonly file: string
  readonly text: string
  /** Of the content. */
  readonly hash: string
  readonly stamp: Stamp
}

/** What a `stat` says of a file. Two equal stamps mean the same content, unless the file changed within its clock's tick. */
export interface Stamp {
  readonly device: number
  readonly inode: number
  readonly size: number
  readonly modified: number
  readonly changed: number
  /** Whether it had rested when it was read: another write would then show. */
  readonly settled: boolean
}

export class OutsideRoot extends Error {}

/** Milliseconds a file must have rested for its stamp to be trusted: more than the clock ticks of common file systems. */
const REST = 50

/** Bytes a single file may have. */
const MAX_FILE = 4 * 1024 * 1024

export function toStamp (stats: Stats): Stamp {
  return {
    device: stats.dev,
    inode: stats.ino,
    size: stats.size,
    modified: stats.mtimeMs,
    changed: stats.ctimeMs,
    settled: Date.now() - Math.max(stats.mtimeMs, stats.ctimeMs) > REST
  }
}

/** Whether the path still holds what the stamp says. One `stat`. */
export function isUnchanged (path: string, stamp: Stamp): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && stamp.settled && isSame(stats, stamp)
}

/** Whether the path holds what it held when it was read, as far as one can tell at once. One `stat`. */
export function isStill (path: string, stamp: Stamp): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && isSame(stats, stamp)
}

function isSame (stats: Stats, stamp: Stamp): boolean {
  return stats.ino === stamp.inode && stats.dev === stamp.device && stats.size === stamp.size &&
    stats.mtimeMs === stamp.modified && stats.ctimeMs === stamp.changed
}

/** Whether a real path lies in a directory given by its real path, or is it. */
export function isInside (directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
}

/** A file that is open for reading, and what it was when it was opened. Whoever asked closes the descriptor. */
export interface OpenedFile {
  readonly descriptor: number
  /** Real path. */
  readonly file: string
  readonly stamp: Stamp
}

/**
 * Opens a file that must lie inside the root (a real path). Undefined if there is none, or it is no
 * file; throws {@link OutsideRoot}, or the system's error if it cannot be read.
 */
export function openInside (path: string, root: string): OpenedFile | undefined {
  let descriptor
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined // Far cheaper than a failing open
  try {
    // Not blocking: a FIFO would hold the event loop until somebody writes to it
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENXIO') return undefined
    throw error
  }
  let kept = false
  try {
    const opened = fstatSync(descriptor)
    if (!opened.isFile()) return undefined
    const file = realpathSync.native(path)
    const stats = statSync(file)
    if (!isInside(root, file) || stats.ino !== opened.ino || stats.dev !== opened.dev) throw new OutsideRoot(path)
    kept = true
    return { descriptor, file, stamp: toStamp(opened) }
  } finally {
    if (!kept) closeSync(descriptor)
  }
}

/** Reads a whole file as text, found and refused as by {@link openInside}. */
export function readSource (path: string, root: string): Source | undefined {
  const opened = openInside(path, root)
  if (opened === undefined) return undefined
  const { descriptor, file, stamp } = opened
  try {
    if (stamp.size > MAX_FILE) throw new Error(`The file is larger than ${MAX_FILE} bytes.`)
    const bytes = readFileSync(descriptor)
    return { file, text: bytes.toString('utf8'), hash: createHash('sha256').update(bytes).digest('base64url'), stamp }
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Where generated code stands in the source as written. V8 knows nothing of our source maps (Node's
 * own support ignores vm scripts), so every error that leaves a namespace passes through here.
 */
import { SourceMap, type SourceMapPayload } from 'node:module'
import type { Place } from './fault.js'

/** 1-based. */
export interface LineColumn { line: number, column: number }

/** The positions of one compiled module; the map is decoded when first asked. */
export class SourcePositions {
  readonly #json: string
  readonly #offset: number
  #map: SourceMap | undefined

  /** @param offset Lines at the top of the generated code that were taken off. */
  constructor (json: string, offset: number) {
    this.#json = json
    this.#offset = offset
  }

  /** 0-based generated line and column to a 1-based place in the source. */
  find (line: number, column: number): LineColumn | undefined {
    this.#map ??= new SourceMap(JSON.parse(this.#json) as SourceMapPayload)
    const entry = this.#map.findEntry(line + this.#offset, column)
    if (!('originalLine' in entry)) return undefined
    return { line: entry.originalLine + 1, column: entry.originalColumn + 1 }
  }

  /** The place of an offset in the generated code. */
  findOffset (code: string, offset: number): LineColumn | undefined {
    return this.find(...lineAndColumn(code, offset))
  }
}

/** 0-based line and column of an offset. */
function lineAndColumn (code: string, offset: number): [line: number, column: number] {
  let line = 0
  let start = 0
  for (let end = code.indexOf('\n'); end !== -1 && end < offset; end = code.indexOf('\n', start)) {
    line++
    start = end + 1
  }
  return [line, offset - start]
}

/** esbuild counts columns in bytes of UTF-8 from 0; people, editors and V8 count characters. 1-based. */
export function byteColumn (source: string, line: number, bytes: number): number {
  let start = 0
  for (let n = 1; n < line; n++) start = source.indexOf('\n', start) + 1
  const end = source.indexOf('\n', start)
  const text = Buffer.from(source.slice(start, end === -1 ? undefined : end))
  return text.subarray(0, bytes).toString().length + 1
}

/** Finds the compiled positions of a file, if it is one of a namespace's. */
export type FindPositions = (file: string) => SourcePositions | undefined

/** One line of a stack, split at its place: `    at name (` `file` `:line:column` `)`. */
interface Frame { head: string, file: string, line: number, column: number, tail: string }

/** V8's frames end with `file:line:column`, in brackets if the function has a name. */
function readFrame (text: string): Frame | undefined {
  if (!text.startsWith('    at ')) return undefined
  const tail = text.endsWith(')') ? ')' : ''
  const end = text.length - tail.length
  const second = text.lastIndexOf(':', end)
  const first = text.lastIndexOf(':', second - 1)
  const column = Number(text.slice(second + 1, end))
  const line = Number(text.slice(first + 1, second))
  if (!(line > 0 && column > 0)) return undefined
  const bracket = tail === '' ? -1 : text.indexOf('(')
  const head = bracket === -1 ? (text.startsWith('async ', 7) ? 13 : 7) : bracket + 1
  return { head: text.slice(0, head), file: text.slice(head, first), line, column, tail }
}

/** The error's name and message, its innermost place in one of our files, and its whole stack in terms of the source. */
export interface Explained { message: string, place: Place | undefined, stack: string }

export function explain (error: unknown, find: FindPositions): Explained {
  const message = describe(error)
  const raw = read(error, 'stack')
  if (typeof raw !== 'string') return { message, place: undefined, stack: message }
  let place: Place | undefined
  const lines = raw.split('\n').map(text => {
    const frame = readFrame(text)
    const positions = frame && find(frame.file)
    if (frame === undefined || positions === undefined) return text
    const found = positions.find(frame.line - 1, frame.column - 1)
    if (found === undefined) return text
    place ??= { file: frame.file, ...found }
    return `${frame.head}${frame.file}:${found.line}:${found.column}${frame.tail}`
  })
  const stack = lines.join('\n')
  // Whoever logs the error later shall see the source too. Reading `stack` also let V8 drop the frames it holds
  try { if (error instanceof Error) error.stack = stack } catch {}
  return { message, place, stack }
}

/** `TypeError: x is not a function`, whatever was thrown. */
export function describe (error: unknown): string {
  const message = read(error, 'message')
  if (typeof message !== 'string') {
    try { return `thrown: ${String(error)}` } catch { return 'thrown: an object that cannot be shown' }
  }
  const name = read(error, 'name')
  return typeof name === 'string' ? `${name}: ${message}` : message
}

function read (value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  try { return (value as Record<string, unknown>)[key] } catch { return undefined }
}

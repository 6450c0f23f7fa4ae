/**
 * A compiled module under one file name: V8 compiles the wrapper once, and every namespace calls it
 * with its own `exports`, `require` and timers. The file name is part of it because V8 writes it
 * into stack traces.
 */
import vm from 'node:vm'
import type { Compiled } from './compiler.js'
import { Fault } from './fault.js'
import { Lru } from './lru.js'

export interface Unit {
  readonly file: string
  readonly code: Compiled
  readonly wrapper: (...values: unknown[]) => void
}

export class Units {
  readonly #known: Lru<Unit>

  constructor (bytes: number) {
    this.#known = new Lru(bytes)
  }

  /** Throws a {@link Fault} for what only V8 finds, such as a bad regular expression. */
  get (file: string, hash: string, code: Compiled): Unit {
    const key = `${file}\n${hash}`
    let unit = this.#known.get(key)
    if (unit === undefined) {
      unit = { file, code, wrapper: compile(file, code) }
      this.#known.set(key, unit, code.body.length * 3)
    }
    return unit
  }

  delete (file: string, hash: string): void {
    this.#known.delete(`${file}\n${hash}`)
  }

  clear (): void {
    this.#known.clear()
  }
}

/** The block lets the author declare variables that are called like a parameter. */
function compile (file: string, code: Compiled): Unit['wrapper'] {
  const source = `(function (${code.params.join(', ')}) { "use strict"; {\n${code.body}\n}})`
  try {
    return new vm.Script(source, { filename: file, lineOffset: -1 }).runInThisContext() as Unit['wrapper']
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new Fault('syntax_error', error.message, { file, ...findSyntaxError(error, file, code) })
  }
}

/** V8 puts `file:line`, the line, and carets under the error before the stack of a SyntaxError. */
function findSyntaxError (error: SyntaxError, file: string, code: Compiled): { line: number | null, column: number | null } {
  const [place = '', , carets = ''] = (error.stack ?? '').split('\n')
  const line = place.startsWith(`${file}:`) ? Number(place.slice(file.length + 1)) : NaN
  const column = Math.max(carets.indexOf('^'), 0)
  return code.positions.find(line - 1, column) ?? { line: null, column: null }
}

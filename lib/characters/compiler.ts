/**
 * Turns the source of one ES module (TypeScript or JavaScript) into the body of a function, once per
 * content: esbuild writes CommonJS, whose `require`, `module` and helpers become parameters that a
 * namespace fills in. The body is the same for every session and every file of that content.
 *
 * Sources are mapped line by line and column by column, so whatever goes wrong later can be told
 * where it stands in the source as written (positions.ts).
 */
import type { Message } from 'esbuild'
import { parse } from 'es-module-lexer'
import { isTransformFailure, NAME, options, transform } from './esbuild.js'
import type { FairShare } from './fair-share.js'
import { loadHelpers, type Helpers } from './helpers.js'
import { Lru } from './lru.js'
import { byteColumn, SourcePositions, type LineColumn } from './positions.js'
import { transformWithAwait } from './top-level-await.js'

/** One static import. */
export interface Import {
  specifier: string
  /** Where it stands in the generated code, from 0. */
  line: number
  column: number
  /** Where it stands in the source, if the generated code no longer knows. */
  place?: LineColumn | undefined
  /** Names that are read from it; `*` re-exports are in {@link Compiled.stars}. */
  names: readonly string[]
}

export interface Compiled {
  kind: 'module'
  /** Body of the wrapper function. */
  body: string
  /** Names of the wrapper's parameters that the body uses, or may. */
  params: readonly string[]
  imports: readonly Import[]
  exports: readonly string[]
  /** Specifiers of `export * from`. */
  stars: readonly string[]
  /** Has top-level await. Its evaluation is a promise. */
  async: boolean
  /** Where its top-level awaits stand. */
  awaits: readonly LineColumn[]
  positions: SourcePositions
}

export interface CompiledJson { kind: 'json', text: string }
export interface CompileFault { kind: 'fault', message: string, line: number, column: number }
export type Language = 'ts' | 'js' | 'json'

/** Parameters that a namespace can fill in beside esbuild's helpers; unused ones are left out. */
export const linkParams = ['module', 'exports', 'require', '__load', '__meta', '__run', '__at'] as const
export const scopeParams = [
  'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate',
  'fetch', 'WebSocket', 'EventSource', 'BroadcastChannel', 'globalThis', 'global', 'process'
] as const

/** What may be the name of a parameter; all helpers begin with underscores. */
const PARAM = new RegExp(`\\b(?:${[...linkParams, ...scopeParams].filter(name => !name.startsWith('_')).join('|')}|__\\w+)\\b`, 'g')

/** Lines that esbuild writes. */
const EXPORTS_VARIABLE = `var ${NAME}_exports = {};`
const EXPORTS_BEGIN = `__export(${NAME}_exports, {`
const EXPORTS_END = '\n});\n'
const RE_EXPORT = `__reExport(${NAME}_exports, `
const RESULT = 'module.exports = __toCommonJS('

export class Compiler {
  readonly #results: Lru<Promise<Compiled | CompiledJson | CompileFault>>

  readonly #share: FairShare

  /** @param bytes Bound of what is kept, in characters of code and maps. */
  constructor (bytes: number, share: FairShare) {
    this.#results = new Lru(bytes)
    this.#share = share
  }

  /** Never rejects for what the author did: a fault of the source is a result too. */
  compile (text: string, language: Language, hash: string): Promise<Compiled | CompiledJson | CompileFault> {
    const key = `${language}:${hash}`
    const known = this.#results.get(key)
    if (known !== undefined) return known
    const result = language === 'json' ? compileJson(text) : compileModule(text, language, this.#share)
    this.#results.set(key, result, text.length * 4)
    result.catch(() => this.#results.delete(key))
    return result
  }

  delete (language: Language, hash: string): void {
    this.#results.delete(`${language}:${hash}`)
  }

  clear (): void {
    this.#results.clear()
  }
}

async function compileModule (text: string, loader: 'ts' | 'js', share: FairShare): Promise<Compiled | CompileFault> {
  const learning = loadHelpers()
  try {
    const [output, helpers] = await Promise.all([transform(text, { ...options, loader }), learning])
    return await share.run(() => finish(output.code, output.map, helpers))
  } catch (error) {
    if (!isTransformFailure(error)) throw error
    // The one thing that CommonJS cannot say: if every error is about it, take the long way
    const other = error.errors.find(({ text }) => !text.startsWith('Top-level await'))
    if (other !== undefined) return toFault(other, text)
    return await compileWithAwait(text, loader, await learning, error.errors.map(error => toPlace(error, text)))
  }
}

async function compileWithAwait (text: string, loader: 'ts' | 'js', helpers: Helpers, awaits: Compiled['awaits']): Promise<Compiled | CompileFault> {
  try {
    const { code, map, exports, places } = await transformWithAwait(text, loader, awaits)
    const compiled = finish(code, map, helpers)
    const imports = compiled.imports.map(item => ({ ...item, place: places.get(item.specifier) }))
    return { ...compiled, imports, exports: [...compiled.exports, ...exports], async: true, awaits }
  } catch (error) {
    if (!isTransformFailure(error)) throw error
    return toFault(error.errors[0], text)
  }
}

async function compileJson (text: string): Promise<CompiledJson | CompileFault> {
  try {
    JSON.parse(text)
    return { kind: 'json', text }
  } catch (error) {
    // JSON.parse says no position, esbuild does
    const failure: unknown = await transform(text, { loader: 'json', logLevel: 'silent' }).catch(error => error)
    if (isTransformFailure(failure)) return toFault(failure.errors[0], text)
    return { kind: 'fault', message: (error as Error).message, line: 1, column: 1 }
  }
}

function toFault (error: Message | undefined, source: string): CompileFault {
  return { kind: 'fault', message: error?.text ?? 'The file cannot be compiled.', ...toPlace(error, source) }
}

function toPlace (error: Message | undefined, source: string): LineColumn {
  const location = error?.location
  return location ? { line: location.line, column: byteColumn(source, location.line, location.column) } : { line: 1, column: 1 }
}

/** Takes the helpers off the top, reads the imports and exports behind them, and names the parameters. */
function finish (code: string, map: string, helpers: Helpers): Compiled {
  const head = helpers.headOf(code)
  const positions = new SourcePositions(map, head.lines)
  const body = renameDynamicImports(code.slice(head.text.length))

  const exports: string[] = []
  const stars: string[] = []
  const imports: Import[] = []
  const variables = new Map<string, string[]>()
  let line = 0
  let start = 0
  for (let end = body.indexOf('\n'); end !== -1; start = end + 1, end = body.indexOf('\n', start), line++) {
    const text = body.slice(start, end)
    if (text === EXPORTS_BEGIN) {
      const names = body.slice(end + 1, end = body.indexOf(EXPORTS_END, end)).split('\n')
      for (const name of names) exports.push(readName(name.trim()))
      end += EXPORTS_END.length - 1
      line += names.length + 1
      continue
    }
    if (text === EXPORTS_VARIABLE || text.startsWith(RESULT)) continue

    // esbuild hoists all imports to here, one a line: `var x = __toESM(require("s"));`
    const call = text.indexOf('require(')
    const star = text.startsWith(RE_EXPORT)
    const variable = text.startsWith('var ') ? text.slice(4, text.indexOf(' ', 4)) : ''
    if (call === -1 || !(star || isImportLine(text, variable, call))) break
    const specifier = readString(text.slice(call + 8))
    const wrapped = text.lastIndexOf('__toESM(', call)
    const names: string[] = []
    if (star) stars.push(specifier)
    else variables.set(variable, names)
    imports.push({ specifier, line, column: wrapped === -1 ? call : wrapped, names })
  }
  collectNames(body, start, variables)
  for (const name of exports) collectNames(name, 0, variables)

  const words = new Set<string>(body.match(PARAM))
  // What is evaluated may name any of the scope.
  if (body.includes('eval(')) for (const name of scopeParams) words.add(name)
  const params = [...linkParams, ...scopeParams, ...helpers.names].filter(name => words.has(name))
  return { kind: 'module', body, params, imports, exports, stars, async: false, awaits: [], positions }
}

function isImportLine (text: string, variable: string, call: number): boolean {
  const before = text.slice(0, call)
  return before === `var ${variable} = ` || before === `var ${variable} = __toESM(`
}

/** Which names the code reads from each import: `import_x.name`. Alleged ones; missing names are confirmed later. */
function collectNames (body: string, from: number, variables: Map<string, string[]>): void {
  if (variables.size === 0) return
  const usage = /\b(import_[\w$]+)\.([\w$]+)/g
  usage.lastIndex = from
  for (let match = usage.exec(body); match !== null; match = usage.exec(body)) {
    const names = variables.get(match[1]!)
    if (names !== undefined && !names.includes(match[2]!)) names.push(match[2]!)
  }
}

/** `import(` becomes the namespace's own loader, of the same length: columns stay. */
function renameDynamicImports (body: string): string {
  if (!body.includes('import(')) return body
  let result = ''
  let from = 0
  for (const item of parse(body)[0]) {
    if (item.type !== 'dynamic') continue
    result += body.slice(from, item.importStart) + '__load'
    from = item.importStart + 6
  }
  return result + body.slice(from)
}

/** `name: () => ...` or `"a name": () => ...` */
function readName (text: string): string {
  return text.startsWith('"') ? readString(text) : text.slice(0, text.indexOf(':'))
}

/** The string literal that the text begins with. */
function readString (text: string): string {
  const end = text.indexOf(text[0]!, 1)
  const literal = text.slice(0, end + 1)
  try { return JSON.parse(literal) as string } catch { return literal.slice(1, -1) }
}

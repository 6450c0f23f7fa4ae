import { paint } from './terminal.js'

/** Lines shown before and after the one at fault. */
const AROUND = 2
/** Longer lines are cut: a minified file is one. */
const WIDTH = 160

/** The lines around a place of a source, the place marked. Line and column are 1-based. */
export function codeFrame (source: string, line: number, column: number | null): string {
  const lines = source.split(/\r?\n/)
  const first = Math.max(1, line - AROUND)
  const last = Math.min(lines.length, line + AROUND)
  const width = String(last).length
  const frame: string[] = []
  for (let number = first; number <= last; number++) {
    const text = lines[number - 1]!
    const head = `${number === line ? '>' : ' '} ${String(number).padStart(width)} | `
    frame.push(`  ${number === line ? paint('red', head) : paint('gray', head)}${text.slice(0, WIDTH)}`)
    if (number !== line || column === null || column > WIDTH) continue
    // Tabs stay tabs, so that the mark stands where the eye is.
    const indent = text.slice(0, column - 1).replace(/[^\t]/g, ' ')
    frame.push(`  ${paint('red', `${' '.repeat(width + 2)} | `)}${indent}${paint('red', '^')}`)
  }
  return frame.join('\n')
}

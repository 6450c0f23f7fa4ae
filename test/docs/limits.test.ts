import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { cardLimits } from '../../lib/characters/cards/problem.js'
import { defaultLimits } from '../../lib/characters/limits.js'
import { readEnvironment } from '../../lib/environment.js'
import { LimitOptions } from '../../lib/options.js'
import { packageRoot } from '../../lib/package-root.js'

const read = (name: string) => readFileSync(join(packageRoot, 'docs', name), 'utf8')
const cells = (line: string) => line.split('|').slice(1, -1).map(cell => cell.trim().replace(/^`(.*)`$/, '$1'))
const rows = read('limits.md').split('\n').filter(line => line.startsWith('| `')).map(cells)
const units: Record<string, number> = { s: 1, KiB: 1024, MiB: 1024 * 1024 }

t.test('every limit has its row, and every row is a limit with that default', async t => {
  const documented = Object.fromEntries(rows.map(([option, , value]) => {
    const [number, unit] = value!.split(' ')
    return [option, Number(number) * (unit === undefined ? 1 : units[unit]!)]
  }))
  const actual = Object.fromEntries(Object.entries(LimitOptions.properties).map(([name, schema]) => [name, schema.default]))
  t.strictSame(documented, actual)
})

t.test('every variable sets its limit, and no other has one', async t => {
  const named = rows.filter(([, variable]) => variable !== '')
  for (const [option, variable] of named) {
    t.equal(readEnvironment({ [variable!]: '777' }).options.limits?.[option as 'sessions'], 777, variable!)
  }
  const all = readEnvironment(Object.fromEntries(named.map(([, variable]) => [variable, '777']))).options.limits!
  t.strictSame(Object.keys(all).sort(), named.map(([option]) => option).sort())
})

t.test('every limit says what it bounds and what happens over it', async t => {
  t.strictSame(rows.filter(cells => cells.length !== 5 || cells[3] === '' || cells[4] === ''), [])
})

t.test('what character code may take has its row each, with the bound that holds', async t => {
  const table = read('characters.md').split('## Limits\n')[1]!
  const documented = Object.fromEntries(table.split('\n').filter(line => line.startsWith('| `')).map(cells).map(([limit, value]) => {
    const [, number, unit] = /^([\d,]+)(?: (ms|Mi))?$/.exec(value!)!
    return [limit, Number(number!.replaceAll(',', '')) * (unit === 'Mi' ? 1024 * 1024 : 1)]
  }))
  t.strictSame(documented, defaultLimits)
})

t.test('the bounds of a card are those that the page tells', async t => {
  const bounds = Object.fromEntries(read('cards.md').split('| bound | |\n')[1]!.split('\n').filter(line => /^\| [^-]/.test(line)).map(cells))
  const { jsonBytes, depth, text, list, entries, keys, keyLength, patternLength, fileBytes, parts, pictureBytes } = cardLimits
  const mebi = (bytes: number) => `${bytes / 1024 / 1024} MiB`
  const whole = (number: number) => number.toLocaleString('en')
  t.equal(bounds['JSON of a card'], `${mebi(jsonBytes)}, ${depth} levels`)
  t.match(bounds['PNG, CHARX'], mebi(fileBytes))
  t.equal(bounds['one text; texts in a list'], `${whole(text)} characters; ${whole(list)}`)
  t.equal(bounds['chunks, files in an archive'], whole(parts))
  t.match(bounds.lorebook, `${whole(entries)} entries, ${keys} keys an entry, ${keyLength} characters a word, ${whole(patternLength)} a pattern`)
  t.match(read('cards.md'), `up to ${mebi(pictureBytes)}`)
})

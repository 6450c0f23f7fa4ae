import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { readEnvironment } from '../../lib/environment.js'
import { LimitOptions } from '../../lib/options.js'
import { packageRoot } from '../../lib/package-root.js'

const page = readFileSync(join(packageRoot, 'docs', 'limits.md'), 'utf8')
const rows = page.split('\n').filter(line => line.startsWith('| `')).map(line => line.split('|').slice(1, -1).map(cell => cell.trim().replace(/^`(.*)`$/, '$1')))
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

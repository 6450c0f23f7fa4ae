import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { errorCodes, RealtimeError } from '../../lib/errors.js'
import { packageRoot } from '../../lib/package-root.js'

const page = readFileSync(join(packageRoot, 'docs', 'errors.md'), 'utf8')

/** The rows of all tables below a heading, as cells. */
function rows (heading: string): string[][] {
  const section = page.split(/^## /m).find(part => part.startsWith(`${heading}\n`)) ?? ''
  return section.split('\n').filter(line => /^\| [`\d]/.test(line)).map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
}

const coded = (text: string): string[] => [...text.matchAll(/`([a-z_]+)`/g)].map(match => match[1]!)
const documented = rows('Codes').map(([code]) => coded(code!)[0]!)

t.test('every code has its row on the page', async t => {
  t.strictSame(errorCodes.filter(code => !documented.includes(code)), [])
})

t.test('every row on the page is a code, once', async t => {
  t.strictSame(documented.filter(code => !(errorCodes as string[]).includes(code)), [])
  t.equal(new Set(documented).size, documented.length)
})

t.test('every row says when, which param, and what to do', async t => {
  t.strictSame(rows('Codes').filter(cells => cells.length !== 4 || cells.includes('')), [])
})

t.test('the HTTP statuses on the page are those that are answered', async t => {
  const listed = new Map(rows('HTTP statuses').flatMap(([status, codes]) => coded(codes!).map(code => [code, Number(status)] as const)))
  for (const code of errorCodes) {
    const { status } = new RealtimeError(code)
    if (status === 400) t.ok((listed.get(code) ?? 400) === 400, `${code} is 400`)
    else t.equal(listed.get(code), status, code)
  }
})

t.test('the close codes on the page are those that the server sends, and the one of ws', async t => {
  const folders = [join(packageRoot, 'lib', 'realtime'), join(packageRoot, 'routes', 'v1', 'realtime')]
  const operations = readFileSync(join(packageRoot, 'lib', 'operations.ts'), 'utf8')
  const sources = operations + folders.flatMap(folder => readdirSync(folder).filter(file => file.endsWith('.ts')).map(file => readFileSync(join(folder, file), 'utf8'))).join('\n')
  const sent = [...sources.matchAll(/\.(?:end|close)\((\d{4}), '([^']+)'/g)].map(([, code, reason]) => `${code} \`${reason}\``)
  t.strictSame(rows('Close codes').map(([code, reason]) => `${code} ${reason}`.trim()).sort(), [...new Set(sent), '1009'].sort())
})

t.test('what is said not to be used is not', async t => {
  const refusals = /isRefusal \(code: unknown\): code is ([^{]+)/.exec(readFileSync(join(packageRoot, 'lib', 'engines', 'openai', 'faults.ts'), 'utf8'))![1]!.match(/\w+/g)!
  for (const code of refusals) t.equal(page.slice(0, page.indexOf('## Not used here')).split(`\`${code}\``).length, 2, `${code} is told of, once`)
  t.notMatch(page.slice(page.indexOf('## Not used here')), new RegExp(refusals.join('|')))
  const section = page.slice(page.indexOf('## Not used here'))
  t.strictSame(coded(section).filter(code => (errorCodes as string[]).includes(code)), [])
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t } from 'tap'
import { packageRoot } from '../../lib/package-root.js'

const page = readFileSync(join(packageRoot, 'docs', 'dependencies.md'), 'utf8')
const { dependencies, devDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional?: boolean }>
}

/** Name and reason of each row of one of the page's tables. */
function rows (heading: string): (readonly [string, string])[] {
  const table = page.slice(page.indexOf(`| ${heading} |`)).split('\n\n', 1)[0]!
  return table.split('\n').slice(2).map(line => {
    const [, name, reason] = line.split('|').map(cell => cell.trim())
    return [name!.replaceAll('`', ''), reason!] as const
  })
}

t.test('every dependency has its reason, and no other package has one', async t => {
  t.strictSame(rows('always installed').map(([name]) => name).sort(), Object.keys(dependencies).sort())
  t.strictSame(rows('installed by the application').map(([name]) => name).sort(), Object.keys(peerDependencies).sort())
})

t.test('every row gives a reason, and says which packages are optional', async t => {
  for (const [name, reason] of rows('always installed')) t.ok(reason.length > 10, name)
  for (const [name, reason] of rows('installed by the application')) {
    t.equal(reason.startsWith('optional: '), peerDependenciesMeta[name]?.optional === true, name)
  }
})

t.test('the clients are tested in the versions that the page names', async t => {
  const all = { ...devDependencies, ...dependencies }
  const table = readFileSync(join(packageRoot, 'docs', 'supported.md'), 'utf8').split('## Clients')[1]!.split('## ')[0]!
  const named = table.matchAll(/^\| `([^`]+)`.*? \| ([\d., ]+) \|/gm)
  const tested = Object.fromEntries([...named].map(([, name, versions]) => [name!, versions!]))
  t.strictSame(Object.keys(tested).sort(), ['@livekit/agents', '@openai/agents-realtime', 'openai', 'openai-realtime-api'])
  for (const [name, versions] of Object.entries(tested)) {
    const installed = [all[name], all[`${name}-7`]].filter(range => range !== undefined).map(range => range.replace(/^(npm:.*@|~)/, ''))
    const listed = versions.split(', ')
    t.equal(listed.length, installed.length, name)
    for (const [index, version] of installed.entries()) t.ok(`${version}.`.startsWith(`${listed[index]}.`), `${name} ${version}`)
  }
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { t, type Test } from 'tap'
import { packageRoot } from '../../lib/package-root.js'
import { samplesOf, typesOf } from '../support/prometheus.js'
import { startServer } from '../support/server.js'

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8')
const documented = read('docs/metrics.md').split('\n').filter(line => /^\| `\w+` \| (gauge|counter|histogram) \|/.test(line)).map(line => {
  const [name, type, labels] = line.split('|').slice(1).map(cell => cell.trim())
  return { name: name!.slice(1, -1), type: type!, labels: labels!.match(/\w+/g) ?? [] }
})

/** The page after a session has talked and closed. */
async function scrape (t: Test, metrics?: { sessionLabel: boolean }): Promise<string> {
  const { http, connect } = await startServer(t, { metrics })
  const client = await connect()
  await client.ask('Hello')
  const page = async () => (await fetch(`${http}/metrics`)).text()
  await page()
  return await page()
}

t.test('docs/metrics.md lists every metric with its type, and no other', async t => {
  const live = typesOf(await scrape(t))
  t.strictSame(Object.fromEntries(documented.map(({ name, type }) => [name, type])), Object.fromEntries(live))
  t.equal(new Set(documented.map(({ name }) => name)).size, documented.length)
})

t.test('the labels are those of the page', async t => {
  const samples = samplesOf(await scrape(t))
  for (const { name, type, labels } of documented) {
    const own = samples.filter(sample => sample.name === name || (type === 'histogram' && sample.name === `${name}_bucket`))
    for (const { labels: { le, ...found } } of own) t.strictSame(Object.keys(found).sort(), [...labels].sort(), name)
  }
})

t.test('what the product counts has all its labels from the start', async t => {
  const { http } = await startServer(t)
  const before = samplesOf(await (await fetch(`${http}/metrics`)).text())
  for (const { name, labels } of documented.filter(({ name }) => /^dramatis_/.test(name))) {
    const found = before.find(sample => sample.name.startsWith(name))
    for (const label of labels) t.ok(found?.labels[label], `${name} has a series with ${label}`)
  }
})

t.test('the session is a label when that is asked for, of the two that say so', async t => {
  const names = samplesOf(await scrape(t, { sessionLabel: true })).filter(({ labels }) => 'session_id' in labels).map(({ name }) => name)
  t.strictSame(names, ['character_load_per_session_total', 'session_character_count'])
})

/** PromQL without what is no metric: its label matchers, groupings, functions and words. */
function selectors (expression: string): { name: string, matchers: Record<string, string> }[] {
  const words = new Set(['sum', 'min', 'max', 'rate', 'increase', 'histogram_quantile', 'and', 'on', 'by', 'label_values'])
  const bare = expression.replace(/\b(by|on) \([^)]*\)/g, '').replace(/\[[^\]]*\]/g, '')
  return [...bare.matchAll(/([a-z]\w+)(?:\{([^}]*)\})?/g)].filter(([, name]) => !words.has(name!)).map(([, name, inner = '']) => ({
    name: name!, matchers: Object.fromEntries([...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]))
  }))
}

async function checkExpressions (t: Test, expressions: string[]): Promise<void> {
  const samples = samplesOf(await scrape(t))
  t.ok(expressions.length > 10)
  for (const expression of expressions) {
    for (const { name, matchers } of selectors(expression)) {
      // Prometheus makes this one itself.
      if (name === 'up') continue
      const found = samples.filter(sample => sample.name === name)
      t.ok(found.some(({ labels }) => Object.entries(matchers).every(([key, value]) => labels[key] === value)), `${name} ${JSON.stringify(matchers)} is on the page`)
      for (const [, , grouping] of expression.matchAll(/\b(by) \(([^)]*)\)/g)) {
        for (const label of grouping!.split(', ').filter(label => label !== 'instance')) t.ok(label in found[0]!.labels, `${name} has ${label}`)
      }
    }
  }
}

t.test('the dashboard asks for nothing that is not there', async t => {
  const dashboard = JSON.parse(read('deploy/grafana-dashboard.json')) as { panels: { targets?: { expr: string }[] }[] }
  await checkExpressions(t, dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr.replace('instance=~"$instance"', ''))))
})

t.test('the alerts ask for nothing that is not there', async t => {
  const folded = read('deploy/prometheus-alerts.yml').replace(/>-\n\s+/g, '').replace(/\n\s+\/ /g, ' / ')
  await checkExpressions(t, [...folded.matchAll(/^ +expr: (.+)$/gm)].map(([, expression]) => expression!))
})

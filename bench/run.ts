import { readdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import type { Benchmark, Figure } from './figure.js'

// npm run bench [-- NAME …] [--quick] [--json]: runs the named benchmarks, or all, one after another.

const helpers = new Set(['run', 'figure', 'server', 'cast'])
const flags = new Set(process.argv.slice(2).filter(word => word.startsWith('--')))
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'))
const known = (await readdir(new URL('.', import.meta.url))).filter(file => /^[a-z-]+\.ts$/.test(file))
  .map(file => file.replace('.ts', '')).filter(name => !helpers.has(name)).sort()

const unknown = wanted.find(name => !known.includes(name))
if (unknown !== undefined) {
  process.stderr.write(`No benchmark '${unknown}'. There are: ${known.join(', ')}.\n`)
  process.exit(1)
}

const json = flags.has('--json')
const results: Record<string, Figure[]> = {}
for (const name of wanted.length > 0 ? wanted : known) {
  const { default: run } = await import(`./${name}.ts`) as { default: Benchmark }
  results[name] = await run({ json, quick: flags.has('--quick') })
  if (!json) print(name, results[name]!)
}
if (json) process.stdout.write(JSON.stringify({ node: process.version, cpus: cpus().length, results }, null, 2) + '\n')
process.exit(Object.values(results).flat().every(isGood) ? 0 : 1)

function isGood ({ value, limit = Infinity, floor = -Infinity }: Figure): boolean {
  return value <= limit && value >= floor
}

function print (name: string, figures: Figure[]): void {
  process.stdout.write(`\n${name}\n`)
  const width = Math.max(...figures.map(figure => figure.name.length))
  for (const figure of figures) {
    const bound = figure.limit !== undefined ? `at most ${figure.limit}` : figure.floor !== undefined ? `at least ${figure.floor}` : ''
    const mark = bound === '' ? ' ' : isGood(figure) ? '✓' : '✗'
    process.stdout.write(`  ${mark} ${figure.name.padEnd(width)}  ${`${figure.value} ${figure.unit}`.padEnd(14)} ${bound.padEnd(14)} ${figure.note ?? ''}`.trimEnd() + '\n')
  }
}

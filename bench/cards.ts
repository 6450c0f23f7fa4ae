import { rmSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { join } from 'node:path'
import { contain, damages, v1, v2, v3, type Container } from '../test/support/cards.js'
import { anyV1, anyV2, anyV3 } from '../test/support/generated-cards.js'
import { temporaryDirectory } from './cast.js'
import { percentile, round, type Figure } from './figure.js'

/** As built: what runs a source from here adds to each of its functions. */
const built = <T>(name: string) => import(new URL(`../dist/lib/characters/${name}.js`, import.meta.url).href) as Promise<T>
const { CardFiles } = await built<typeof import('../lib/characters/cards/files.js')>('cards/files')
const { Fields } = await built<typeof import('../lib/characters/cards/fields.js')>('cards/fields')
const { LoreMemory, Lorebook } = await built<typeof import('../lib/characters/cards/lorebook.js')>('cards/lorebook')
const { createCharacterLibrary } = await built<typeof import('../lib/characters/library.js')>('library')

const WORDS = 'river stone lamp tower ship bell storm winter garden letter clock horse iron silver market bridge forest king queen road'.split(' ')

/** Cards: reading each kind of file, opening a session with two hundred of them, and the lorebook of every turn. */
export default async function ({ quick }: { json: boolean, quick: boolean }): Promise<Figure[]> {
  const root = temporaryDirectory()
  try {
    return [...await readFiles(root), ...await readGenerated(root, quick ? 10 : 100), ...await openSessions(root, quick ? 100 : 500), scanLore(quick ? 2000 : 10_000)]
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** The worst file of all, whole or damaged. */
async function readFiles (root: string): Promise<Figure[]> {
  const large = v3('Large', { description: 'x'.repeat(250_000), character_book: { extensions: {}, entries: loreEntries(2000) } })
  const files = [
    ...damages.map(({ what, file, bytes }) => ({ what, file, bytes: bytes() })),
    ...(['json', 'png', 'png-packed', 'charx'] as const).map(container => {
      const { extension, bytes } = contain(large, container)
      return { what: `a lorebook of 2,000 entries in ${container}`, file: `a.${extension}`, bytes }
    })
  ]
  let slowest = { what: '', ms: 0 }
  let largest = { what: '', mb: 0 }
  for (const [index, { what, file, bytes }] of files.entries()) {
    const path = join(root, `${index}-${file}`)
    writeFileSync(path, bytes)
    const times: number[] = []
    globalThis.gc?.()
    const before = process.memoryUsage()
    for (let round = 0; round < 3; round++) {
      const since = process.cpuUsage()
      await new CardFiles(1).read(path, root)
      const { user, system } = process.cpuUsage(since)
      times.push((user + system) / 1000)
    }
    const after = process.memoryUsage()
    const ms = percentile(times, 50)
    const mb = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 3 / 2 ** 20
    if (ms > slowest.ms) slowest = { what, ms }
    if (mb > largest.mb) largest = { what, mb }
    rmSync(path)
  }
  return [
    { name: 'CPU of reading the slowest of all files', value: round(slowest.ms), unit: 'ms', limit: 50, note: `${files.length} kinds; ${slowest.what}` },
    { name: 'memory that reading the largest takes', value: round(largest.mb), unit: 'MB', limit: 20, note: largest.what }
  ]
}

const CONTAINERS: Container[] = ['json', 'png', 'png-packed', 'png-international', 'png-international-packed', 'charx']

/** Cards of any content in every version and container: whole, and with bytes of theirs changed, cut off or put in twice. */
async function readGenerated (root: string, count: number): Promise<Figure[]> {
  let [files, lost, slowest, largest] = [0, 0, 0, 0]
  let [damaged, silent, thrown] = [0, 0, 0]
  for (const [version, cards] of Object.entries({ v1: anyV1, v2: anyV2, v3: anyV3 })) {
    for (const container of CONTAINERS) {
      for (const [index, card] of fc.sample(cards, { numRuns: count, seed: 1 }).entries()) {
        const { extension, bytes } = contain(card, container, version === 'v3' ? 'ccv3' : 'chara')
        const path = join(root, `generated.${extension}`)
        writeFileSync(path, bytes)
        const before = process.memoryUsage()
        const since = process.cpuUsage()
        const read = await new CardFiles(1).read(path, root)
        const { user, system } = process.cpuUsage(since)
        const after = process.memoryUsage()
        slowest = Math.max(slowest, (user + system) / 1000)
        largest = Math.max(largest, (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 2 ** 20)
        files++
        if (JSON.stringify(read?.card?.data) !== JSON.stringify(card)) lost++
        for (const harmed of harm(Buffer.from(bytes as string), index)) {
          writeFileSync(path, harmed)
          damaged++
          const result = await new CardFiles(1).read(path, root).catch(() => undefined)
          if (result === undefined) thrown++
          else if (result.card === undefined && !(result.fault!.message.length > 10)) silent++
        }
        rmSync(path)
      }
    }
  }
  return [
    { name: 'generated cards that lost a field or did not load', value: lost, unit: `of ${files}`, limit: 0, note: `${count} of every version in ${CONTAINERS.length} containers` },
    { name: 'CPU of reading the slowest of them', value: round(slowest), unit: 'ms', limit: 50 },
    { name: 'memory that reading the largest takes', value: round(largest), unit: 'MB', limit: 20 },
    { name: 'harmed ones that threw, or failed without a reason', value: thrown + silent, unit: `of ${damaged}`, limit: 0, note: 'a byte changed, the end cut off, a part doubled' }
  ]
}

function harm (bytes: Buffer, seed: number): Buffer[] {
  const at = (seed * 7919 + 13) % Math.max(1, bytes.length)
  const changed = Buffer.from(bytes)
  changed[at]! ^= 1 << seed % 8
  return [changed, bytes.subarray(0, at), Buffer.concat([bytes.subarray(0, at), bytes])]
}

async function openSessions (root: string, rounds: number): Promise<Figure[]> {
  for (let index = 0; index < 200; index++) {
    const make = [v1, v2, v3][index % 3]!
    const { extension, bytes } = contain(make(`Card ${index}`), index % 2 === 0 ? 'json' : 'png')
    writeFileSync(join(root, `card-${index}.${extension}`), bytes)
  }
  // A file that has just changed is read again: let them rest.
  await new Promise(resolve => setTimeout(resolve, 100))
  const library = createCharacterLibrary({ directory: root })
  const first = performance.now()
  await (await library.open({ id: 'first', startedAt: new Date(), language: null })).purge()
  const firstMs = performance.now() - first
  const times: number[] = []
  for (let index = 0; index < rounds; index++) {
    const since = process.cpuUsage()
    const registry = await library.open({ id: `s${index}`, startedAt: new Date(), language: null })
    const { user, system } = process.cpuUsage(since)
    times.push((user + system) / 1000)
    await registry.purge()
  }
  await library.close()
  return [
    { name: 'first session with 200 cards', value: round(firstMs), unit: 'ms' },
    { name: 'CPU of opening a session with 200 known cards', value: round(percentile(times, 50)), unit: 'ms', limit: 3 }
  ]
}

function loreEntries (count: number): object[] {
  return Array.from({ length: count }, (none, index) => ({
    keys: [`${WORDS[index % 20]} of ${WORDS[(index * 7) % 20]}${index}`, `${WORDS[(index * 3) % 20]}${index % 50}`, `name${index}`],
    content: `Entry ${index}: ${'words '.repeat(20)}`,
    enabled: true,
    insertion_order: index,
    extensions: {}
  }))
}

function scanLore (rounds: number): Figure {
  const lorebook = new Lorebook(new Fields({ entries: loreEntries(500), extensions: {} }))
  const memory = new LoreMemory()
  const messages: { role: 'user' | 'assistant', text: string, key: object }[] = []
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    for (const role of ['user', 'assistant'] as const) {
      const words = Array.from({ length: 40 }, (none, at) => WORDS[(round * 13 + at * 7) % 20])
      messages.push({ role, text: `${words.join(' ')} lamp${round % 50} name${round % 500}`, key: {} })
    }
    if (messages.length > 40) messages.splice(0, 2)
    const since = performance.now()
    lorebook.find({ messages, memory, greeting: 0, guard: call => call() })
    times.push(performance.now() - since)
  }
  return { name: 'lorebook of 500 entries, a turn', value: round(percentile(times, 50)), unit: 'ms', limit: 0.2, note: `p99 ${round(percentile(times, 99))} ms` }
}

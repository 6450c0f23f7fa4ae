/** Writes casts to measure with: 20 TypeScript characters of 2 to 5 KB, three helpers, one of which imports a package. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transformSync } from 'esbuild'

const WORDS = 'the lamp was lit before noon and nobody asked why because the captain had said so twice and once more in a whisper'.split(' ')

export interface CastShape {
  /** Directory to create; default a new temporary one. */
  directory?: string
  characters?: number
  /** Makes the content of every file differ from other casts'. */
  mark?: string
}

export function temporaryDirectory (): string {
  return mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
}

export function writeCast ({ directory = temporaryDirectory(), characters = 20, mark = '' }: CastShape = {}): string {
  const shared = join(directory, 'resources')
  mkdirSync(shared, { recursive: true })
  const modules = join(directory, 'node_modules', 'word-count')
  mkdirSync(modules, { recursive: true })
  writeFileSync(join(modules, 'package.json'), '{ "name": "word-count", "version": "1.0.0", "exports": { "import": "./index.mjs" } }')
  writeFileSync(join(modules, 'index.mjs'), 'export const count = text => text.split(" ").length\n')

  writeFileSync(join(shared, 'constants.ts'), `// ${mark}
export const RULES = ${JSON.stringify(prose(120, 3))}
export const enum Mood { Calm = 'calm', Grim = 'grim' }
export let visits = 0
export function visit (): number { return ++visits }
`)
  writeFileSync(join(shared, 'search.ts'), `// ${mark}
import { count } from 'word-count'
import { RULES } from './constants.js'
export interface Found { id: string, score: number }
export function createSearch (): (query: string) => Found[] {
  const length = count(RULES)
  return query => RULES.includes(query) ? [{ id: 'rules', score: 1 / length }] : []
}
`)
  writeFileSync(join(shared, 'phrases.ts'), `// ${mark}
import { RULES, visit } from './constants'
export class Phrases {
  readonly #lines: readonly string[]
  constructor (lines: readonly string[]) { this.#lines = lines }
  next (): string { return this.#lines[visit() % this.#lines.length]! }
}
export const opening = (name: string): string => \`You are \${name}. \${RULES}\`
`)
  for (let n = 0; n < characters; n++) writeFileSync(join(directory, `${String(n).padStart(3, '0')}.ts`), character(n, mark))
  return directory
}

function character (n: number, mark: string): string {
  const long = 220 + (n * 37 % 20) * 24
  return `// ${mark}
import { defineCharacter } from 'dramatis/character'
import { Phrases, opening } from './resources/phrases.js'
import { visits } from './resources/constants.js'
${n === 0 ? 'import { createSearch } from \'./resources/search.js\'\nexport const search = createSearch()' : ''}

interface Scene { place: string, lines: string[] }
const scenes: Scene[] = [
  { place: 'harbour', lines: [${JSON.stringify(prose(30, n))}, ${JSON.stringify(prose(30, n + 1))}] },
  { place: 'tower', lines: [${JSON.stringify(prose(30, n + 2))}, ${JSON.stringify(prose(30, n + 3))}] }
]
const phrases = new Phrases(scenes.flatMap(({ lines }) => lines))
let asked = 0

export default defineCharacter({
  name: 'Character ${n}${mark}',
  voice: { source: 'file', path: 'voices/${n}.wav', description: ${JSON.stringify(prose(8, n))}, engines: { local: 'voice-${n % 8}' } },
  instructions: { prompt: ${JSON.stringify(prose(long, n))}, language: 'en', mood: 'calm' },
  metadata: { good: true, comment: ${JSON.stringify(prose(10, n))} },
  examples: [
    { user: 'Who are you?', character: ${JSON.stringify(prose(14, n))} },
    { user: 'Where are we?', character: ${JSON.stringify(prose(14, n + 5))} }
  ],
  greeting: ${JSON.stringify(prose(9, n))},
  systemPrompt ({ instructions, session }) {
    asked++
    return [opening('Character ${n}${mark}'), instructions.prompt, instructions.mood, phrases.next(), session.id, asked, visits].join('\\n')
  },
  tools: [{
    name: 'look_around',
    description: 'Says what there is to see.',
    parameters: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
    async run ({ place }) {
      return scenes.find(scene => scene.place === place)?.lines.join(' ') ?? 'Nothing.'
    }
  }]
})
`
}

function prose (words: number, seed: number): string {
  return Array.from({ length: words }, (_, n) => WORDS[(n * 7 + seed * 3) % WORDS.length]).join(' ')
}

/** The same cast in plain JavaScript, for Node's own loader. */
export function writeNativeCast (): string {
  const source = writeCast()
  const directory = temporaryDirectory()
  const translate = (from: string, to: string): void => {
    mkdirSync(to, { recursive: true })
    for (const name of readdirSync(from).filter(name => name.endsWith('.ts'))) {
      const { code } = transformSync(readFileSync(join(from, name), 'utf8'), { loader: 'ts', target: 'node20' })
      writeFileSync(join(to, name.replace('.ts', '.js')), code.replaceAll('./constants"', './constants.js"'))
    }
  }
  translate(source, directory)
  translate(join(source, 'resources'), join(directory, 'resources'))
  cpSync(join(source, 'node_modules'), join(directory, 'node_modules'), { recursive: true })
  const own = join(directory, 'node_modules/dramatis')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'package.json'), '{ "type": "module", "exports": { "./character": "./character.js" } }')
  writeFileSync(join(own, 'character.js'), 'export const defineCharacter = character => character\n')
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  return directory
}

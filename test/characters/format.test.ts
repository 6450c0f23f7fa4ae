import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { defaultLimits, readLimits } from '../../lib/characters/limits.js'
import { CharacterSchema } from '../../lib/characters/schema.js'
import { findProblem, isCharacter } from '../../lib/characters/validation.js'
import { one } from './inference.js'

const docs = readFileSync(join(import.meta.dirname, '../../docs/characters.md'), 'utf8')

const good = {
  name: 'x',
  voice: { source: 'file', path: 'p' },
  instructions: { prompt: 'p', anything: 1 },
  systemPrompt () { return '' },
  unknown: { kept: true }
}
const tool = { name: 'a', description: '', parameters: {}, run () {} }

t.test('the table of fields says what the schema says, both ways', async t => {
  const rows = docs.split('## Fields')[1]!.split('\n##')[0]!.split('\n').filter(line => line.startsWith('| `'))
  t.strictSame(rows, Object.entries(CharacterSchema.properties).map(([name, schema]) =>
    `| \`${name}\` | ${(CharacterSchema.required as string[]).includes(name) ? 'yes' : 'no'} | ${schema.description!} |`))
})

t.test('the table of limits has every limit with its default', async t => {
  const rows = docs.split('## Limits')[1]!.split('\n').filter(line => line.startsWith('| `'))
  t.strictSame(rows.map(row => row.split('`')[1]), Object.keys(defaultLimits))
  for (const [name, value] of Object.entries(defaultLimits)) {
    const number = value.toLocaleString('en')
    const shown = name.endsWith('Bytes') ? `${value / 1024 / 1024} Mi` : name.endsWith('Ms') ? `${number} ms` : number
    t.ok(docs.includes(`| \`${name}\` | ${shown} |`), name)
  }
})

t.test('a limit that is no positive number is refused', async t => {
  for (const value of [0, -1, NaN, Infinity, '5' as never]) t.throws(() => readLimits({ toolMs: value }), RangeError)
  t.equal(readLimits({ toolMs: 5, promptMs: undefined as never }).promptMs, defaultLimits.promptMs)
})

t.test('characters with any of the fields pass, and unknown fields are kept', async t => {
  t.ok(isCharacter(good))
  t.ok(isCharacter(one), 'what defineCharacter takes')
  t.ok(isCharacter({
    ...good,
    voice: { source: 'freesound', url: 'u', sound: { id: 1, name: 'n', username: 'u', license: 'l' }, path: 'p', engines: { local: 'a', openai: 'b', kyutai: 'c' } },
    metadata: { good: null, comment: null, more: 1 },
    examples: [{ user: 'u', character: '{result}', tool: { name: 'a', arguments: { x: 1 } } }],
    greeting: '',
    tools: [tool],
    llm: { engine: 'openai', model: 'm', seed: 1 },
    tts: { voice: 'v', speed: 1.2 },
    temperature: 0,
    dispose () {}
  }))
})

t.test('what is wrong is named, with what was expected', async t => {
  const cases: [unknown, string, string?][] = [
    [null, 'The default export must be a character (an object), not null.'],
    ['text', 'The default export must be a character (an object), not \'text\'.'],
    [{ ...good, name: ' x' }, 'name: expected a string of 1 to 200 characters without space around it, got \' x\'.'],
    [{ ...good, voice: undefined }, 'voice: expected an object with a source (\'file\' or \'freesound\'), got nothing.'],
    [{ ...good, voice: { path: 'x' } }, 'voice.source: expected \'file\' or \'freesound\', got nothing.'],
    [{ ...good, voice: { source: 'freesound', path: 'x', url: 'u', sound: { id: 1 } } }, 'voice.sound.name: expected a string, got nothing.'],
    [{ ...good, voice: { source: 'freesound', path: 'x', url: 'u', sound: { id: [], name: '', username: '', license: '' } } }, 'voice.sound.id: expected a number or a string, got an array.'],
    [{ ...good, instructions: 'p' }, 'instructions: expected an object, got \'p\'.'],
    [{ ...good, instructions: { prompt: 5 } }, 'instructions.prompt: expected a string, got 5.'],
    [{ ...good, systemPrompt: 'x' }, 'systemPrompt: expected a function, got \'x\'.'],
    [{ ...good, examples: [{ user: 'u' }] }, 'examples[0].character: expected a string, got nothing.'],
    [{ ...good, examples: {} }, 'examples: expected an array, got an object.'],
    [{ ...good, metadata: { good: 'yes' } }, 'metadata.good: expected a boolean or null, got \'yes\'.'],
    [{ ...good, tts: { speed: 3 } }, 'tts.speed: expected a number from 0.25 to 1.5, got 3.'],
    [{ ...good, tools: [{ ...tool, run: 1 }] }, 'tools[0].run: expected a function, got 1.', 'invalid_tools'],
    [{ ...good, tools: 'x' }, 'tools: expected an array, got \'x\'.', 'invalid_tools'],
    [{ ...good, tools: [tool, tool] }, 'tools[1].name: \'a\' is the name of another tool.', 'invalid_tools']
  ]
  for (const [value, message, code = 'invalid_character'] of cases) t.match(findProblem(value), { code, message })
})

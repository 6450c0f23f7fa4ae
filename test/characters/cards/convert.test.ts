import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { command } from '../../../cli/commands/convert.js'
import { convert } from '../../../lib/characters/cards/convert.js'
import { readCard } from '../../../lib/characters/cards/files.js'
import { toSpec, type Spec } from '../../../lib/characters/cards/specs.js'
import { charx, eliza, picture, text, v2, v3 } from '../../support/cards.js'
import { characterSource } from '../../support/casts.js'
import { runCommand } from '../../support/command.js'
import { anyV1, anyV2, anyV3 } from '../../support/generated-cards.js'
import { createLibrary, facts, never, writeCast } from '../casts.js'

type Json = Record<string, any>

const respec = (json: Json, spec: Spec): Json => JSON.parse(JSON.stringify(toSpec(readCard(json, 'a.json'), spec))) as Json
const readJson = (path: string): Json => JSON.parse(readFileSync(path, 'utf8')) as Json

/** Converts from file to file, in a directory of its own for each step: a cast has each name once. */
function steps (t: Test) {
  const root = writeCast(t, {})
  let count = 0
  return async (from: string, extension: string, spec?: Spec): Promise<string> => {
    const to = `${++count}.${extension}`
    const { bytes } = await convert({ file: from, root, to, spec })
    const path = join(root, to)
    writeFileSync(path, bytes)
    return path
  }
}

t.test('between versions no field is lost, whatever the card has', async t => {
  fc.assert(fc.property(anyV2, card => { same(respec(respec(card, 'v3'), 'v2'), card) }), { numRuns: 200 })
  fc.assert(fc.property(anyV3, card => { same(respec(respec(card, 'v2'), 'v3'), card) }), { numRuns: 200 })
  fc.assert(fc.property(anyV1, card => {
    const { data } = respec(card, 'v3') as { data: Json }
    const { avatar, fav, ...plain } = card
    same({ ...plain, extensions: JSON.parse(JSON.stringify({ avatar, fav })) as unknown }, { ...Object.fromEntries(Object.keys(plain).map(key => [key, data[key]])), extensions: data.extensions })
  }), { numRuns: 100 })
  t.pass('held for 500 cards')
})

t.test('into a PNG and back, and into a module and back, a card is what it was', async t => {
  const step = steps(t)
  const root = writeCast(t, {})
  let count = 0
  const store = (card: Json) => {
    const path = join(root, `${++count}.json`)
    writeFileSync(path, JSON.stringify(card))
    return path
  }
  await fc.assert(fc.asyncProperty(fc.oneof(anyV2, anyV3), async card => {
    same(readJson(await step(await step(store(card), 'png'), 'json')), card)
  }), { numRuns: 100 })
  await fc.assert(fc.asyncProperty(fc.oneof(anyV1, anyV2, anyV3), fc.constantFrom('ts', 'mjs'), async (card, extension) => {
    const module = await step(store(card), extension)
    // A card of the first version becomes one of the third
    same(readJson(await step(module, 'json')), 'spec' in card ? card : respec(card, 'v3'))
  }), { numRuns: 15 })
  t.pass('held for 115 cards')
})

function same (found: unknown, wanted: unknown): void {
  // Not by `t.strictSame`, which takes an own __proto__ for the prototype
  const [a, b] = [found, wanted].map(value => JSON.stringify(sorted(value)))
  if (a !== b) throw new Error(`A field changed:\n${a}\n${b}`)
}

function sorted (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, one]) => [key, sorted(one)])
}

t.test('a PNG of the third version has the second beside it, for applications that know no more', async t => {
  const step = steps(t)
  const entries = [{ keys: ['k'], content: '@@depth 4\n@@@role user\nText.', enabled: true, insertion_order: 1, extensions: {}, use_regex: false }]
  const root = writeCast(t, { 'a.json': JSON.stringify(v3('A', { nickname: 'Al', character_book: { entries, extensions: {} } })) })
  const bytes = readFileSync(await step(join(root, 'a.json'), 'png')).toString('latin1')
  const [, old] = /chara\0([A-Za-z0-9+/=]+)/.exec(bytes)!
  t.match(JSON.parse(Buffer.from(old!, 'base64').toString()), {
    spec: 'chara_card_v2',
    data: {
      name: 'A',
      extensions: { chara_card_v3: { nickname: 'Al' } },
      creator_notes: /^This is a card of version 3.*\n\nMade for a test\.$/,
      character_book: { entries: [{ content: 'Text.' }] }
    }
  })
  t.match(bytes, 'ccv3\0')
})

t.test('the module of a card answers as the card does, with its lorebook and all its greetings', async t => {
  const step = steps(t)
  const root = writeCast(t, { 'a.json': JSON.stringify(v2('Keeper')) })
  const history = () => [{ role: 'user' as const, text: 'Light the lamp!' }]
  const prompts = []
  for (const file of [join(root, 'a.json'), await step(join(root, 'a.json'), 'ts')]) {
    const directory = writeCast(t, { [file.endsWith('ts') ? 'a.ts' : 'a.json']: readFileSync(file, 'utf8') })
    const { library } = createLibrary(t, directory)
    const keeper = (await library.open(facts())).find('Keeper')!
    prompts.push({ prompt: await keeper.prompt(never, history), greetings: [0, 1, 2, 3].map(number => keeper.greet(number)), count: keeper.greetingCount, voice: keeper.voice, metadata: keeper.metadata })
  }
  t.match(prompts[0]!.prompt.system, 'whale oil')
  t.strictSame(prompts[1], prompts[0])
})

t.test('what a module with a card says itself counts before the card', async t => {
  const card = JSON.stringify(v2('Keeper'))
  const { library } = createLibrary(t, t.testdir({
    'a.ts': `import { defineCharacter } from 'dramatis/character'
export default defineCharacter({
  name: 'Warden',
  card: ${card},
  greeting: 'Halt.',
  temperature: 0.5,
  systemPrompt: ({ instructions }) => 'Be strict. ' + instructions.prompt.length,
  tools: [{ name: 'lamp', description: 'Lights it.', parameters: { type: 'object', properties: {} }, run: () => 'lit' }]
})
`,
    'broken.ts': `export default { card: ${JSON.stringify(v2('', { }))} }\n`
  }))
  const registry = await library.open(facts())
  t.match(registry.report.errors, [{ file: 'broken.ts', code: 'invalid_character', message: /^card: data\.name: the card has no name/ }])
  const warden = registry.find('Warden')!
  const { system, notes } = await warden.prompt(never, () => [{ role: 'user', text: 'Light the lamp!' }])
  t.match(system, /^Be strict\. \d+\n\n[^]*Keeper keeps a lighthouse[^]*whale oil/)
  t.equal(notes.length, 1)
  t.equal(warden.greeting, 'Halt.')
  t.equal(warden.greet(1), 'Who is there?')
  t.equal(warden.temperature, 0.5)
  t.equal(await warden.runTool('lamp', {}, never), 'lit')
})

t.test('arguments that cannot be meant are told', async t => {
  const values = { spec: undefined, picture: undefined, root: undefined, force: false, json: false }
  const refused = (args: string[], more: object, message: RegExp) => t.rejects(command.run({ ...values, ...more }, args), { name: 'UsageError', message })
  await refused(['a.json', 'b.gif'], {}, /^OUT must end in one of/)
  await refused(['a.json', 'b.png'], { spec: 'v4' }, /^--spec must be v2 or v3/)
  await refused(['a.json'], {}, /Give IN and OUT/)
  await refused(['a.json', 'b.json'], { picture: 'c.png' }, /^--picture is for an OUT that is a PNG/)
})

t.test('the command says what does not come along, and never writes over a file unasked', async t => {
  const cwd = t.testdir({
    'ada.ts': characterSource('Ada', `greeting: 'Hello.',
  examples: [{ user: 'Who?', character: 'Ada.' }, { user: 'Roll.', character: '{result}', tool: { name: 'roll' } }],
  metadata: { comment: 'A note.', tags: ['x'] },
  mood: 'calm',
  when: new Date(0),
  tools: [{ name: 'roll', description: '', parameters: {}, run: () => 4 }],
  dispose () {}`),
    'beside.ts': 'throw new Error(\'never run\')\n',
    'broken.ts': 'export default {\n  name: }\n',
    'plain.png': picture(),
    'card.png': picture(text(v2('Pic'))),
    'a.charx': charx(v3('Arc')),
    'eliza.json': JSON.stringify(eliza('Eli'))
  })
  const made = await runCommand(t, ['convert', 'ada.ts', 'ada.json', '--json'], { cwd })
  t.equal(made.code, 0, made.err)
  const { lost, ...report } = JSON.parse(made.out)
  t.match(report, { in: 'ada.ts', out: 'ada.json', name: 'Ada', from: 'module', spec: 'v3' })
  t.strictSame(lost.map(({ field }: { field: string }) => field), ['tools.roll', 'dispose', 'systemPrompt', 'examples[1]', 'when'])
  t.match(readJson(join(cwd, 'ada.json')), {
    spec: 'chara_card_v3',
    data: {
      name: 'Ada',
      description: 'You are Ada.',
      first_mes: 'Hello.',
      mes_example: '<START>\n{{user}}: Who?\n{{char}}: Ada.\n',
      creator_notes: 'A note.',
      tags: ['x'],
      extensions: { dramatis: { voice: { source: 'file', path: 'voices/ada.wav' }, module: { examples: [{}, { tool: { name: 'roll' } }], fields: { mood: 'calm' } } } }
    }
  })
  const before = readFileSync(join(cwd, 'ada.json'), 'utf8')
  t.match(await runCommand(t, ['convert', 'eliza.json', 'ada.json'], { cwd }), { code: 1, err: /ada\.json is there already/ })
  t.equal(readFileSync(join(cwd, 'ada.json'), 'utf8'), before)
  t.match(await runCommand(t, ['convert', 'eliza.json', 'ada.json', '--force', '--spec', 'v2'], { cwd }), { code: 0, out: /Wrote ada\.json: Eli, from eliza to a card of version 2/ })
  t.match(readJson(join(cwd, 'ada.json')), { spec: 'chara_card_v2', data: { description: /^Eli keeps a lighthouse/, extensions: { eliza: { topics: ['tides', 'lamps'] } } } })
  t.notMatch(readFileSync(join(cwd, 'ada.json'), 'utf8'), 'hidden', 'no secrets')

  t.match(await runCommand(t, ['convert', 'broken.ts', 'b.json'], { cwd }), { code: 1, err: /^broken\.ts: line 2: / })
  t.match(await runCommand(t, ['convert', 'plain.png', 'b.json'], { cwd }), { code: 1, err: /^plain\.png: .*no character card in it/ })
  t.match(await runCommand(t, ['convert', 'nowhere.json', 'b.json'], { cwd }), { code: 1, err: /^nowhere\.json is not a file/ })
  t.notOk(existsSync(join(cwd, 'b.json')), 'nothing is written of what failed')
  t.match(await runCommand(t, ['convert', 'a.charx', 'arc.png', '--picture', 'card.png'], { cwd }), { code: 0, out: /archive: only its card\.json/ })
  t.match(await runCommand(t, ['convert', 'arc.png', 'arc.mts'], { cwd }), { code: 0, out: /picture: put it beside the module as arc\.png/ })
  t.match(await runCommand(t, ['check', '.', '--json'], { cwd }), { out: /"name": "Arc"/ })
})

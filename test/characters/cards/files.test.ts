import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { archive, cardFields, charx, contain, damages, eliza, otherText, picture, text, v1, v2, v3, type Container } from '../../support/cards.js'
import { character, createLibrary, facts, never, writeCast } from '../casts.js'

// Files that are cards: all versions, all containers, and all that can be wrong with them.

async function load (t: Test, files: Record<string, string | Buffer>) {
  const directory = writeCast(t, {})
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory, name), bytes)
  const { library } = createLibrary(t, directory)
  const registry = await library.open(facts())
  return { ...registry.report, library, directory, registry }
}

const versions = { v1, v2, v3, eliza }
const containers: Container[] = ['json', 'png', 'png-packed', 'png-international', 'png-international-packed', 'charx']

t.test('100 cards of every version and container load with all their fields', async t => {
  const files: Record<string, string | Buffer> = {}
  const made: { name: string, version: keyof typeof versions, container: Container }[] = []
  for (let index = 0; index < 100; index++) {
    const version = (Object.keys(versions) as (keyof typeof versions)[])[index % 4]!
    const container = containers[Math.floor(index / 4) % containers.length]!
    const name = `Keeper ${index}`
    const { extension, bytes } = contain(versions[version](name), container, version === 'v3' ? 'ccv3' : 'chara')
    files[`keeper-${String(index).padStart(3, '0')}.${extension}`] = bytes
    made.push({ name, version, container })
  }
  const { registry, errors, loaded_count: count } = await load(t, files)
  t.strictSame(errors, [])
  t.equal(count, 100)
  for (const { name, version, container } of made) {
    const keeper = registry.find(name)!
    const label = `${name}: ${version} in ${container}`
    const { system, examples, notes } = await keeper.prompt(never, () => [{ role: 'user', text: 'Light the lamp!' }])
    t.strictSame(examples, [{ user: 'Is it late?', character: 'Late enough.' }], label)
    if (version === 'eliza') {
      t.match(system, new RegExp(`^Be a keeper\\.\\n\\n${name} keeps a lighthouse\\.\\nIt is old\\.`), label)
      t.match(system, 'Background:\n- Once met a whale.\n\nKnows about: tides, lamps.\n\nIs: patient, dry.\n\nStyle:\n- short words\n- ask back', label)
      t.equal(keeper.greeting, undefined, label)
      continue
    }
    t.equal(keeper.greeting, `I am ${name}.`, label)
    t.match(system, `${name} keeps a lighthouse with User.\n\n${name}'s personality: patient\n\nScenario: A storm is near.`, label)
    if (version === 'v1') continue
    t.match(system, new RegExp(`^Be ${name}\\. You are ${name}, talking with User\\.`), label)
    t.match(system, 'The lamp burns whale oil.', label)
    t.strictSame(notes, [{ depth: 0, role: 'system', text: 'Never leave the tower.' }], label)
    t.equal(keeper.greetingCount, 3, label)
    t.equal(keeper.greet(2), 'Mind the stairs.', label)
    t.strictSame(keeper.metadata, { comment: 'Made for a test.', tags: ['sea', 'night'], creator: 'somebody', character_version: '1.1' }, label)
    t.strictSame(keeper.instructions, { prompt: cardFields(name)['description'], language: 'en' }, label)
    t.strictSame(keeper.voice, { source: 'file', path: `voices/${name}`, engines: { local: 'amy' } }, label)
  }
})

for (const { what, file, bytes, message, line } of damages) {
  t.test(`${file.slice(2)}, ${what}: one error with its reason, and the others load`, async t => {
    const { errors, registry, total_files: total } = await load(t, { [file]: bytes(), 'good.json': JSON.stringify(v2('Good')) })
    t.equal(total, 2)
    t.strictSame(registry.names(), ['Good'])
    t.match(errors, [{ file, code: 'invalid_character', message }])
    t.equal(errors.length, 1)
    if (line !== undefined) t.equal(errors[0]!.line, line)
  })
}

t.test('a card in a picture is the newer of the two that it holds', async t => {
  const { registry } = await load(t, { 'both.png': picture(text(v2('Old')), text(v3('New'), 'ccv3')) })
  t.strictSame(registry.names(), ['New'])
})

t.test('other texts of a picture may be of any size', async t => {
  const { registry, errors } = await load(t, { 'a.png': picture(otherText(), text(v2('A'))) })
  t.strictSame(errors, [])
  t.strictSame(registry.names(), ['A'])
})

t.test('the name that others use for a V3 card is its nickname', async t => {
  const { registry } = await load(t, { 'a.json': JSON.stringify(v3('Adelaide', { nickname: 'Addie', description: '{{char}} <BOT> {{CHAR}}' })) })
  t.match(await registry.find('Adelaide')!.systemPrompt(never), 'Addie Addie Addie')
})

t.test('a byte order mark is no part of a card, nor do names of JavaScript mean anything in it', async t => {
  const json = JSON.stringify(v2('Ann')).replace('"name"', '"__proto__":{"name":"Proto","nickname":"Proto"},"constructor":{"name":"Built"},"name"')
  const { registry } = await load(t, { 'a.json': `\ufeff${json}` })
  t.strictSame(registry.report.errors, [])
  t.strictSame(registry.names(), ['Ann'])
})

t.test('notes in several languages replace the plain ones', async t => {
  const { registry } = await load(t, { 'a.json': JSON.stringify(v3('A', { creator_notes_multilingual: { en: 'English.', de: 'Deutsch.' } })) })
  t.equal(registry.first()!.metadata?.comment, 'English.')
})

t.test('a newer specification is taken for what is known of it', async t => {
  const { registry } = await load(t, { 'a.json': JSON.stringify({ ...v3('A'), spec: 'chara_card_v4', spec_version: '4.0' }) })
  t.strictSame(registry.names(), ['A'])
})

t.test('JSON that a character imports is no character, nor is what belongs to tools', async t => {
  const directory = writeCast(t, {
    'a.ts': character('A', { before: 'import tides from \'./tides.json\'', prompt: 'String(tides.high)' }),
    'tides.json': '{"high": 7}',
    'package.json': '{}',
    'tsconfig.json': '{}'
  })
  const { library } = createLibrary(t, directory)
  const registry = await library.open(facts())
  t.strictSame(registry.report.errors, [])
  t.equal(registry.report.total_files, 1)
  t.equal(await registry.first()!.systemPrompt(never), '7')
})

t.test('a picture beside a character is its portrait', async t => {
  const { registry, errors } = await load(t, { 'a.ts': character('A'), 'a.png': picture(), 'b.json': JSON.stringify(v2('B')), 'c.png': picture(text(v2('C'))) })
  t.strictSame(errors, [])
  t.match(registry.find('A')!.picture, { file: /a\.png$/ })
  t.equal(registry.find('B')!.picture, undefined)
  t.match(registry.find('C')!.picture, { file: /c\.png$/ })
})

t.test('a name that two files have is an error of the later one, cards and modules alike', async t => {
  const { errors, registry } = await load(t, { 'a.ts': character('A'), 'b.json': JSON.stringify(v2('A')) })
  t.strictSame(registry.names(), ['A'])
  t.match(errors, [{ file: 'b.json', code: 'duplicate_name' }])
})

t.test('a changed card is read again, an unchanged one is not', async t => {
  const { library, directory } = await load(t, { 'a.json': JSON.stringify(v2('Before')) })
  writeFileSync(join(directory, 'a.json'), JSON.stringify(v2('After, and longer')))
  const after = await library.open(facts('2'))
  t.strictSame(after.names(), ['After, and longer'])
})

t.test('a card outside of the root is refused', async t => {
  const outside = writeCast(t, { 'secret.json': JSON.stringify(v2('Secret')) })
  const directory = writeCast(t, { 'good.json': JSON.stringify(v2('Good')) })
  symlinkSync(join(outside, 'secret.json'), join(directory, 'link.json'))
  const { library } = createLibrary(t, directory)
  const registry = await library.open(facts())
  t.strictSame(registry.names(), ['Good'])
  t.match(registry.report.errors, [{ file: 'link.json', code: 'import_error', message: /outside of the root/ }])
})

t.test('names that eliza has for people become those of the session', async t => {
  const { registry } = await load(t, { 'a.json': JSON.stringify(eliza('Eli', { bio: '{{agentName}} meets {{name1}}.', messageExamples: [[{ name: '{{name1}}', content: { text: '{{agentName}}?' } }, { name: 'Eli', content: { text: 'Yes, {{name1}}.' } }]] })) })
  const { system, examples } = await registry.first()!.prompt(never, () => [])
  t.match(system, 'Eli meets User.')
  t.strictSame(examples, [{ user: 'Eli?', character: 'Yes, User.' }])
})

t.test('services\' keys in an eliza file go nowhere', async t => {
  const { registry } = await load(t, { 'a.json': JSON.stringify(eliza('A', { secrets: { OTHER: 'hidden' } })) })
  const { system } = await registry.first()!.prompt(never, () => [])
  t.notMatch(JSON.stringify([system, registry.first()!.instructions, registry.list()]), 'hidden')
})

t.test('an icon in an archive, or in the card itself, is the picture', async t => {
  const assets = (uri: string) => ({ assets: [{ type: 'background', uri: 'embeded://b.png', name: 'main', ext: 'png' }, { type: 'icon', uri, name: 'main', ext: 'png' }] })
  const { registry } = await load(t, {
    'a.charx': charx(v3('A', assets('embeded://assets/icon/a.png')), { name: 'assets/icon/a.png', data: picture() }),
    'b.json': JSON.stringify(v3('B', assets(`data:image/png;base64,${picture().toString('base64')}`))),
    'e.json': JSON.stringify(v3('E', assets(`data:image/png;base64,${Buffer.concat([picture(), Buffer.alloc(300_000)]).toString('base64')}`))),
    'd.png': picture(text(v3('D', assets('https://example.com/d.png')), 'ccv3')),
    'c.charx': archive({ name: 'assets/x.png', data: picture() }, { name: 'card.json', data: JSON.stringify(v3('C', assets('https://example.com/c.png'))) })
  })
  t.match(registry.find('A')!.picture, { member: 'assets/icon/a.png' })
  t.ok(registry.find('B')!.picture)
  t.ok(registry.find('E')!.picture, 'larger than a text may be')
  t.equal(registry.find('C')!.picture, undefined)
  t.match(registry.find('D')!.picture, { file: /d\.png$/ }, 'what is not asked for gives way to the picture itself')
})

import vm from 'node:vm'
import t from 'tap'
import { compose } from '../../../lib/characters/cards/compose.js'
import { Fields, type Json } from '../../../lib/characters/cards/fields.js'
import { LoreMemory, Lorebook, type LoreMessage } from '../../../lib/characters/cards/lorebook.js'
import { expand, type MacroScope } from '../../../lib/characters/cards/macros.js'
import { readTavernCard } from '../../../lib/characters/cards/tavern.js'
import { v3 } from '../../support/cards.js'

const entry = (keys: string[], content: string, more: Json = {}): Json => ({ keys, content, enabled: true, insertion_order: 1, extensions: {}, ...more })
const book = (entries: Json[], more: Json = {}) => new Lorebook(new Fields({ entries, extensions: {}, ...more }))
const user = (text: string): LoreMessage => ({ role: 'user', text })
const answer = (text: string): LoreMessage => ({ role: 'assistant', text })

/** What the entries found say. */
function find (lorebook: Lorebook, messages: LoreMessage[], { memory = new LoreMemory(), greeting = 0, guard = (call: () => void) => call() } = {}): string[] {
  return lorebook.find({ messages, memory, greeting, guard }).map(({ text }) => text)
}

t.test('an entry comes in when a keyword is said, by either side, whatever its case', async t => {
  const lorebook = book([entry(['dragon', 'wyrm'], 'Dragons sleep.')])
  t.strictSame(find(lorebook, [user('Tell me of DRAGONS.')]), ['Dragons sleep.'])
  t.strictSame(find(lorebook, [answer('A wyrm?')]), ['Dragons sleep.'])
  t.strictSame(find(lorebook, [user('Nothing.')]), [])
})

t.test('case counts where it is to count', async t => {
  const lorebook = book([entry(['May'], 'The month.', { case_sensitive: true })])
  t.strictSame(find(lorebook, [user('may I?')]), [])
  t.strictSame(find(lorebook, [user('In May.')]), ['The month.'])
})

t.test('a selective entry needs a key of both lists', async t => {
  const lorebook = book([entry(['king'], 'Both.', { selective: true, secondary_keys: ['crown'] }), entry(['king'], 'One.', { selective: false, secondary_keys: ['crown'] })])
  t.strictSame(find(lorebook, [user('The king.')]), ['One.'])
  t.strictSame(find(lorebook, [user('The king.'), user('His crown.')]), ['Both.', 'One.'])
})

t.test('constant entries are always there, disabled ones never', async t => {
  const lorebook = book([entry([], 'Always.', { constant: true }), entry(['x'], 'Never.', { enabled: false, constant: true }), entry(['x'], '  ', { constant: true })])
  t.strictSame(find(lorebook, []), ['Always.'])
})

t.test('only the last messages are searched', async t => {
  const messages = [user('the key'), ...Array.from({ length: 4 }, () => answer('other'))]
  t.strictSame(find(book([entry(['key'], 'Found.')]), messages), [], 'four, unless it says otherwise')
  t.strictSame(find(book([entry(['key'], 'Found.')], { scan_depth: 5 }), messages), ['Found.'])
  t.strictSame(find(book([entry(['key'], '@@scan_depth 5\nFound.')]), messages), ['Found.'])
  t.strictSame(find(book([entry(['key'], '@@scan_depth 2\nFound.')], { scan_depth: 5 }), messages), [])
  const far = (depth: number) => [user('the key'), ...Array.from({ length: depth - 1 }, () => answer('other'))]
  t.strictSame(find(book([entry(['key'], 'Found.')], { scan_depth: 1000 }), far(200)), ['Found.'])
  t.strictSame(find(book([entry(['key'], 'Found.')], { scan_depth: 1000 }), far(201)), [], 'however many it asks for')
})

t.test('entries come in their order, and the least important goes when there is too much', async t => {
  const lorebook = book([
    entry(['k'], `late ${'x'.repeat(36)}`, { insertion_order: 3, priority: 1 }),
    entry(['k'], `first ${'x'.repeat(34)}`, { insertion_order: 1, priority: 3 }),
    entry(['k'], `second ${'x'.repeat(33)}`, { insertion_order: 2, priority: 2 })
  ], { token_budget: 20 })
  t.strictSame(find(lorebook, [user('k')]).map(text => text.split(' ')[0]), ['first', 'second'])
  t.strictSame(find(book([entry(['k'], 'x')], { token_budget: 0 }), [user('k')]), [])
})

t.test('what entries say brings in others, if the book wants that, in rounds that end', async t => {
  const entries = [entry(['one'], 'two'), entry(['two'], 'three'), entry(['three'], 'one')]
  t.strictSame(find(book(entries), [user('one')]), ['two'])
  t.strictSame(find(book(entries, { recursive_scanning: true }), [user('one')]), ['two', 'three', 'one'])
  const chain = book(Array.from({ length: 20 }, (none, index) => entry([`k${index}.`], `k${index + 1}.`)), { recursive_scanning: true })
  t.equal(find(chain, [user('k0.')]).length, 6)
})

t.test('patterns match as patterns; those that are none match nothing', async t => {
  const lorebook = book([entry(['/dra+gon/i'], 'Pattern.', { use_regex: true }), entry(['^no$', '(['], 'None.', { use_regex: true, constant: true })])
  t.strictSame(find(lorebook, [user('DRAAAGON')]), ['Pattern.'])
  t.strictSame(find(lorebook, [user('([')]), [])
})

t.test('entries that SillyTavern exported', async t => {
  /** As it writes them, whatever is in them. */
  const exported = (keys: string[], content: string, extensions: Json = {}, more: Json = {}) =>
    entry(keys, content, { use_regex: true, selective: true, secondary_keys: [], constant: false, position: 'after_char', ...more, extensions: { position: 1, display_index: 0, selectiveLogic: 0, depth: 4, scan_depth: null, case_sensitive: null, ...extensions } })
  const said = [user('The King wears his crown.')]

  t.test('have words for keys, and patterns where they are written as such', async t => {
    const lorebook = book([exported(['king'], 'Word.'), exported(['k.ng'], 'None.'), exported(['/k.ng/i', 'never'], 'Pattern.'), exported(['/k.ng/'], 'Case.')])
    t.strictSame(find(lorebook, said), ['Word.', 'Pattern.'])
  })

  t.test('may be many, as they are words', async t => {
    t.strictSame(find(book(Array.from({ length: 300 }, (none, index) => exported([`k${index}.`], String(index)))), [user('k299.')]), ['299'])
  })

  t.test('are constant where they say so', async t => {
    t.strictSame(find(book([exported([], 'Always.', {}, { constant: true })]), []), ['Always.'])
  })

  t.test('have any, all, none or not all of their secondary keys', async t => {
    const logic = (number: number, ...keys: string[]) => find(book([exported(['king'], 'x', { selectiveLogic: number }, { secondary_keys: keys })]), said).length
    t.strictSame([logic(0, 'crown', 'orb'), logic(0, 'orb')], [1, 0], 'any')
    t.strictSame([logic(1, 'crown', 'orb'), logic(1, 'crown')], [1, 0], 'not all')
    t.strictSame([logic(2, 'orb'), logic(2, 'crown', 'orb')], [1, 0], 'none')
    t.strictSame([logic(3, 'crown', 'wears'), logic(3, 'crown', 'orb')], [1, 0], 'all')
  })

  t.test('have a scan depth and a case of their own', async t => {
    const messages = [user('the King'), ...Array.from({ length: 5 }, () => answer('other'))]
    t.strictSame(find(book([exported(['king'], 'Far.', { scan_depth: 6 }), exported(['king'], 'Near.')]), messages), ['Far.'])
    t.strictSame(find(book([exported(['king'], 'x', { case_sensitive: true })]), said), [])
  })

  t.test('stand in the conversation where they are at a depth', async t => {
    const [found] = book([exported([], 'x', { position: 4, depth: 2, role: 1 }, { constant: true })]).find({ messages: [], memory: new LoreMemory(), greeting: 0, guard: call => call() })
    t.match(found!.decorations, { depth: 2, role: 'user' })
  })

  t.test('with fields of other types are read for what can be made of them', async t => {
    t.strictSame(find(book([exported(['king'], 'x', { selectiveLogic: 'any', position: 'deep', depth: {}, role: 9, scan_depth: [], case_sensitive: 'no' })]), said), ['x'])
  })
})

t.test('a pattern that takes too long is stopped once and not tried again', async t => {
  const lorebook = book([entry(['(a+)+$'], 'Bomb.', { use_regex: true }), entry(['safe'], 'Safe.')])
  let interrupted = 0
  const guard = (call: () => void) => {
    const script = new vm.Script('call()')
    try {
      script.runInNewContext({ call }, { timeout: 200 })
    } catch (error) {
      interrupted++
      throw error
    }
  }
  const hostile = user(`safe ${'a'.repeat(50)}!`)
  t.strictSame(find(lorebook, [hostile], { guard }), ['Safe.'])
  t.strictSame(find(lorebook, [hostile, user('aaa')], { guard }), ['Safe.'])
  t.equal(interrupted, 1)
})

t.test('decorators are honoured, and taken off', async t => {
  const messages = [user('k'), answer('a'), user('k')]
  const one = (content: string, options: Parameters<typeof find>[2] = {}) => find(book([entry(['k'], content)]), messages, options)
  t.strictSame(one('@@activate_only_after 1\nx'), ['x'])
  t.strictSame(one('@@activate_only_after 2\nx'), [])
  t.strictSame(one('@@activate_only_every 2\nx'), [])
  t.strictSame(one('@@is_greeting 1\nx'), [])
  t.strictSame(one('@@is_greeting 1\nx', { greeting: 1 }), ['x'])
  t.strictSame(one('@@additional_keys no,a\nx'), ['x'])
  t.strictSame(one('@@additional_keys no\nx'), [])
  t.strictSame(one('@@exclude_keys no,a\nx'), [])
  t.strictSame(one('@@dont_activate\nx'), [])
  t.strictSame(one('@@dont_activate\n@@activate\n\nx'), ['x'])
  t.strictSame(find(book([entry(['never said'], '@@activate\nx')]), messages), ['x'])
  t.strictSame(one('@@something_else 4\n@@@activate_only_after 9\nx'), [], 'the fallback of what is not known')
  t.strictSame(one('@@scan_depth 4\n@@@activate_only_after 9\nx'), ['x'], 'no fallback of what is')
  t.strictSame(one('@@instruct_depth 4\nx'), ['x'])
})

t.test('what was found once stays, or stays away', async t => {
  const lorebook = book([entry(['k'], '@@keep_activate_after_match\nkeeps'), entry(['k'], '@@dont_activate_after_match\nonce')])
  const memory = new LoreMemory()
  t.strictSame(find(lorebook, [user('k')], { memory }), ['keeps', 'once'])
  t.strictSame(find(lorebook, [user('other')], { memory }), ['keeps'])
  t.strictSame(find(lorebook, [user('k')], { memory }), ['keeps'])
  t.strictSame(find(lorebook, [user('other')]), [], 'for another session')
})

t.test('entries stand where they belong: around the description, in sections, in the conversation', async t => {
  const card = readTavernCard(v3('A', {
    character_book: {
      extensions: {},
      entries: [
        entry([], 'BEFORE', { constant: true, position: 'before_char' }),
        entry([], 'AFTER', { constant: true, position: 'after_char' }),
        entry([], '@@position after_desc\nDESC', { constant: true }),
        entry([], '@@position personality\nPERS', { constant: true }),
        entry([], '@@position scenario\nSCEN', { constant: true }),
        entry([], '@@depth 2\n@@role user\nDEEP', { constant: true }),
        entry([], '@@disable_ui_prompt post_history_instructions\nQUIET', { constant: true })
      ]
    }
  }), 'a.json')
  const lore = card.lorebook!.find({ messages: [], memory: new LoreMemory(), greeting: 0, guard: call => call() })
  const { system, notes } = compose(card, lore, { user: 'U', seed: '', now: new Date(), language: null })
  t.strictSame(system.match(/BEFORE|keeps a lighthouse|DESC|patient|PERS|storm|SCEN|AFTER|DEEP/g), ['BEFORE', 'keeps a lighthouse', 'DESC', 'patient', 'PERS', 'storm', 'SCEN', 'AFTER'])
  t.strictSame(notes, [{ depth: 2, role: 'user', text: 'DEEP' }])
})

const scope: MacroScope = { char: 'Ada', user: 'Sam', seed: 's', now: new Date(2026, 10, 23, 15, 4), language: 'en', values: { scenario: 'At sea.' } }

t.test('macros', async t => {
  const cases: [text: string, expected: string | RegExp][] = [
    ['{{char}} and {{USER}}, <BOT> and <user>', 'Ada and Sam, Ada and Sam'],
    ['a{{// not {this} }}b', 'a{{// not {this} }}b'],
    ['a{{// hidden }}b{{comment: c}}d{{hidden_key:k}}e', 'abde'],
    ['{{random:a,b\\,c}}', /^(a|b,c)$/],
    ['{{random::a::b}}', /^[ab]$/],
    ['{{pick:a,b,c}}', /^[abc]$/],
    ['{{roll:6}} {{roll:d6}} {{roll 2d6}}', /^[1-6] [1-6] ([2-9]|1[0-2])$/],
    ['{{reverse:abc}}', 'cba'],
    ['{{time}} {{date}} {{weekday}} {{isotime}} {{isodate}}', '15:04 November 23, 2026 Monday 15:04 2026-11-23'],
    ['{{scenario}}{{newline}}{{noop}}{{trim}}', 'At sea.\n'],
    ['{{group}} {{charIfNotGroup}} {{persona}}', 'Ada Ada '],
    ['{{unknown}} {{', '{{unknown}} {{'],
    ['{{random:{{user}},{{user}}}}', 'Sam'],
    ['{{original}}', '{{original}}']
  ]
  for (const [text, expected] of cases) typeof expected === 'string' ? t.equal(expand(text, scope), expected, text) : t.match(expand(text, scope), expected, text)
  t.equal(expand('{{original}}!', { ...scope, original: 'It' }), 'It!')
})

t.test('what is filled in is not read again', async t => {
  t.equal(expand('{{user}}', { ...scope, user: '{{char}}' }), '{{char}}')
})

t.test('a pick stays the same in a session, and differs between sessions', async t => {
  const text = '{{pick:a,b,c,d,e,f,g,h}}'
  const picks = new Set(Array.from({ length: 50 }, (none, index) => expand(text, { ...scope, seed: String(index) })))
  t.ok(picks.size > 3)
  t.equal(expand(text, scope), expand(text, scope))
})

t.test('macros of hostile depth and length end', async t => {
  t.ok(expand('{{'.repeat(100_000), scope).length > 0)
  t.ok(expand(`${'{{random:'.repeat(1000)}x${'}}'.repeat(1000)}`, scope).length > 0)
  let bomb = '{{scenario}}'
  for (let count = 0; count < 8; count++) bomb += bomb
  t.ok(expand(bomb, { ...scope, values: { scenario: bomb } }).length < 2_000_000)
})

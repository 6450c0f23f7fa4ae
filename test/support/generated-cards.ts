/** Character cards of any content, for properties and for the benchmark. */
import fc from 'fast-check'

type Json = Record<string, unknown>

/** What people write, and what makes trouble where it is written into something else. */
const fragments = fc.constantFrom('{{char}}', '{{user}}', '`', '$' + '{x}', '\\', '\\n', '\\u0041', '\'', '"', '\n', '\r\n', '\t', '<START>', '*/', '//', '\u2028', '\ud83d', '🜁', 'ß', '中文', '\u0001', ' ')
export const anyText = fc.array(fc.oneof(fragments, fc.string({ maxLength: 12 })), { maxLength: 12 }).map(parts => parts.join('').replaceAll('\0', ''))
const name = fc.string({ minLength: 1, maxLength: 20 }).map(text => `N${text.replaceAll('\0', '').trim()}`)
const list = fc.array(anyText, { maxLength: 3 })
/** As `JSON.parse` makes it. */
const anyJson = fc.jsonValue({ maxDepth: 3 }).map(value => JSON.parse(JSON.stringify(value)) as unknown)
const extensions = fc.dictionary(fc.oneof(fc.string({ minLength: 1, maxLength: 8 }), fc.constantFrom('depth_prompt', 'talkativeness', 'fav', '__proto__', 'constructor')), anyJson, { maxKeys: 4 })
  .map(fields => Object.fromEntries(Object.entries(fields).filter(([key]) => key !== 'dramatis' && key !== 'chara_card_v3')))

const entry = fc.record({
  keys: fc.array(fc.string({ minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 3 }),
  content: anyText,
  extensions,
  enabled: fc.boolean(),
  insertion_order: fc.integer({ min: 0, max: 999 }),
  case_sensitive: fc.boolean(),
  name: anyText,
  priority: fc.integer({ min: 0, max: 99 }),
  id: fc.integer({ min: 0, max: 999 }),
  comment: anyText,
  selective: fc.boolean(),
  secondary_keys: fc.array(fc.string({ minLength: 1, maxLength: 10 }), { maxLength: 2 }),
  constant: fc.boolean(),
  position: fc.constantFrom('before_char', 'after_char')
}, { requiredKeys: ['keys', 'content', 'extensions', 'enabled', 'insertion_order'] })

const book = (entries: fc.Arbitrary<unknown>) => fc.record({
  name: anyText,
  description: anyText,
  scan_depth: fc.integer({ min: 1, max: 50 }),
  token_budget: fc.integer({ min: 1, max: 5000 }),
  recursive_scanning: fc.boolean(),
  extensions,
  entries: fc.array(entries, { maxLength: 4 })
}, { requiredKeys: ['extensions', 'entries'] })

const plain = { name, description: anyText, personality: anyText, scenario: anyText, first_mes: anyText, mes_example: anyText }
const second = {
  ...plain,
  creator_notes: anyText,
  system_prompt: anyText,
  post_history_instructions: anyText,
  alternate_greetings: list,
  tags: list,
  creator: anyText,
  character_version: anyText,
  extensions
}
const required = Object.keys(second)

export const anyV1: fc.Arbitrary<Json> = fc.record({ ...plain, avatar: anyText, fav: fc.boolean() }, { requiredKeys: Object.keys(plain) as 'name'[] })

export const anyV2: fc.Arbitrary<Json> = fc.record({ ...second, character_book: book(entry), unknown_field: anyJson }, { requiredKeys: required as 'name'[] })
  .map(data => ({ spec: 'chara_card_v2', spec_version: '2.0', data }))

export const anyV3: fc.Arbitrary<Json> = fc.record({
  ...second,
  group_only_greetings: list,
  character_book: book(fc.tuple(entry, fc.boolean()).map(([fields, pattern]) => ({ ...fields, use_regex: pattern, keys: pattern ? ['a.c', 'x+'] : fields.keys }))),
  nickname: anyText,
  creator_notes_multilingual: fc.dictionary(fc.constantFrom('en', 'de', 'ja'), anyText),
  source: list,
  creation_date: fc.integer({ min: 0, max: 2e9 }),
  modification_date: fc.integer({ min: 0, max: 2e9 }),
  assets: fc.array(fc.record({ type: fc.constantFrom('icon', 'background', 'user_icon'), uri: fc.constantFrom('ccdefault:', 'https://example.org/a.png'), name: fc.constantFrom('main', 'other'), ext: fc.constant('png') }), { maxLength: 2 }),
  unknown_field: anyJson
}, { requiredKeys: [...required, 'group_only_greetings'] as 'name'[] })
  .map(data => ({ spec: 'chara_card_v3', spec_version: '3.0', data }))

/** A card's JSON in another version of the specification, with every field kept: what a version has no place for goes into `extensions`. */
import type { Card } from './card.js'
import { readDecorators } from './decorators.js'
import type { Json } from './fields.js'

export type Spec = 'v2' | 'v3'

const V1_FIELDS = ['name', 'description', 'personality', 'scenario', 'first_mes', 'mes_example']
const V2_FIELDS = [...V1_FIELDS, 'creator_notes', 'system_prompt', 'post_history_instructions', 'alternate_greetings', 'character_book', 'tags', 'creator', 'character_version']
/** Fields of V3 alone; a V2 card has them here, to be taken back. */
const V3_FIELDS = ['assets', 'nickname', 'creator_notes_multilingual', 'source', 'group_only_greetings', 'creation_date', 'modification_date']
const STASH = 'chara_card_v3'
const NOTICE = 'This is a card of version 3, read as one of version 2: an application that knows version 3 makes more of it.'

/** The JSON of a card that was read, in one of the two versions. */
export function toSpec ({ format, data, ...card }: Card, spec: Spec): Json {
  switch (format) {
    case 'v2': return spec === 'v2' ? data : upgrade(data)
    case 'v3': return spec === 'v3' ? data : downgrade(data)
    case 'v1': return wrap(fromPlain(data), spec)
    default: return wrap({
      name: card.name,
      description: [card.description, ...card.more].filter(text => text !== '').join('\n\n'),
      system_prompt: card.system,
      mes_example: writeExamples(card.examples),
      extensions: { ...ownFields(data), [format]: data }
    }, spec)
  }
}

/** Pairs of lines as cards write them. */
export function writeExamples (examples: readonly { user: string, character: string }[]): string {
  return examples.map(({ user, character }) => `<START>\n{{user}}: ${user}\n{{char}}: ${character}\n`).join('')
}

/** A whole card of these fields; those that the specification wants and that are not there are empty. */
export function wrap (data: Json, spec: Spec): Json {
  const empty = Object.fromEntries(V2_FIELDS.filter(key => key !== 'character_book').map(key => [key, key === 'tags' || key === 'alternate_greetings' ? [] : '']))
  const v2 = { spec: 'chara_card_v2', spec_version: '2.0', data: { ...empty, extensions: {}, ...data } }
  return spec === 'v2' ? v2 : upgrade(v2)
}

/** V1 has no `extensions`: whatever an application put beside its fields goes there. */
function fromPlain (given: Json): Json {
  const { extensions, spec, ...fields } = given
  const known = Object.entries(fields).filter(([key]) => V2_FIELDS.includes(key))
  const others = Object.entries(fields).filter(([key]) => !V2_FIELDS.includes(key))
  return { ...Object.fromEntries(known), extensions: { ...Object.fromEntries(others), ...asObject(extensions) } }
}

function upgrade (card: Json): Json {
  const { [STASH]: stash, ...extensions } = asObject(asObject(card['data'])['extensions'])
  const data = { ...asObject(card['data']), extensions, group_only_greetings: [], ...asObject(stash) }
  return { ...card, spec: 'chara_card_v3', spec_version: '3.0', data: mapEntries(data, entry => 'use_regex' in entry ? entry : { ...entry, use_regex: false }) }
}

function downgrade (card: Json): Json {
  const fields = asObject(card['data'])
  const { group_only_greetings: group, ...own } = fields
  const stash = Object.entries(Array.isArray(group) && group.length === 0 ? own : fields).filter(([key]) => V3_FIELDS.includes(key))
  const data = {
    ...Object.fromEntries(Object.entries(fields).filter(([key]) => !V3_FIELDS.includes(key))),
    extensions: { ...asObject(fields['extensions']), ...stash.length === 0 ? {} : { [STASH]: Object.fromEntries(stash) } }
  }
  return {
    ...card,
    spec: 'chara_card_v2',
    spec_version: '2.0',
    data: mapEntries(data, ({ use_regex: pattern, ...entry }) => pattern === false ? entry : { ...entry, use_regex: pattern })
  }
}

/** What an application that knows no V3 finds beside it, as that specification wants it: with a notice, and without decorators, which it would show its model. */
export function toBackfill (card: Card): Json {
  const v2 = toSpec(card, 'v2')
  const data = asObject(v2['data'])
  const notes = [NOTICE, data['creator_notes']].filter(text => typeof text === 'string' && text !== '').join('\n\n')
  const plain = (entry: Json) => typeof entry['content'] === 'string' ? { ...entry, content: readDecorators(entry['content']).text } : entry
  return { ...v2, data: mapEntries({ ...data, creator_notes: notes }, plain) }
}

function mapEntries (data: Json, change: (entry: Json) => Json): Json {
  const book = asObject(data['character_book'])
  if (!Array.isArray(book['entries'])) return data
  return { ...data, character_book: { ...book, entries: book['entries'].map(entry => change(asObject(entry))) } }
}

function ownFields ({ settings }: Json): Json {
  const own = asObject(settings)['dramatis']
  return own === undefined ? {} : { dramatis: own }
}

export function asObject (value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Json : {}
}

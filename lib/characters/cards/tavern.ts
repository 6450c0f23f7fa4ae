/** Character Card V1, V2 and V3: docs/cards.md has the mapping, field by field. */
import type { Card, CardPicture } from './card.js'
import { readExamples } from './examples.js'
import { Fields, type Json } from './fields.js'
import { Lorebook } from './lorebook.js'
import { readOwnFields } from './own-fields.js'
import { CardProblem } from './problem.js'
import { readCharacterNote } from './silly-tavern.js'

/** Fields of V1; a card must have one beside its name. */
const V1_FIELDS = ['description', 'personality', 'scenario', 'first_mes', 'mes_example']

export function isTavernCard (value: Json): boolean {
  return typeof value['spec'] === 'string' || V1_FIELDS.some(key => key in value)
}

/** @param file what the card is in; throws a {@link CardProblem} */
export function readTavernCard (value: Json, file: string): Card {
  const format = formatOf(value)
  const outer = new Fields(value)
  // Some V2 cards have their fields on both levels, some V1 cards have fields of V2: the inner ones count.
  const fields = format === 'v1' ? outer : outer.inside('data')
  if (fields === undefined) throw outer.wrong(['data'], 'an object', undefined)
  const name = readName(fields)
  const extensions = fields.inside('extensions')
  const own = readOwnFields(extensions?.inside('dramatis'), file)
  const nickname = format === 'v3' ? fields.text('nickname').trim() : ''
  const { pairs, rest } = readExamples(fields.text('mes_example'), name)
  const book = fields.inside('character_book')
  const version = fields.text('character_version')
  const tags = fields.texts('tags')
  const creator = fields.text('creator')
  const notes = format === 'v3' ? readNotes(fields) : fields.text('creator_notes')
  return {
    format,
    name,
    nickname: nickname === '' ? name : nickname,
    ...own,
    system: fields.text('system_prompt'),
    description: fields.text('description'),
    personality: fields.text('personality'),
    scenario: fields.text('scenario'),
    more: [],
    greetings: [fields.text('first_mes'), ...fields.texts('alternate_greetings')].filter((text, index) => index === 0 || text.trim() !== ''),
    examples: pairs,
    exampleText: rest,
    postHistory: fields.text('post_history_instructions'),
    notes: readCharacterNote(fields.object('extensions') ?? {}),
    lorebook: book === undefined ? undefined : new Lorebook(book),
    metadata: {
      ...own.good === undefined ? {} : { good: own.good },
      ...notes.trim() === '' ? {} : { comment: notes },
      ...tags.length === 0 ? {} : { tags },
      ...creator === '' ? {} : { creator },
      ...version === '' ? {} : { character_version: version }
    },
    picture: format === 'v3' ? readPicture(fields, file) : defaultPicture(file),
    data: value
  }
}

/** What a client selects, in a form that our schema takes. */
export function readName (fields: Fields): string {
  const name = fields.text('name').trim().replace(/\s+/g, ' ')
  if (name === '') throw new CardProblem(`${fields.name(['name'])}: the card has no name.`, { path: fields.pathOf('name') })
  if (name.length > 200) throw new CardProblem(`${fields.name(['name'])}: longer than 200 characters.`, { path: fields.pathOf('name') })
  return name
}

function formatOf ({ spec, data }: Json): 'v1' | 'v2' | 'v3' {
  if (spec === undefined || spec === null) return 'v1'
  if (spec === 'chara_card_v2') return 'v2'
  // Newer versions are to be taken for what is known of them.
  if (typeof spec === 'string' && /^chara_card_v\d+$/.test(spec)) return spec === 'chara_card_v1' && data === undefined ? 'v1' : 'v3'
  throw new CardProblem(`spec: expected chara_card_v2 or chara_card_v3, got ${typeof spec === 'string' ? `'${spec.slice(0, 60)}'` : 'no text'}.`, { path: ['spec'] })
}

/** With notes in several languages, the English ones, by the specification of V3; `creator_notes` counts only without them. */
function readNotes (fields: Fields): string {
  const notes = fields.text('creator_notes')
  const english = fields.inside('creator_notes_multilingual')?.text('en') ?? ''
  return english === '' ? notes : english
}

function readPicture (fields: Fields, file: string): CardPicture | undefined {
  const assets = fields.objects('assets', 1000).filter(asset => asset.text('type') === 'icon')
  const icon = assets.find(asset => asset.text('name') === 'main') ?? assets[0]
  const uri = icon?.address('uri') ?? 'ccdefault:'
  // Both spellings are about.
  const [, path] = /^embed(?:d)?ed:\/\/(.+)$/.exec(uri) ?? []
  if (path !== undefined && file.endsWith('.charx')) return { kind: 'member', path }
  const [, type, base64] = /^data:(image\/(?:png|jpeg|webp|gif|avif));base64,(.+)$/s.exec(uri) ?? []
  if (type !== undefined) return { kind: 'data', type, base64: base64! }
  return defaultPicture(file)
}

/** The card in a picture has that picture, also if its icon is somewhere that nobody is asked for it. */
function defaultPicture (file: string): CardPicture | undefined {
  return file.endsWith('.png') ? { kind: 'file' } : undefined
}

/** A character that a client describes itself, in the fields of a module (docs/characters.md), without code. */
import type { CharacterExample } from '../character.js'
import type { Card } from './card.js'
import { Fields, type Json } from './fields.js'
import { readCard } from './files.js'
import { readOwnFields } from './own-fields.js'
import { readName } from './tavern.js'

/** A card, or a definition: told apart by `instructions`. Throws a {@link CardProblem}. */
export function readDefinition (value: Json, file: string): Card {
  if (!('instructions' in value)) return withoutModel(readCard(value, file))
  const fields = new Fields(value)
  const name = readName(fields)
  const instructions = fields.inside('instructions')
  const { good, ...own } = readOwnFields(new Fields({ ...value, language: instructions?.text('language') }), file)
  const metadata = fields.inside('metadata')
  const comment = metadata?.text('comment') ?? ''
  const hidden = metadata?.flag('good')
  return withoutModel({
    format: 'inline',
    name,
    nickname: name,
    ...own,
    system: '{{original}}',
    description: instructions?.text('prompt') ?? '',
    personality: '',
    scenario: '',
    more: [],
    greetings: [fields.text('greeting')],
    examples: fields.objects('examples', 1000).map((example): CharacterExample => ({ user: example.text('user'), character: example.text('character') })),
    exampleText: '',
    postHistory: '',
    notes: [],
    lorebook: undefined,
    metadata: { ...hidden === undefined ? {} : { good: hidden }, ...comment === '' ? {} : { comment } },
    picture: undefined,
    data: value
  })
}

/** Which model thinks is for whoever runs the server to say. */
function withoutModel (card: Card): Card {
  return { ...card, llm: undefined }
}

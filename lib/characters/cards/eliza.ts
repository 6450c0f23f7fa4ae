/** `character.json` of eliza (elizaOS): docs/cards.md has the mapping, field by field. */
import type { CharacterExample } from '../character.js'
import type { Card } from './card.js'
import { Fields, type Json } from './fields.js'
import { readOwnFields } from './own-fields.js'
import { readName } from './tavern.js'

const MARKS = ['bio', 'lore', 'messageExamples', 'postExamples', 'modelProvider', 'adjectives', 'topics']

export function isElizaCharacter (value: Json): boolean {
  return !('spec' in value) && MARKS.some(key => key in value)
}

export function readElizaCharacter (value: Json, file: string): Card {
  const fields = new Fields(value)
  const name = readName(fields)
  const settings = fields.inside('settings')
  const own = readOwnFields(settings?.inside('dramatis'), file)
  const style = fields.inside('style')
  const more = [
    section('Background:', fields.lines('lore')),
    section('Knows about:', fields.lines('topics'), ', '),
    section('Is:', fields.lines('adjectives'), ', '),
    section('Knows:', fields.list('knowledge', 1000).filter(one => typeof one === 'string')),
    section('Style:', [...style?.lines('all') ?? [], ...style?.lines('chat') ?? []])
  ]
  return {
    format: 'eliza',
    name,
    nickname: name,
    ...own,
    system: named(fields.text('system')),
    description: named(fields.lines('bio').join('\n')),
    personality: '',
    scenario: '',
    more: more.filter(text => text !== '').map(named),
    greetings: [],
    examples: readMessages(fields, name),
    exampleText: '',
    postHistory: '',
    notes: [],
    lorebook: undefined,
    metadata: own.good === undefined ? {} : { good: own.good },
    picture: undefined,
    data: withoutSecrets(value)
  }
}

function section (title: string, lines: readonly string[], between = '\n- '): string {
  if (lines.length === 0) return ''
  return between === ', ' ? `${title} ${lines.join(', ')}.` : `${title}${between}${lines.join(between)}`
}

/** Conversations are lists of `{ user | name, content: { text } }`, in newer files below `examples`. */
function readMessages (fields: Fields, name: string): CharacterExample[] {
  const pairs: CharacterExample[] = []
  for (const [index, conversation] of fields.list('messageExamples', 1000).entries()) {
    const list = Array.isArray(conversation) ? conversation : (conversation as { examples?: unknown } | null)?.examples
    if (!Array.isArray(list)) throw fields.wrong(['messageExamples', String(index)], 'a list', conversation)
    let user: string | undefined
    for (const message of list.slice(0, 1000) as ({ user?: unknown, name?: unknown, content?: { text?: unknown } } | null)[]) {
      const text = message?.content?.text
      if (typeof text !== 'string') continue
      const who = message?.name ?? message?.user
      if (typeof who === 'string' && who.toLowerCase() === name.toLowerCase()) {
        if (user !== undefined) pairs.push({ user: named(user), character: named(text) })
        user = undefined
      } else user = text
    }
  }
  return pairs
}

/** eliza's own names for people: `{{user1}}`, in newer files `{{name1}}`. */
function named (text: string): string {
  return text.replace(/\{\{(?:user|name)\d+\}\}/g, '{{user}}').replace(/\{\{agentName\}\}/g, '{{char}}')
}

/** Keys of services are in such files; nothing here needs them, and nobody shall be told. */
function withoutSecrets (value: Json): Json {
  const { secrets, settings, ...rest } = value
  const { secrets: more, ...others } = (settings ?? {}) as Json
  return settings === undefined ? rest : { ...rest, settings: others }
}

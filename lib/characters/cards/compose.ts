/** The prompt that a card comes to: its own words in their order, what the lorebook adds, what comes after the conversation. */
import type { Note } from '../loaded-character.js'
import type { Card } from './card.js'
import type { LoreEntry } from './lore-entry.js'
import { expand, type MacroScope } from './macros.js'
import type { Position } from './decorators.js'

export const DEFAULT_SYSTEM = 'You are {{char}}, talking with {{user}}. Stay in character. Your words are spoken aloud: answer in one to three short sentences, in the language you are addressed in, without markdown, lists, stage directions or emoji.'

/** Name of the user for cards that address one. */
export const DEFAULT_USER = 'User'

export interface Composed { system: string, notes: Note[] }

export function compose (card: Card, lore: readonly LoreEntry[], scope: Omit<MacroScope, 'values' | 'original' | 'char'>): Composed {
  const names = { ...scope, char: card.nickname }
  const values = { description: card.description, personality: card.personality, scenario: card.scenario }
  const fill = (text: string, original?: string) => expand(text, { ...names, values, ...original === undefined ? {} : { original } }).trim()
  const disabled = new Set(lore.flatMap(({ decorations }) => decorations.disables ?? []))
  // Where entries stand decides over how deep: those with a place in the conversation are notes.
  const isNote = ({ decorations }: LoreEntry) => decorations.depth !== undefined && decorations.position === undefined
  const at = (position: Position) => lore.filter(entry => !isNote(entry) && entry.position === position).map(({ text }) => fill(text))

  const original = fill(DEFAULT_SYSTEM)
  const system = card.system.trim() === '' || disabled.has('system_prompt') ? original : fill(card.system, original)
  const personality = join(fill(card.personality), ...at('personality'))
  const scenario = join(fill(card.scenario), ...at('scenario'))
  const notes = [
    ...card.notes.map(note => ({ ...note, text: fill(note.text) })),
    ...lore.filter(isNote).map(({ text, decorations }): Note =>
      ({ depth: Math.max(0, decorations.depth!), role: decorations.role ?? 'system', text: fill(text) }))
  ]
  if (card.postHistory.trim() !== '' && !disabled.has('post_history_instructions')) {
    notes.push({ depth: 0, role: 'system', text: fill(card.postHistory, '') })
  }
  return {
    system: join(
      system,
      ...at('before_char'),
      ...at('before_desc'),
      fill(card.description),
      ...at('after_desc'),
      personality === '' ? '' : `${card.nickname}'s personality: ${personality}`,
      scenario === '' ? '' : `Scenario: ${scenario}`,
      ...card.more.map(text => fill(text)),
      ...at('after_char'),
      card.exampleText === '' ? '' : `Examples of how ${card.nickname} talks:\n\n${fill(card.exampleText)}`
    ),
    notes: notes.filter(({ text }) => text !== '')
  }
}

function join (...parts: string[]): string {
  return parts.filter(part => part !== '').join('\n\n')
}

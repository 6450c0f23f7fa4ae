/** A module with a `card`: what the module does not say itself, the card does. */
import type { Character } from './character.js'
import type { Card } from './cards/card.js'
import type { Json } from './cards/fields.js'
import { readCard } from './cards/files.js'
import { CardProblem } from './cards/problem.js'
import { findProblem, type Problem } from './validation.js'

export interface Definition {
  /** Complete and valid. */
  character: Character
  card: Card | undefined
  /** What the module itself says. */
  given: Partial<Character>
}

/** @param file name of the module's file; a voice of a card without one is called like it */
export function readDefinitionOf (value: unknown, file: string): Definition | Problem {
  if (!hasCard(value)) return findProblem(value) ?? { character: value as Character, card: undefined, given: value as Character }
  try {
    const card = readCard(value.card, file)
    const { name, voice, metadata, llm, tts, temperature, description, language } = card
    const character = {
      name,
      voice,
      metadata,
      ...llm === undefined ? {} : { llm },
      ...tts === undefined ? {} : { tts },
      ...temperature === undefined ? {} : { temperature },
      instructions: { prompt: description, ...language === undefined ? {} : { language } },
      systemPrompt: () => '',
      ...value
    }
    return findProblem(character) ?? { character, card, given: value as Partial<Character> }
  } catch (error) {
    if (!(error instanceof CardProblem)) throw error
    return { code: 'invalid_character', message: `card: ${error.message}`, path: ['card', ...error.path] }
  }
}

function hasCard (value: unknown): value is { card: Json } {
  const card = typeof value === 'object' && value !== null ? (value as { card?: unknown }).card : undefined
  return typeof card === 'object' && card !== null && !Array.isArray(card)
}

/** A character as a file describes it without code: what all formats come to. Shared by all sessions, never changed. */
import type { CharacterData } from '../schema.js'
import type { CharacterExample, Voice } from '../character.js'
import type { Note } from '../loaded-character.js'
import type { Json } from './fields.js'
import type { Lorebook } from './lorebook.js'

export type CardFormat = 'v1' | 'v2' | 'v3' | 'eliza' | 'inline'

export interface Card {
  readonly format: CardFormat
  /** What a client selects. */
  readonly name: string
  /** What `{{char}}` becomes. */
  readonly nickname: string
  readonly voice: Voice
  readonly language: string | undefined
  /** Replaces the server's own first sentence; `{{original}}` is that. Empty: none. */
  readonly system: string
  readonly description: string
  readonly personality: string
  readonly scenario: string
  /** Further paragraphs about the character. */
  readonly more: readonly string[]
  readonly greetings: readonly string[]
  readonly examples: readonly CharacterExample[]
  /** Examples that are no pairs of lines, as they stand. */
  readonly exampleText: string
  /** Comes after the conversation. */
  readonly postHistory: string
  /** Stand in the conversation, whatever is said. */
  readonly notes: readonly Note[]
  readonly lorebook: Lorebook | undefined
  readonly metadata: CharacterData['metadata']
  readonly llm: CharacterData['llm']
  readonly tts: CharacterData['tts']
  readonly temperature: number | undefined
  /** Where its picture is, if it has one. */
  readonly picture: CardPicture | undefined
  /** The card's own JSON, with all that is not used here. */
  readonly data: Json
}

/** The file itself, a file in the archive, or the bytes. */
export type CardPicture =
  | { readonly kind: 'file' }
  | { readonly kind: 'member', readonly path: string }
  | { readonly kind: 'data', readonly type: string, readonly base64: string }

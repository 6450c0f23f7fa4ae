/**
 * What authors import as `dramatis/character`: types, and one function that only helps the editor.
 * Nothing is imported at run time, so it is safe in a browser. The loader provides it to any cast.
 */
import type { Static } from '@sinclair/typebox'
import type { CharacterData, ExampleSchema, VoiceSchema } from './schema.js'

export type Voice = Static<typeof VoiceSchema>
export type CharacterExample = Static<typeof ExampleSchema>

/** `prompt`, `language`, and whatever else the prompt code wants. */
export interface Instructions {
  prompt: string
  language?: string
  [key: string]: unknown
}

/** What character code may know of its session. */
export interface SessionFacts {
  id: string
  startedAt: Date
  /** ISO-639-1, such as `en`; null while unknown. */
  language: string | null
  /** What characters call the user; absent while unknown. */
  userName?: string
}

/** Small things most prompts want. */
export interface CharacterHelpers {
  /** One of the list, by chance. */
  pick<T> (list: readonly T[]): T
  /** Today in words, such as `Sunday, 22 November 2026`; in the session's language unless a locale is given. */
  date (locale?: string): string
  /** The time of day in words, such as `15:04`. */
  time (locale?: string): string
  /** The words as a list, such as `tea, milk and honey`. */
  join (words: readonly string[], locale?: string): string
}

export interface CharacterContext<I = Instructions> {
  readonly instructions: I
  readonly session: Readonly<SessionFacts>
  readonly helpers: CharacterHelpers
  /** Aborts when the answer is cancelled, the character is replaced, the time is up or the session ends. */
  readonly signal: AbortSignal
}

export interface CharacterLog {
  info (message: string, fields?: object): void
  warn (message: string, fields?: object): void
  error (message: string, fields?: object): void
}

export interface ToolContext<I = Instructions> extends CharacterContext<I> {
  /** Lines for the server's log, marked with session and character. */
  readonly log: CharacterLog
}

/** A JSON Schema, as far as its types can be inferred. */
export interface ParametersSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, unknown>>
  readonly required?: readonly string[]
  readonly [key: string]: unknown
}

/** The type that a JSON Schema describes: objects, arrays, enums and the simple types; `any` beyond that. */
export type FromSchema<S> =
  S extends { const: infer C } ? C
    : S extends { enum: readonly (infer E)[] } ? E
      : S extends { type: 'string' } ? string
        : S extends { type: 'number' | 'integer' } ? number
          : S extends { type: 'boolean' } ? boolean
            : S extends { type: 'null' } ? null
              : S extends { type: 'array', items: infer I } ? FromSchema<I>[]
                : S extends { properties: infer P } ? FromProperties<P, S extends { required: readonly (infer R)[] } ? R : never>
                  : any

type FromProperties<P, R> = Simplify<
  { [K in keyof P as K extends R ? K : never]: FromSchema<P[K]> } &
  { [K in keyof P as K extends R ? never : K]?: FromSchema<P[K]> }>
type Simplify<T> = { -readonly [K in keyof T]: T[K] }

export interface CharacterTool<P = ParametersSchema, I = Instructions> {
  name: string
  description: string
  /** JSON Schema of the arguments. */
  parameters: P
  run (args: FromSchema<P>, context: ToolContext<I>): unknown
}

type Fixed = 'instructions' | 'systemPrompt' | 'tools' | 'dispose'

/** The default export of a character module. */
export interface Character<I = Instructions, P extends readonly unknown[] = readonly any[]> extends Omit<CharacterData, Fixed> {
  instructions: I & Instructions
  systemPrompt (context: CharacterContext<I>): string | Promise<string>
  tools?: { [K in keyof P]: CharacterTool<P[K], I> }
  dispose?(): void | Promise<void>
}

/** A character that a card describes: nothing else is required, and what is there counts before what the card says. */
export interface CardModule<P extends readonly unknown[] = readonly any[]> extends Partial<Character<Instructions, P>> {
  /** A Character Card of version 1, 2 or 3 or an eliza character, as its JSON is. */
  card: Record<string, unknown>
}

export function defineCharacter<const P extends readonly unknown[] = readonly []> (character: CardModule<P>): CardModule<P>
/** Returns the character as it is, with the keys of its instructions and the arguments of its tools inferred. */
export function defineCharacter<I extends { prompt: string, language?: string }, const P extends readonly unknown[] = readonly []> (character: Character<I, P>): Character<I, P>
export function defineCharacter<C> (character: C): C {
  return character
}

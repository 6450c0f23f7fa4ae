/** A character as a session sees it, whatever it was made of. */
import type { Picture } from './cards/picture.js'
import type { CharacterData } from './schema.js'
import type { CharacterExample, Instructions, Voice } from './character.js'

export interface OfferedTool {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>
}

/** The words of a message; `key` is the same object as long as it is the same message. */
export interface Spoken { readonly role: 'user' | 'assistant', readonly text: string, readonly key?: object }

/** What was said so far, oldest first; asked for only by those who read it. */
export type History = () => readonly Spoken[]

/** What is said within or after the conversation, to the model alone. */
export interface Note {
  /** Messages from the end; 0: after the last. */
  readonly depth: number
  readonly role: 'system' | 'user' | 'assistant'
  readonly text: string
}

/** What the model is told of a character for one answer. */
export interface CharacterPrompt {
  readonly system: string
  readonly examples: readonly CharacterExample[]
  readonly notes: readonly Note[]
}

export interface LoadedCharacter {
  /** Real path of its file. */
  readonly file: string
  readonly name: string
  readonly voice: Voice
  readonly instructions: Instructions
  readonly metadata: CharacterData['metadata']
  readonly examples: readonly CharacterExample[] | undefined
  /** What it says first. */
  readonly greeting: string | undefined
  readonly llm: CharacterData['llm']
  readonly tts: CharacterData['tts']
  readonly temperature: number | undefined
  /** What the model may call; without the code. */
  readonly tools: readonly OfferedTool[]
  readonly picture: Picture | undefined
  /** How many greetings it has. */
  readonly greetingCount: number
  readonly disposable: boolean
  /** Its greeting of this number, counted from 0, now that it says it. */
  greet (number: number): string | undefined
  /**
   * Rejects with a RealtimeError whose message says where in the source, or with the signal's reason
   * when that aborts.
   */
  prompt (signal: AbortSignal, history: History): Promise<CharacterPrompt>
  /** The part of the prompt that comes before the conversation. Rejects as {@link prompt} does. */
  systemPrompt (signal: AbortSignal): Promise<string>
  /** Calls a tool on the server. Rejects as {@link prompt} does; `invalid_tools` if there is none of this name. */
  runTool (name: string, args: unknown, signal: AbortSignal): Promise<unknown>
  /** For the cast's purge: ends what the character itself has to end. */
  dispose (): unknown
}

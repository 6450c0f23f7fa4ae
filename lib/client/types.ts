// The answers as a client reads them. test/client.test-d.ts keeps them equal to what the server sends.

/** A character that can be selected. */
export interface ListedCharacter {
  name: string
  /** `false` if its author hides it from listings. */
  good: boolean | null
  comment: string | null
}

export interface CharacterList {
  /** `default`, a root's name, or `root/folder`. */
  directory: string
  /** Of the content of its files; `team@<version>` brings it back. */
  version: string
  characters: ListedCharacter[]
}

/** What is wrong with one file of a cast. */
export interface FileError {
  /** From the cast's directory; `characters[0]` of those that came with the request. */
  file: string
  /** 1-based. */
  line: number | null
  column: number | null
  code: 'syntax_error' | 'import_error' | 'execution_error' | 'timeout' | 'invalid_character' | 'duplicate_name' | 'invalid_tools'
  message: string
}

export interface Reloaded {
  /** Several sources are joined by `+`. */
  directory: string
  version: string
  loaded_count: number
  error_count: number
  total_files: number
  duration_ms: number
  characters: ListedCharacter[]
  errors: FileError[]
}

/** A character without code, in the fields of a module (docs/characters.md); further keys are kept. */
export interface CharacterDefinition {
  name: string
  instructions: { prompt?: string, language?: string }
  voice?: { source: 'file' | 'freesound', path: string, engines?: { local?: string, openai?: string, kyutai?: string }, [field: string]: unknown }
  greeting?: string
  examples?: { user: string, character: string }[]
  metadata?: { good?: boolean | null, comment?: string | null }
  tts?: { voice?: string, speed?: number, [field: string]: unknown }
  temperature?: number
}

/** A Character Card of version 2 or 3, as its JSON is. */
export interface CharacterCard {
  spec: string
  spec_version?: string
  data: { name: string, [field: string]: unknown }
}

/** A Character Card of the first version, or an eliza `character.json`. */
export interface PlainCard { name: string, instructions?: never, spec?: never, [field: string]: unknown }

/** Characters that the client brings itself. */
export interface InlineCharacters { characters: readonly (CharacterDefinition | CharacterCard | PlainCard)[] }

/** Where characters are from: `default`, a root's name, a folder below one, each with `@<version>` or without; or the client. */
export type CharacterSource = string | InlineCharacters

/** The session, as far as characters are concerned; the rest is the protocol's. */
export interface SessionState {
  id: string
  /** Names of all that can be selected. */
  characters: string[]
  character: string | null
  [field: string]: unknown
}

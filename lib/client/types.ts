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
  characters: ListedCharacter[]
}

/** What is wrong with one file of a cast. */
export interface FileError {
  /** From the cast's directory. */
  file: string
  /** 1-based. */
  line: number | null
  column: number | null
  code: 'syntax_error' | 'import_error' | 'execution_error' | 'timeout' | 'invalid_character' | 'duplicate_name' | 'invalid_tools'
  message: string
}

export interface Reloaded {
  directory: string
  loaded_count: number
  error_count: number
  total_files: number
  duration_ms: number
  characters: ListedCharacter[]
  errors: FileError[]
}

/** The session, as far as characters are concerned; the rest is the protocol's. */
export interface SessionState {
  id: string
  /** Names of all that can be selected. */
  characters: string[]
  character: string | null
  [field: string]: unknown
}

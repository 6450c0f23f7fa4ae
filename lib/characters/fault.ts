/** What is wrong with a character file, and where in the source as written. */

export const faultCodes = [
  'syntax_error', 'import_error', 'execution_error', 'timeout', 'invalid_character', 'duplicate_name', 'invalid_tools'
] as const
export type FaultCode = typeof faultCodes[number]

/** A place in a source file: `file` is its real path; `line` and `column` are 1-based, or null if nobody knows. */
export interface Place {
  file: string
  line: number | null
  column: number | null
}

/** One of the `errors[]` of a load: `file` is relative to the cast's directory. */
export interface FileError {
  file: string
  line: number | null
  column: number | null
  code: FaultCode
  message: string
}

/** A fault of character code. It keeps no reference to anything of the namespace in which it arose. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly place: Place

  constructor (code: FaultCode, message: string, place: Place) {
    super(message)
    this.code = code
    this.place = place
  }
}

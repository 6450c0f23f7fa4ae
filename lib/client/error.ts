import type { FileError } from './types.js'

export interface CharacterRequestErrorOptions {
  param?: string | null
  details?: unknown
}

/** Why a request failed: an `error` of the server, or one of the helper's own three codes. Match on `code`. */
export class CharacterRequestError extends Error {
  override readonly name = 'CharacterRequestError'
  /** Of the server (docs/errors.md), or `connection_closed`, `request_timeout`, `request_aborted`. */
  readonly code: string
  /** The field at fault, such as `directory`. */
  readonly param: string | null
  /** As the server sent it. */
  readonly details: unknown

  constructor (code: string, message: string, { param = null, details }: CharacterRequestErrorOptions = {}) {
    super(message)
    this.code = code
    this.param = param
    this.details = details
  }

  /** What is wrong with each file, if a reload failed for that; else empty. */
  get errors (): FileError[] {
    return Array.isArray(this.details) ? this.details as FileError[] : []
  }
}

import { RealtimeError } from '../errors.js'
import type { SessionFacts } from './character.js'
import type { Allowance, CharacterLibrary } from './library.js'
import type { CharacterRegistry } from './registry.js'
import { reopenCast, type SavedCast } from './reopen.js'

export interface NamedCast {
  /** As it is named, or as it was when a session had it before; undefined: the default one. */
  directory: string | SavedCast | undefined
  /** The field that names it. */
  param: string
  /** What the session may load. */
  allowance: Allowance
}

/** Opens a cast that somebody named, or the default one. Rejects with a `RealtimeError` of that field, also if a named one has no character. */
export async function openNamed (library: CharacterLibrary, session: SessionFacts, { directory, param, allowance }: NamedCast): Promise<CharacterRegistry> {
  const opening = typeof directory === 'object' ? reopenCast(library, session, directory, allowance) : library.open(session, directory, allowance)
  const registry = await opening.catch(error => {
    throw error instanceof RealtimeError ? new RealtimeError(error.code, { message: error.message, param }) : error
  })
  if (registry.size > 0 || directory === undefined) return registry
  const { errors } = registry.report
  await registry.purge()
  throw new RealtimeError('no_valid_characters', { param, details: errors })
}

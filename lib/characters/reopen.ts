import { RealtimeError } from '../errors.js'
import type { SessionFacts } from './character.js'
import type { Allowance, CharacterLibrary } from './library.js'
import type { CharacterRegistry } from './registry.js'
import { Sources, type Inline } from './sources.js'

/** Where a session's cast is from, as JSON keeps it. */
export interface SavedCast {
  /** A directory by its canonical name, or what the client gave in its place. */
  from: string | { list: readonly (string | Inline)[], param: string }
  version: string
}

/** What {@link reopenCast} needs to open the cast again, here or on another machine. */
export function saveCast ({ wanted, directory, version }: CharacterRegistry): SavedCast {
  return { from: wanted instanceof Sources ? { list: wanted.list, param: wanted.param } : directory, version }
}

/**
 * Opens a cast that a session had elsewhere, or before. If its files are others now, the version it had is
 * opened if that is still kept here, else the new one. Rejects as `library.open` does.
 *
 * @param allowance what the session may load; default: everything
 */
export async function reopenCast (library: CharacterLibrary, session: SessionFacts, { from, version }: SavedCast, allowance?: Allowance): Promise<CharacterRegistry> {
  const wanted = typeof from === 'string' ? from : new Sources(from.list, from.param)
  const registry = await library.open(session, wanted, allowance)
  if (registry.version === version || typeof wanted !== 'string' || wanted.includes('@')) return registry
  try {
    const before = await library.open(session, `${wanted}@${version}`, allowance)
    await registry.purge()
    return before
  } catch (error) {
    if (error instanceof RealtimeError && error.code === 'version_not_found') return registry
    await registry.purge()
    throw error
  }
}

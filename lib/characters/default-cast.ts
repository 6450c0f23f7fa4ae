import { OptionsError } from '../options.js'
import { RealtimeError } from '../errors.js'
import type { CharacterLibrary } from './library.js'
import type { Logger } from './logger.js'

/**
 * Loads the default cast once, so that the first session finds it compiled, and its faults are told at the start.
 * Rejects with an {@link OptionsError} if no session could begin with it.
 *
 * @param settings `default`: the name of its character that sessions begin with, if that is given
 */
export async function checkDefaultCast (library: CharacterLibrary, { directory, default: name }: { directory: string, default?: string | null | undefined }, log: Logger): Promise<void> {
  const registry = await library.open({ id: 'start', startedAt: new Date(), language: null }).catch(error => {
    throw error instanceof RealtimeError ? new OptionsError(`The characters' directory ${directory} cannot be loaded: ${error.message}`) : error
  })
  const { errors } = registry.report
  for (const error of errors) log.warn(error, `${error.file} is left out of the default cast: ${error.message}`)
  const names = registry.names()
  await registry.purge()
  if (names.length === 0) throw new OptionsError(`The characters' directory ${directory} has no valid character${errors[0] === undefined ? '' : `: ${errors[0].file}: ${errors[0].message}`}`)
  if (typeof name === 'string' && !names.includes(name)) throw new OptionsError(`The default character '${name}' is not in the cast of ${directory}: ${names.join(', ')}.`)
}

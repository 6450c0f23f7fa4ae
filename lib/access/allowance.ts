import type { Allowance } from '../characters/library.js'
import type { Key } from './keyring.js'

/**
 * What the sessions of a key may load.
 *
 * @param key null: none was needed
 * @param publicRoots those that are for every key
 */
export function allowanceOf (key: Key | null, publicRoots: readonly string[]): Allowance {
  if (key === null) return {}
  const { roots, characters, castBytes, castSeconds, inlineCharacters, inlineBytes } = key.limits
  const quotas = { characters, castBytes, castMs: castSeconds === undefined ? undefined : castSeconds * 1000, inlineCharacters, inlineBytes }
  return { roots: roots === undefined ? undefined : [...roots, ...publicRoots], quotas: Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined)) }
}

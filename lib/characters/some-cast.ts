import { createHash } from 'node:crypto'
import type { FileError } from './fault.js'
import type { LoadedCharacter } from './loaded-character.js'

/** Characters of one session, wherever they are from. */
export interface SomeCast {
  /** What it is called in answers: `default`, `team/winter`, `default+inline`. */
  readonly name: string
  /** Of its content: the same files make the same version. */
  readonly version: string
  readonly characters: readonly LoadedCharacter[]
  readonly errors: readonly FileError[]
  readonly totalFiles: number
  /** Of what it was loaded from. */
  readonly bytes: number
  /** Lets all of it go. Once. */
  purge (): Promise<void>
}

/** Twelve hexadecimal digits. */
export function versionOf (parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12)
}

/** Casts one over another: of two characters of one name the later counts, and stands where the earlier one stood. */
export function layCasts (layers: readonly SomeCast[]): SomeCast {
  if (layers.length === 1) return layers[0]!
  const byName = new Map<string, LoadedCharacter>()
  for (const { characters } of layers) for (const character of characters) byName.set(character.name, character)
  return {
    name: layers.map(({ name }) => name).join('+'),
    version: versionOf(layers.map(({ version }) => version)),
    get characters () { return [...byName.values()] },
    errors: layers.flatMap(({ name, errors }) => errors.map(error => ({ ...error, file: name === INLINE ? error.file : `${name}/${error.file}` }))),
    totalFiles: layers.reduce((sum, { totalFiles }) => sum + totalFiles, 0),
    bytes: layers.reduce((sum, { bytes }) => sum + bytes, 0),
    async purge () {
      byName.clear()
      await Promise.all(layers.map(layer => layer.purge()))
    }
  }
}

/** The name of characters that came with the event. */
export const INLINE = 'inline'

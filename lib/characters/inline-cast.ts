import { CardCharacter, type CardHost } from './cards/card-character.js'
import { readDefinition } from './cards/definition.js'
import type { Json } from './cards/fields.js'
import { parseObject } from './cards/json.js'
import { CardProblem } from './cards/problem.js'
import type { FileError } from './fault.js'
import type { LoadedCharacter } from './loaded-character.js'
import { INLINE, versionOf, type SomeCast } from './some-cast.js'

/** Characters that a client described in an event. Each that is wrong is an error of `characters[n]`. */
export function createInlineCast (definitions: readonly unknown[], host: CardHost): SomeCast {
  const characters: LoadedCharacter[] = []
  const errors: FileError[] = []
  const texts = definitions.map(definition => JSON.stringify(definition) ?? 'null')
  for (const [index, text] of texts.entries()) {
    const file = `characters[${index}]`
    try {
      // Read again, as a file would be: its depth is bounded there
      const character = new CardCharacter(file, readDefinition(parseObject(text) as Json, file), undefined, host)
      const other = characters.findIndex(({ name }) => name === character.name)
      if (other === -1) characters.push(character)
      else errors.push({ file, line: null, column: null, code: 'duplicate_name', message: `name: '${character.name}' is the name of ${characters[other]!.file} too.` })
    } catch (error) {
      if (!(error instanceof CardProblem)) throw error
      errors.push({ file, line: null, column: null, code: 'invalid_character', message: error.message })
    }
  }
  return {
    name: INLINE,
    version: versionOf(texts),
    characters,
    errors,
    totalFiles: definitions.length,
    bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    async purge () { characters.length = 0 }
  }
}

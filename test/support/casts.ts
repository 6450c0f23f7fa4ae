import { join } from 'node:path'
import { packageRoot } from '../../lib/package-root.js'

/** For sessions without a character: a cast of one whom nobody selects. The one of the package takes each server a tenth of a second. */
export const nobody = { directory: join(packageRoot, 'test', 'fixtures', 'nobody'), default: null }

/** Source of a character module with the fields it must have; `more` is further fields, as source. */
export function characterSource (name: string, more = ''): string {
  return `import { defineCharacter } from 'dramatis/character'

export default defineCharacter({
  name: ${JSON.stringify(name)},
  voice: { source: 'file', path: 'voices/${name.toLowerCase()}.wav' },
  instructions: { prompt: 'You are ${name}.' },
  systemPrompt: ({ instructions }) => instructions.prompt,
  ${more}
})
`
}

/** The files of a cast of plain characters, for `t.testdir`. */
export function castOf (...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map(name => [`${name.toLowerCase()}.ts`, characterSource(name)]))
}

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineCommand, fail, UsageError } from '../command.js'

export const command = defineCommand({
  help: `Writes a character to begin with.

  dramatis new NAME [options]

  --directory DIR   the cast it belongs to (default: my-cast)
  --voice VOICE     its voice of the local engine (default: slt-warm; see docs/engines-local.md)
  --json            for machines

A file that is there is never overwritten.
`,
  options: {
    directory: { type: 'string', default: 'my-cast' },
    voice: { type: 'string', default: 'slt-warm' },
    json: { type: 'boolean', default: false }
  },

  async run ({ directory, voice, json }, positionals) {
    const name = positionals.join(' ').trim()
    if (name === '') throw new UsageError('What is its name?')
    if (name.length > 200) throw new UsageError('A name has at most 200 characters.')
    const file = join(directory, `${toFileName(name)}.ts`)
    try {
      await mkdir(directory, { recursive: true })
      await writeFile(file, characterSource(name, toFileName(name), voice), { flag: 'wx' })
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return fail(code === 'EEXIST' ? `${file} is there already.` : `${file} cannot be written: ${message}.`)
    }
    process.stdout.write(json
      ? `${JSON.stringify({ name, file })}\n`
      : `Wrote ${file}. Next:\n\n  npx dramatis check ${directory}\n  npx dramatis talk ${JSON.stringify(name)} --characters ${directory}\n  npx dramatis start --characters ${directory}\n`)
    return 0
  }
})

function toFileName (name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '')
  return plain === '' ? 'character' : plain
}

function characterSource (name: string, path: string, voice: string): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`
  return `import { defineCharacter } from 'dramatis/character'

// What stands here belongs to one session: everybody who connects has a character of their own.
let turns = 0

export default defineCharacter({
  name: ${quote(name)},
  voice: { source: 'file', path: ${quote(`mine/${path}`)}, description: 'How it sounds, in a few words.', engines: { local: ${quote(voice)} } },
  metadata: { comment: 'What people read in the list of characters.' },

  // Who it is, for the language model.
  instructions: {
    prompt: ${quote(`You are ${name}. You speak in one or two short sentences, as one does aloud.`)},
    language: 'en'
  },
  systemPrompt ({ instructions, helpers }) {
    turns++
    return \`\${instructions.prompt} It is \${helpers.date()}, \${helpers.time()}. This is your answer number \${turns}.\`
  },

  // What it says first, when nothing was said yet.
  greeting: ${quote(`Hello, I am ${name}. Roll a die?`)},

  // Examples for the language model; without one, the built-in demo brain answers from them.
  examples: [
    { user: 'Who are you?', character: ${quote(`I am ${name}. I was written a minute ago.`)} },
    { user: 'Roll a die.', character: 'It shows {result}.', tool: { name: 'roll', arguments: { sides: 6 } } }
  ],

  // What it can do. The server runs it; the result goes to the model.
  tools: [{
    name: 'roll',
    description: 'Rolls a die and returns what it shows.',
    parameters: { type: 'object', properties: { sides: { type: 'integer', minimum: 2, maximum: 100 } }, required: ['sides'] },
    run: ({ sides }) => 1 + Math.floor(Math.random() * sides)
  }]
})
`
}

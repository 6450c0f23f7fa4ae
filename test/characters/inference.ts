import { defineCharacter, type Character } from 'dramatis/character'

export const one = defineCharacter({
  name: 'x',
  voice: { source: 'file', path: 'a' },
  instructions: { prompt: 'p', mood: 'grim', list: ['a'] },
  systemPrompt: ({ instructions, helpers }) => instructions.mood.toUpperCase() + helpers.pick(instructions.list),
  tools: [
    { name: 'a', description: '', parameters: { type: 'object', properties: { city: { type: 'string' }, n: { type: 'integer' } }, required: ['city'] }, run: ({ city, n }, { log, instructions }) => { log.info(instructions.mood); return city.toUpperCase() + (n ?? 0).toFixed() } },
    { name: 'b', description: '', parameters: { type: 'object', properties: { on: { type: 'boolean' } }, required: ['on'] }, async run (args) { const q: boolean = args.on; return q } }
  ],
})
export const two: Character = one
export default defineCharacter({
  name: 'x',
  voice: { source: 'freesound', url: '', sound: { id: 1, name: '', username: '', license: '' }, path: '' },
  instructions: { prompt: 'p' },
  systemPrompt ({ instructions, session }) { return instructions.prompt + session.language }
})
export const list: Character[] = [one, two]

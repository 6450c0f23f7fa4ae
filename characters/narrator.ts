// A story that branches: the plot stands in resources/, where we are in it is a variable of the module.
import { defineCharacter } from 'dramatis/character'
import { spoken } from './resources/speaking.js'
import { opening, scenes, type Scene } from './resources/story.js'
import { streetAround } from './resources/street.js'

let scene: Scene | undefined
const endings = new Set<string>()

function enter (name: string): string {
  scene = scenes[name]!
  if (scene.choices.length > 0) return scene.tell
  endings.add(name)
  const left = Object.values(scenes).filter(({ choices }) => choices.length === 0).length - endings.size
  return `${scene.tell} ${left > 0 ? 'Say start again, and we shall look for another.' : 'And now you have heard them all.'}`
}

const nothing = { type: 'object', properties: {} } as const

export default defineCharacter({
  name: 'Lucan',
  voice: {
    source: 'file',
    path: 'lantern-street/lucan',
    description: 'A deep voice by the fire.',
    engines: { local: 'rms-deep', openai: 'cedar' }
  },
  metadata: { good: true, comment: 'Tells a story in which you decide.' },
  instructions: {
    prompt: 'You are Lucan, a storyteller. You tell the story of the lamp that went out, in which the listener decides. ' +
      'The story itself comes from your tools: begin it, then pass on each decision, and speak what you get word for word. Never invent a scene.'
  },
  systemPrompt: ({ instructions }) => spoken(instructions.prompt, streetAround('Lucan')),
  greeting: 'Sit down, the fire is good tonight. I am Lucan. Say tell me a story, and you decide how it goes.',
  examples: [
    { user: 'Tell me a story.', character: 'Then listen. {result}', tool: { name: 'begin' } },
    { user: 'Start again.', character: 'From the beginning, then. {result}', tool: { name: 'begin' } },
    { user: 'Begin the story.', character: '{result}', tool: { name: 'begin' } },
    { user: 'The stairs to the harbour.', character: '{result}', tool: { name: 'decide', arguments: { choice: 'The stairs to the harbour' } } },
    { user: 'I take the path up the hill.', character: '{result}', tool: { name: 'decide', arguments: { choice: 'I take the path up the hill' } } },
    { user: 'I speak to the otter.', character: '{result}', tool: { name: 'decide', arguments: { choice: 'I speak to the otter' } } },
    { user: 'Where are we?', character: '{result}', tool: { name: 'where_are_we' } },
    { user: 'What can I choose?', character: '{result}', tool: { name: 'where_are_we' } },
    { user: 'Who are you?', character: 'I am Lucan. I know one story very well, and it is never the same twice.' },
    { user: 'How many endings are there?', character: 'Four, and none of them is the wrong one.' },
    { user: 'Is it a scary story?', character: 'Only as dark as a street with its lamp out. And that can be mended.' },
    { user: 'Who wrote the story?', character: 'I tell it, you decide it. So I suppose that we both did.' }
  ],
  tools: [
    {
      name: 'begin',
      description: 'Begins the story, or begins it again. Returns the first scene.',
      parameters: nothing,
      run: () => enter(opening)
    },
    {
      name: 'decide',
      description: 'Passes on what the listener decided. Returns the next scene.',
      parameters: {
        type: 'object',
        properties: { choice: { type: 'string', description: 'The decision in the listener\'s words.' } },
        required: ['choice']
      },
      run ({ choice }) {
        if (scene === undefined) return enter(opening)
        if (scene.choices.length === 0) return 'This story is told. Say start again, and it goes another way.'
        const words: string[] = choice.toLowerCase().match(/\p{L}+/gu) ?? []
        const next = scene.choices.find(option => option.words.some(word => words.includes(word)))
        return next === undefined ? `That is not one of the ways. ${lastSentence(scene.tell)}` : enter(next.to)
      }
    },
    {
      name: 'where_are_we',
      description: 'Tells the present scene once more.',
      parameters: nothing,
      run: () => scene === undefined ? 'We have not set out yet. Say tell me a story.' : scene.tell
    }
  ]
})

function lastSentence (text: string): string {
  return text.match(/[^.!?]+[.!?]/g)?.at(-1)?.trim() ?? text
}

/**
 * What a character is. This schema is the one source of the type ({@link ../character.ts}), of the
 * validation (validation.ts) and of the table in docs/characters.md, which a test compares with it.
 */
import { Type, type Static, type TObject, type TProperties } from '@sinclair/typebox'

/** An object whose unknown keys are kept. */
const open = <P extends TProperties> (properties: P, description: string): TObject<P> =>
  Type.Object(properties, { description, additionalProperties: true })

const text = (description: string) => Type.String({ description })
const named = (description: string) => Type.String({ description, minLength: 1, pattern: '\\S' })

const VoiceEngines = open({
  local: Type.Optional(named('Voice of the local speech engine.')),
  openai: Type.Optional(named('Voice of an OpenAI speech server.')),
  kyutai: Type.Optional(named('Voice of a Kyutai server.'))
}, 'Which voice to use on which engine.')

export const FileVoiceSchema = open({
  source: Type.Literal('file'),
  path: named('The voice\'s path; a client may select the character by it.'),
  description: Type.Optional(text('How it sounds.')),
  link: Type.Optional(text('Where it comes from.')),
  engines: Type.Optional(VoiceEngines)
}, 'A voice from a file.')

export const FreesoundVoiceSchema = open({
  source: Type.Literal('freesound'),
  url: named('Page of the sound.'),
  sound: open({
    id: Type.Union([Type.Number(), Type.String()], { description: 'Number of the sound.' }),
    name: text('Title of the sound.'),
    username: text('Who recorded it.'),
    license: text('Licence of the recording.')
  }, 'Credits of the sound.'),
  path: named('The voice\'s path; a client may select the character by it.'),
  engines: Type.Optional(VoiceEngines)
}, 'A voice from freesound.org.')

export const VoiceSchema = Type.Union([FileVoiceSchema, FreesoundVoiceSchema], { description: 'How it sounds: a file, or a sound of freesound.org.' })

export const InstructionsSchema = open({
  prompt: text('Who the character is, for the model.'),
  language: Type.Optional(named('ISO-639-1 code of the language it speaks.'))
}, 'What the prompt code gets as `context.instructions`; any further keys are the author\'s own.')

export const ExampleSchema = open({
  user: text('What the user says.'),
  character: text('What the character answers; `{result}` becomes the result of `tool`.'),
  tool: Type.Optional(open({
    name: named('One of the character\'s tools.'),
    arguments: Type.Optional(Type.Unknown({ description: 'Arguments of the call.' }))
  }, 'A tool that is called before the answer.'))
}, 'One exchange.')

export const ToolSchema = open({
  name: Type.String({ description: 'Unique in the character.', pattern: '^[a-zA-Z0-9_-]{1,64}$' }),
  description: text('Tells the model when to call it.'),
  parameters: open({}, 'JSON Schema of the arguments.'),
  run: Type.Function([], Type.Unknown(), { description: '`(args, context)`: runs on the server, returns the result or a promise of it.' })
}, 'A function that the model may call.')

export const CharacterSchema = open({
  name: Type.String({ description: 'What a client selects; unique in its cast.', minLength: 1, maxLength: 200, pattern: '^\\S(.*\\S)?$' }),
  voice: VoiceSchema,
  instructions: InstructionsSchema,
  systemPrompt: Type.Function([], Type.Unknown(), { description: '`(context)`: returns the system prompt, or a promise of it.' }),
  metadata: Type.Optional(open({
    good: Type.Optional(Type.Union([Type.Boolean(), Type.Null()], { description: '`false` hides it from listings.' })),
    comment: Type.Optional(Type.Union([Type.String(), Type.Null()], { description: 'A note for people.' }))
  }, 'Notes for people and listings.')),
  examples: Type.Optional(Type.Array(ExampleSchema, { description: 'Few-shot lines for the model, and the script of the demo brain.' })),
  greeting: Type.Optional(text('What it says when asked to respond to an empty conversation.')),
  tools: Type.Optional(Type.Array(ToolSchema, { description: 'Functions that the model may call and the server runs.' })),
  llm: Type.Optional(open({
    engine: Type.Optional(named('Name of the engine.')),
    model: Type.Optional(named('Name of the model.'))
  }, 'Overrides of the language model; further keys go to the engine.')),
  tts: Type.Optional(open({
    voice: Type.Optional(named('One of the engine\'s voices.')),
    speed: Type.Optional(Type.Number({ description: '1 is normal.', minimum: 0.25, maximum: 1.5 }))
  }, 'Overrides of the speech engine; further keys go to the engine.')),
  temperature: Type.Optional(Type.Number({ description: 'Sampling temperature.', minimum: 0, maximum: 2 })),
  dispose: Type.Optional(Type.Function([], Type.Unknown(), { description: 'Called once when the session lets go of the character; may return a promise.' })),
  card: Type.Optional(open({}, 'A character card (cards.md), as its JSON is: what the module does not say itself, the card does.'))
}, 'A character: the default export of a character module.')

export type CharacterData = Static<typeof CharacterSchema>

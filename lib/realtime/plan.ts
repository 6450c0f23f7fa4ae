import { EFFORTS, type LlmToolChoice } from '../engines/engine.js'
import type { LoadedCharacter } from '../characters/loaded-character.js'
import type { Casting } from './casting.js'
import type { ContextWindow } from './context-window.js'
import type { Conversation, Entry } from './conversation.js'
import { RealtimeError } from '../errors.js'
import { HandOver } from './hand-over.js'
import { knownTo, knows, ownerOf, unansweredBy, type Participant } from './memory.js'
import type { ClientItem } from './events/items.js'
import type { ResponseOptions } from './events/response-object.js'
import type { ToolChoice } from './events/session-object.js'
import type { ResponsePlan } from './response.js'
import { checkModalities, fullFormat, type Settings } from './settings.js'
import { readToolChoice } from './tool-choice.js'

export interface PlanScope {
  settings: Settings
  casting: Casting
  conversation: Conversation
  window: ContextWindow
  temperature: number | undefined
  /** An item of the client, with its audio. */
  takeItem: (item: ClientItem, param: string) => Entry
}

/** A response as the session would make it, with what the client overrides for it alone (PROTOCOL section 5). Throws if it cannot be. */
export function planResponse (scope: PlanScope, options: ResponseOptions, turn: ResponsePlan['turn'] = null, handOvers = 0): ResponsePlan {
  const { settings, casting } = scope
  checkModalities(options.output_modalities, 'response.output_modalities')
  const character = options.character === undefined ? casting.addressed(turn?.entry.owner) : casting.named(options.character, 'response.character')
  const who = character?.name ?? null
  const given = options.audio?.output
  const voice = given?.voice === undefined ? casting.voiceOf(character) : typeof given.voice === 'string' ? given.voice : given.voice.id
  casting.checkVoice(voice, 'response.audio.output.voice')

  const tools = options.tools ?? settings.tools
  const modality = (options.output_modalities ?? settings.output_modalities)[0]!
  return {
    modality,
    instructions: options.instructions ?? settings.instructions,
    tools,
    toolChoice: toolChoice(options.tool_choice === undefined ? settings.tool_choice : readToolChoice(options.tool_choice, tools, 'response.tool_choice')),
    parallelToolCalls: options.parallel_tool_calls ?? settings.parallel_tool_calls,
    effort: EFFORTS.find(effort => effort === (options.reasoning ?? settings.reasoning)?.effort),
    maxTokens: options.max_output_tokens ?? settings.max_output_tokens,
    temperature: scope.temperature,
    metadata: options.metadata ?? null,
    format: given?.format === undefined ? settings.output.format : fullFormat(given.format),
    voice,
    engineVoice: modality === 'audio' ? casting.engineVoice(voice) : '',
    speed: settings.output.speed,
    character,
    owner: ownerOf(settings.memory, who),
    handOver: HandOver.offer({ allowed: settings.hand_over, casting, character, tools, options, inARow: handOvers }),
    showCharacterTools: settings.character_tools === 'visible',
    greeting: checkGreeting(character, options.greeting),
    context: contextOf(scope, options, who),
    fit: (entries, instructions) => scope.window.fit(entries, instructions, settings.truncation, who),
    opens: options.input === undefined,
    inConversation: options.conversation !== 'none',
    turn
  }
}

/** What the one who answers may know of the conversation, or what the client wants it to read. */
function contextOf ({ conversation, casting, takeItem }: PlanScope, { input, character, conversation: where }: ResponseOptions, who: Participant): () => readonly Entry[] {
  const addressed = casting.character?.name ?? null
  if (input === undefined) {
    if (character === undefined || who === addressed) return () => knownTo(who, conversation.entries)
    // The client has another answer: then it was the other one that the user spoke to. Settled when the response begins.
    let turn: Entry[] | null = null
    return () => {
      const { entries } = conversation
      if (turn === null) {
        turn = unansweredBy(addressed, entries)
        for (const entry of where === 'none' ? [] : turn) {
          entry.owner = who
          conversation.change(entry)
        }
      }
      return turn.length === 0 ? knownTo(who, entries) : entries.filter(entry => knows(who, entry) || turn!.includes(entry))
    }
  }
  const entries = input.map((item, index): Entry => {
    if (item.type !== 'item_reference') return takeItem(item, `response.input[${index}]`)
    const entry = conversation.find(item.id)
    if (entry !== undefined && !knows(who, entry)) {
      throw new RealtimeError('invalid_value', {
        param: `response.input[${index}].id`,
        message: `Item '${item.id}' is of another character's own memory. Write what may be known of it into an item of 'input'.`
      })
    }
    if (entry !== undefined) return entry
    throw new RealtimeError('invalid_value', { param: `response.input[${index}].id`, message: `No item with id '${item.id}'.` })
  })
  return () => entries
}

function checkGreeting (character: LoadedCharacter | null, greeting: number | undefined): number | null {
  if (greeting === undefined) return null
  const count = character?.greetingCount ?? 0
  if (greeting < count) return greeting
  const has = character === null ? 'No character is selected' : `'${character.name}' has ${count} greetings, counted from 0`
  throw new RealtimeError('invalid_value', { param: 'response.greeting', message: `Invalid value: ${greeting}. ${has}.` })
}

function toolChoice (choice: ToolChoice): LlmToolChoice {
  return typeof choice === 'string' ? choice : { name: choice.name }
}

import type { LlmToolChoice } from '../engines/engine.js'
import type { Casting } from './casting.js'
import type { Conversation, Entry } from './conversation.js'
import { RealtimeError } from '../errors.js'
import type { ClientItem } from './events/items.js'
import type { ResponseOptions } from './events/response-object.js'
import type { ToolChoice } from './events/session-object.js'
import type { ResponsePlan } from './response.js'
import { checkModalities, fullFormat, type Settings } from './settings.js'

/** A response as the session would make it, with what the client overrides for it alone (PROTOCOL section 5). Throws if it cannot be. */
export function planResponse (
  settings: Settings, casting: Casting, conversation: Conversation, options: ResponseOptions, takeItem: TakeItem, turn: ResponsePlan['turn'] = null
): ResponsePlan {
  checkModalities(options.output_modalities, 'response.output_modalities')
  const given = options.audio?.output
  const voice = given?.voice === undefined ? casting.voice : typeof given.voice === 'string' ? given.voice : given.voice.id
  casting.checkVoice(voice, 'response.audio.output.voice')

  return {
    modality: (options.output_modalities ?? settings.output_modalities)[0]!,
    instructions: options.instructions ?? settings.instructions,
    tools: options.tools ?? settings.tools,
    toolChoice: toolChoice(options.tool_choice ?? settings.tool_choice),
    maxTokens: options.max_output_tokens ?? settings.max_output_tokens,
    metadata: options.metadata ?? null,
    format: given?.format === undefined ? settings.output.format : fullFormat(given.format),
    voice,
    engineVoice: casting.engineVoice(voice),
    speed: settings.output.speed,
    character: casting.character,
    showCharacterTools: settings.character_tools === 'visible',
    context: contextOf(conversation, options.input, takeItem),
    opens: options.input === undefined,
    inConversation: options.conversation !== 'none',
    turn
  }
}

type TakeItem = (item: ClientItem, param: string) => Entry

function contextOf (conversation: Conversation, input: ResponseOptions['input'], takeItem: TakeItem): () => readonly Entry[] {
  if (input === undefined) return () => conversation.entries
  const entries = input.map((item, index): Entry => {
    if (item.type !== 'item_reference') return takeItem(item, `response.input[${index}]`)
    const entry = conversation.find(item.id)
    if (entry !== undefined) return entry
    throw new RealtimeError('invalid_value', { param: `response.input[${index}].id`, message: `No item with id '${item.id}'.` })
  })
  return () => entries
}

function toolChoice (choice: ToolChoice): LlmToolChoice {
  return typeof choice === 'string' ? choice : { name: choice.name }
}

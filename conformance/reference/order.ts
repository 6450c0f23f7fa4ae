// What may follow what within one output item of a response, PROTOCOL sections 7.1 to 7.3 and 7.8.

const ADDED = 'response.output_item.added'
const DONE = 'response.output_item.done'

const message: Record<string, string[]> = {
  [ADDED]: ['conversation.item.added'],
  'conversation.item.added': ['response.content_part.added', 'conversation.item.done'],
  'response.content_part.added': [
    'response.output_text.delta', 'response.output_text.done',
    'response.output_audio_transcript.delta', 'response.output_audio.delta', 'response.output_audio.done'
  ],
  'response.output_text.delta': ['response.output_text.delta', 'response.output_text.done'],
  'response.output_text.done': ['response.content_part.done'],
  'response.output_audio_transcript.delta': [
    'response.output_audio_transcript.delta', 'response.output_audio.delta', 'response.output_audio.done'
  ],
  'response.output_audio.delta': [
    'response.output_audio_transcript.delta', 'response.output_audio.delta', 'response.output_audio.done'
  ],
  'response.output_audio.done': ['response.output_audio_transcript.done'],
  'response.output_audio_transcript.done': ['response.content_part.done'],
  'response.content_part.done': ['response.content_part.added', 'conversation.item.done'],
  'conversation.item.done': [DONE]
}

const functionCall: Record<string, string[]> = {
  [ADDED]: ['conversation.item.added'],
  'conversation.item.added': ['response.function_call_arguments.delta', 'response.function_call_arguments.done', 'conversation.item.done'],
  'response.function_call_arguments.delta': ['response.function_call_arguments.delta', 'response.function_call_arguments.done'],
  'response.function_call_arguments.done': ['conversation.item.done'],
  'conversation.item.done': [DONE]
}

const kinds: Record<string, Record<string, string[]>> = { message, function_call: functionCall }

/**
 * The types that may come next for an item, given the last; none after the end.
 *
 * @param kind of the item: other kinds than messages and function calls are not judged (null)
 * @param last null before the first event
 */
export function mayFollow (kind: string, last: string | null, inConversation: boolean): readonly string[] | null {
  const table = kinds[kind]
  if (table === undefined) return null
  if (last === null) return [ADDED]
  const next = table[last] ?? []
  return inConversation ? next : next.flatMap(type => withoutConversation(table, type))
}

/** Outside of the conversation its events are left out: what would follow them follows at once. */
function withoutConversation (table: Record<string, string[]>, type: string): string[] {
  return type.startsWith('conversation.') ? table[type]!.flatMap(next => withoutConversation(table, next)) : [type]
}

/** Whether an item may end here. */
export function isEnd (last: string | null): boolean {
  return last === DONE
}

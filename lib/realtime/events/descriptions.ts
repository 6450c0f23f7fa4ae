import type { ClientEventType } from './client.js'
import type { ServerEventType } from './server.js'

// One sentence for each event: docs/events.md and the schema at /v1/realtime/schema quote them.

export const clientDescriptions: Readonly<Record<ClientEventType, string>> = {
  'session.update': 'Changes the session: what is left out stays, what is invalid changes nothing. Answered by `session.updated`.',
  'input_audio_buffer.append': 'Adds audio to the input buffer. No answer of its own; with turn detection, speech in it begins and ends turns.',
  'input_audio_buffer.commit': 'Makes a user message of the buffer (100 ms at least), and no response. Answered by `input_audio_buffer.committed`, `conversation.item.added` and `.done`.',
  'input_audio_buffer.clear': 'Empties the input buffer. Answered by `input_audio_buffer.cleared`.',
  'conversation.item.create': 'Puts an item into the conversation: at the end, after `previous_item_id`, or first (`root`). Answered by `conversation.item.added` and `.done`; no response follows.',
  'conversation.item.retrieve': 'Asks for an item with its audio. Answered by `conversation.item.retrieved`.',
  'conversation.item.delete': 'Takes an item out of the conversation. Answered by `conversation.item.deleted`.',
  'conversation.item.truncate': 'Says how much of a spoken answer was heard: the rest is cut, words included, and the model has not said it. Answered by `conversation.item.truncated`.',
  'response.create': 'Asks for a response, with overrides for it alone. Answered by `response.created` and what follows, up to `response.done`.',
  'response.cancel': 'Stops the response in the conversation, or the one named. Answered by `response.done` with status `cancelled`.',
  'session.characters.list': 'Asks for the characters of the session. Answered by `session.characters.listed`.',
  'session.characters.reload': 'Loads a cast, another one or the same from its files again; all or nothing. Answered by `session.characters.reloaded` and `session.updated`.'
}

export const serverDescriptions: Readonly<Record<ServerEventType, string>> = {
  error: 'A client event failed. The session lives on, except after `session_expired`. Match on its code.',
  'session.created': 'The first event of every session: what it is before the client changed anything.',
  'session.updated': 'The whole session after `session.update`, or after a reload.',
  'conversation.item.added': 'An item is in the conversation; one of a response is still empty.',
  'conversation.item.done': 'An item of the conversation is complete, or will not be completed.',
  'conversation.item.retrieved': 'Answers `conversation.item.retrieve`: the only event with the audio of an item.',
  'conversation.item.deleted': 'Answers `conversation.item.delete`.',
  'conversation.item.truncated': 'Answers `conversation.item.truncate`.',
  'conversation.item.input_audio_transcription.delta': 'More words of what the user said. Only if transcription is on.',
  'conversation.item.input_audio_transcription.completed': 'All that the user said. Only if transcription is on; may come after the response.',
  'conversation.item.input_audio_transcription.failed': 'What the user said could not be recognised. Only if transcription is on.',
  'input_audio_buffer.committed': 'The buffer, or the turn in it, becomes a user message; the item follows.',
  'input_audio_buffer.cleared': 'Answers `input_audio_buffer.clear`.',
  'input_audio_buffer.speech_started': 'A turn begins, at this position of all audio that was sent. `item_id` is that of the message to come.',
  'input_audio_buffer.speech_stopped': 'The turn has ended, at this position of all audio that was sent.',
  'input_audio_buffer.timeout_triggered': 'Nobody spoke for `idle_timeout_ms` after the last response: the silence is committed and answered.',
  'response.created': 'A response begins.',
  'response.done': 'A response is over: its status, all of its items without audio, and what it used.',
  'response.output_item.added': 'The response begins an item: a message or a call.',
  'response.output_item.done': 'An item of the response is complete; `incomplete` if the response was stopped.',
  'response.content_part.added': 'A message begins a part, written or spoken.',
  'response.content_part.done': 'The part is complete.',
  'response.output_text.delta': 'More of a written part.',
  'response.output_text.done': 'All of a written part.',
  'response.output_audio_transcript.delta': 'The words of the audio that comes next.',
  'response.output_audio_transcript.done': 'All words of a spoken part, as far as they were sent as audio.',
  'response.output_audio.delta': 'More audio of a spoken part.',
  'response.output_audio.done': 'The audio of the part is complete. It has no field with the audio.',
  'response.function_call_arguments.delta': 'More of the arguments of a call.',
  'response.function_call_arguments.done': 'All arguments of a call, `{}` at least. The client runs it and creates a `function_call_output`.',
  'response.mcp_call_arguments.delta': 'The arguments of a character\'s own tool. Only with `character_tools: "visible"`.',
  'response.mcp_call_arguments.done': 'All arguments of a character\'s own tool. Only with `character_tools: "visible"`.',
  'response.mcp_call.in_progress': 'A character\'s own tool runs, here at the server. Only with `character_tools: "visible"`.',
  'response.mcp_call.completed': 'A character\'s own tool has answered. Only with `character_tools: "visible"`.',
  'response.mcp_call.failed': 'A character\'s own tool has failed. Only with `character_tools: "visible"`.',
  'rate_limits.updated': 'Follows each response. There is no quota here: the allowance never shrinks.',
  'session.characters.listed': 'Answers `session.characters.list`.',
  'session.characters.reloaded': 'Answers `session.characters.reload`, with what was wrong in each file.'
}

/** Whether an event is not of the OpenAI Realtime protocol. Such events are only ever sent as answers. */
export function isExtension (type: string): boolean {
  return type.startsWith('session.characters.')
}

import { any, array, either, integer, nullable, number, object, oneOf, string, tagged, type Shape } from '../shape.js'
import { item, ofItem, ofPart, ofResponse, part, retrievedItem } from './items.js'
import { createdResponse, doneResponse } from './response.js'
import { session } from './session.js'

const event = (fields: Record<string, Shape> = {}, optional: Record<string, Shape> = {}): Shape =>
  object({ type: string, event_id: string, ...fields }, optional)

const obfuscation = { obfuscation: string }
const placed = { previous_item_id: nullable(string), item }
const ofTranscript = { item_id: string, content_index: integer }
const logprobs = nullable(array(object({ token: string, logprob: number, bytes: array(integer) })))
const transcriptionUsage = tagged('type', {
  tokens: object({ input_tokens: integer, output_tokens: integer, total_tokens: integer }),
  duration: object({ seconds: number })
})

/** Every event that a GA session may send over a WebSocket, PROTOCOL section 6. */
export const events: Readonly<Record<string, Shape>> = {
  error: event({
    error: object({ type: string, code: nullable(string), message: string, param: nullable(string), event_id: nullable(string) })
  }),
  'session.created': event({ session }),
  'session.updated': event({ session }),
  'conversation.item.added': event(placed),
  'conversation.item.done': event(placed),
  'conversation.item.retrieved': event({ item: retrievedItem }),
  'conversation.item.deleted': event({ item_id: string }),
  'conversation.item.truncated': event({ ...ofTranscript, audio_end_ms: integer }),
  'conversation.item.input_audio_transcription.delta': event({ ...ofTranscript, delta: string }, { ...obfuscation, logprobs }),
  'conversation.item.input_audio_transcription.completed': event({ ...ofTranscript, transcript: string, usage: transcriptionUsage }, { logprobs }),
  'conversation.item.input_audio_transcription.failed': event({ ...ofTranscript, error: object({ message: string }) }),
  'conversation.item.input_audio_transcription.segment': event({ ...ofTranscript, id: string, text: string, speaker: string, start: number, end: number }),
  'input_audio_buffer.committed': event({ previous_item_id: nullable(string), item_id: string }),
  'input_audio_buffer.cleared': event(),
  'input_audio_buffer.speech_started': event({ audio_start_ms: integer, item_id: string }),
  'input_audio_buffer.speech_stopped': event({ audio_end_ms: integer, item_id: string }),
  'input_audio_buffer.timeout_triggered': event({ audio_start_ms: integer, audio_end_ms: integer, item_id: string }),
  'response.created': event({ response: createdResponse }),
  'response.done': event({ response: doneResponse }),
  'response.output_item.added': event({ ...ofResponse, item }),
  'response.output_item.done': event({ ...ofResponse, item }),
  'response.content_part.added': event({ ...ofPart, part }),
  'response.content_part.done': event({ ...ofPart, part }),
  'response.output_text.delta': event({ ...ofPart, delta: string }, obfuscation),
  'response.output_text.done': event({ ...ofPart, text: string }),
  'response.output_audio.delta': event({ ...ofPart, delta: string }),
  'response.output_audio.done': event(ofPart),
  'response.output_audio_transcript.delta': event({ ...ofPart, delta: string }, obfuscation),
  'response.output_audio_transcript.done': event({ ...ofPart, transcript: string }),
  'response.function_call_arguments.delta': event({ ...ofItem, call_id: string, delta: string }, obfuscation),
  'response.function_call_arguments.done': event({ ...ofItem, call_id: string, name: string, arguments: string }),
  'response.mcp_call_arguments.delta': event({ ...ofItem, delta: string }),
  'response.mcp_call_arguments.done': event({ ...ofItem, arguments: string }),
  'response.mcp_call.in_progress': event({ item_id: string, output_index: integer }),
  'response.mcp_call.completed': event({ item_id: string, output_index: integer }),
  'response.mcp_call.failed': event({ item_id: string, output_index: integer }),
  'mcp_list_tools.in_progress': event({ item_id: string }),
  'mcp_list_tools.completed': event({ item_id: string }),
  'mcp_list_tools.failed': event({ item_id: string }),
  'rate_limits.updated': event({
    rate_limits: array(object({ name: oneOf('requests', 'tokens'), limit: integer, remaining: integer, reset_seconds: number }))
  })
}

/** Documented, but not for a GA session over a WebSocket: telephones, WebRTC, and the retired beta. */
export const elsewhere: ReadonlySet<string> = new Set([
  'conversation.created', 'conversation.item.created', 'input_audio_buffer.dtmf_event_received',
  'output_audio_buffer.started', 'output_audio_buffer.stopped', 'output_audio_buffer.cleared'
])

/** What `POST /v1/realtime/client_secrets` answers, PROTOCOL section 2.2. */
export const clientSecret: Shape = object({ value: string, expires_at: integer, session: object({ type: either(oneOf('realtime'), oneOf('transcription')), audio: any }) })

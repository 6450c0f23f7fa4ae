import { Type, type Static } from '@sinclair/typebox'
import { Index, Milliseconds, Nullable, OneOf } from './common.js'
import { Item, type Item as ItemType } from './items.js'
import { ResponseObject, type ResponseObject as ResponseObjectType } from './response-object.js'
import { AnySessionObject } from './session-object.js'

const event = <T extends string, P extends Parameters<typeof Type.Object>[0]>(type: T, properties: P) =>
  Type.Object({ type: Type.Literal(type), event_id: Type.String(), ...properties })

const Id = Type.String()
const OfItem = { previous_item_id: Nullable(Id), item: Item }
const OfResponse = { response_id: Id, output_index: Index }
const OfPart = { response_id: Id, item_id: Id, output_index: Index, content_index: Index }
const OfCall = { response_id: Id, item_id: Id, output_index: Index, call_id: Id }
const Part = Type.Union([
  Type.Object({ type: Type.Literal('audio'), transcript: Type.String() }),
  Type.Object({ type: Type.Literal('text'), text: Type.String() })
])
const CharacterSummary = Type.Object({ name: Type.String(), good: Nullable(Type.Boolean()), comment: Nullable(Type.String()) })
const FileError = Type.Object({
  file: Type.String(),
  line: Nullable(Type.Integer()),
  column: Nullable(Type.Integer()),
  code: OneOf('syntax_error', 'import_error', 'execution_error', 'timeout', 'invalid_character', 'duplicate_name', 'invalid_tools'),
  message: Type.String()
})
/** Of one token, a word or a part of one. */
export const Logprob = Type.Object({ token: Type.String(), logprob: Type.Number(), bytes: Type.Array(Type.Integer({ minimum: 0, maximum: 255 })) })
const Logprobs = { logprobs: Type.Optional(Type.Array(Logprob)) }

/** What the server sends: PROTOCOL section 6, then the answers of this server's extension. */
export const serverEvents = [
  event('error', {
    error: Type.Object({
      type: Type.String(),
      code: Nullable(Type.String()),
      message: Type.String(),
      param: Nullable(Type.String()),
      event_id: Nullable(Type.String()),
      details: Type.Optional(Type.Unknown({ description: 'Such as the errors of each character file.' }))
    })
  }),
  event('session.created', { session: AnySessionObject }),
  event('session.updated', { session: AnySessionObject }),
  event('conversation.item.added', OfItem),
  event('conversation.item.done', OfItem),
  event('conversation.item.retrieved', { item: Item }),
  event('conversation.item.deleted', { item_id: Id }),
  event('conversation.item.truncated', { item_id: Id, content_index: Index, audio_end_ms: Milliseconds }),
  event('conversation.item.input_audio_transcription.delta', { item_id: Id, content_index: Index, delta: Type.String(), ...Logprobs }),
  event('conversation.item.input_audio_transcription.completed', {
    item_id: Id,
    content_index: Index,
    transcript: Type.String(),
    usage: Type.Object({ type: Type.Literal('duration'), seconds: Type.Number() }),
    ...Logprobs
  }),
  event('conversation.item.input_audio_transcription.failed', {
    item_id: Id,
    content_index: Index,
    error: Type.Object({ type: Type.String(), code: Type.String(), message: Type.String(), param: Nullable(Type.String()) })
  }),
  event('input_audio_buffer.committed', { previous_item_id: Nullable(Id), item_id: Id }),
  event('input_audio_buffer.cleared', {}),
  event('input_audio_buffer.speech_started', { audio_start_ms: Milliseconds, item_id: Id }),
  event('input_audio_buffer.speech_stopped', { audio_end_ms: Milliseconds, item_id: Id }),
  event('input_audio_buffer.timeout_triggered', { audio_start_ms: Milliseconds, audio_end_ms: Milliseconds, item_id: Id }),
  event('response.created', { response: ResponseObject }),
  event('response.done', { response: ResponseObject }),
  event('response.output_item.added', { ...OfResponse, item: Item }),
  event('response.output_item.done', { ...OfResponse, item: Item }),
  event('response.content_part.added', { ...OfPart, part: Part }),
  event('response.content_part.done', { ...OfPart, part: Part }),
  event('response.output_text.delta', { ...OfPart, delta: Type.String() }),
  event('response.output_text.done', { ...OfPart, text: Type.String() }),
  event('response.output_audio_transcript.delta', { ...OfPart, delta: Type.String() }),
  event('response.output_audio_transcript.done', { ...OfPart, transcript: Type.String() }),
  event('response.output_audio.delta', { ...OfPart, delta: Type.String({ description: 'Base64 in the session\'s output format.' }) }),
  event('response.output_audio.done', OfPart),
  event('response.function_call_arguments.delta', { ...OfCall, delta: Type.String() }),
  event('response.function_call_arguments.done', { ...OfCall, name: Type.String(), arguments: Type.String() }),
  event('response.mcp_call_arguments.delta', { response_id: Id, item_id: Id, output_index: Index, delta: Type.String(), obfuscation: Type.String() }),
  event('response.mcp_call_arguments.done', { response_id: Id, item_id: Id, output_index: Index, arguments: Type.String() }),
  event('response.mcp_call.in_progress', { item_id: Id, output_index: Index }),
  event('response.mcp_call.completed', { item_id: Id, output_index: Index }),
  event('response.mcp_call.failed', { item_id: Id, output_index: Index }),
  event('rate_limits.updated', {
    rate_limits: Type.Array(Type.Object({
      name: OneOf('requests', 'tokens'),
      limit: Type.Integer(),
      remaining: Type.Integer(),
      reset_seconds: Type.Number()
    }))
  }),
  event('session.characters.listed', {
    request_event_id: Nullable(Type.String()),
    directory: Type.String(),
    version: Type.String(),
    character_count: Type.Integer(),
    characters: Type.Array(CharacterSummary)
  }),
  event('session.characters.reloaded', {
    request_event_id: Nullable(Type.String()),
    reason: Type.Optional(Type.Literal('changed')),
    directory: Type.String(),
    version: Type.String(),
    loaded_count: Type.Integer(),
    error_count: Type.Integer(),
    total_files: Type.Integer(),
    duration_ms: Type.Number(),
    characters: Type.Array(CharacterSummary),
    errors: Type.Array(FileError)
  })
] as const

type Raw = Static<typeof serverEvents[number]>
// Items on the wire always have an id; the schemas are shared with what clients create, where it is optional.
type Identified<T> = T extends { item: unknown } ? Omit<T, 'item'> & { item: ItemType }
  : T extends { response: unknown } ? Omit<T, 'response'> & { response: ResponseObjectType }
    : T
export type ServerEvent = Identified<Raw>
export type ServerEventType = ServerEvent['type']
type WithoutId<T> = T extends unknown ? Omit<T, 'event_id'> : never
/** A server event as its maker states it: the outbox adds `event_id`. */
export type Outgoing = WithoutId<ServerEvent>

import { Type, type Static } from '@sinclair/typebox'
import { Index, ItemId, Metadata, Nullable, OneOf } from './common.js'
import { ClientItem, Item } from './items.js'
import { AudioFormat, GivenToolChoice, Instructions, MaxOutputTokens, OutputModalities, ParallelToolCalls, Prompt, Reasoning, Tools, Voice } from './session-object.js'

// The response object and what `response.create` may override, PROTOCOL sections 5 and 9.

export const ItemReference = Type.Object({ type: Type.Literal('item_reference'), id: ItemId })

export const ResponseOptions = Type.Object({
  conversation: Type.Optional(OneOf('auto', 'none')),
  input: Type.Optional(Type.Array(Type.Union([...ClientItem.anyOf, ItemReference]), { maxItems: 512 })),
  instructions: Type.Optional(Instructions),
  output_modalities: Type.Optional(OutputModalities),
  audio: Type.Optional(Type.Object({
    output: Type.Optional(Type.Object({ format: Type.Optional(AudioFormat), voice: Type.Optional(Voice) }))
  })),
  tools: Type.Optional(Tools),
  tool_choice: Type.Optional(GivenToolChoice),
  parallel_tool_calls: Type.Optional(ParallelToolCalls),
  reasoning: Type.Optional(Reasoning),
  max_output_tokens: Type.Optional(MaxOutputTokens),
  prompt: Type.Optional(Nullable(Prompt)),
  greeting: Type.Optional(Index),
  character: Type.Optional(Nullable(Type.String({ maxLength: 1024 }))),
  metadata: Type.Optional(Nullable(Metadata))
})
export type ResponseOptions = Static<typeof ResponseOptions>

const TokenDetails = Type.Object({ text_tokens: Type.Integer(), audio_tokens: Type.Integer() })
export const Usage = Type.Object({
  total_tokens: Type.Integer(),
  input_tokens: Type.Integer(),
  output_tokens: Type.Integer(),
  input_token_details: Type.Object({
    text_tokens: Type.Integer(),
    audio_tokens: Type.Integer(),
    image_tokens: Type.Integer(),
    cached_tokens: Type.Integer(),
    cached_tokens_details: Type.Object({ text_tokens: Type.Integer(), audio_tokens: Type.Integer(), image_tokens: Type.Integer() })
  }),
  output_token_details: TokenDetails
})
export type Usage = Static<typeof Usage>

export const ResponseStatus = OneOf('in_progress', 'completed', 'cancelled', 'incomplete', 'failed')
export const StatusDetails = Type.Union([
  Type.Object({ type: Type.Literal('cancelled'), reason: OneOf('turn_detected', 'client_cancelled') }),
  Type.Object({ type: Type.Literal('incomplete'), reason: OneOf('max_output_tokens', 'content_filter') }),
  Type.Object({
    type: Type.Literal('failed'),
    error: Type.Object({ type: Type.String(), code: Type.String(), message: Type.String() })
  })
])
export type StatusDetails = Static<typeof StatusDetails>

export const ResponseObject = Type.Object({
  object: Type.Literal('realtime.response'),
  id: Type.String(),
  status: ResponseStatus,
  status_details: Nullable(StatusDetails),
  output: Type.Array(Item),
  conversation_id: Nullable(Type.String()),
  output_modalities: OutputModalities,
  max_output_tokens: MaxOutputTokens,
  audio: Type.Object({ output: Type.Object({ format: AudioFormat, voice: Type.String() }) }),
  usage: Nullable(Usage),
  metadata: Nullable(Metadata)
})
export type ResponseObject = Omit<Static<typeof ResponseObject>, 'output'> & { output: import('./items.js').Item[] }

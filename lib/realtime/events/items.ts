import { Type, type Static } from '@sinclair/typebox'
import { CallId, ItemId, Nullable, OneOf } from './common.js'

// Conversation items, PROTOCOL section 4.

export const ItemStatus = OneOf('in_progress', 'completed', 'incomplete')
export type ItemStatus = Static<typeof ItemStatus>

const Text = Type.String({ maxLength: 256_000 })

export const InputText = Type.Object({ type: Type.Literal('input_text'), text: Text })
export const InputAudio = Type.Object({
  type: Type.Literal('input_audio'),
  audio: Type.Optional(Type.String({ description: 'Base64 in the session\'s input format; only sent back by conversation.item.retrieved.' })),
  transcript: Type.Optional(Nullable(Text))
})
export const InputImage = Type.Object({
  type: Type.Literal('input_image'),
  image_url: Type.String({ pattern: '^data:image/(png|jpeg);base64,', description: 'A data URI, PNG or JPEG.' }),
  detail: Type.Optional(OneOf('auto', 'low', 'high'))
})
export const OutputText = Type.Object({ type: Type.Literal('output_text'), text: Text })
export const OutputAudio = Type.Object({
  type: Type.Literal('output_audio'),
  audio: Type.Optional(Type.String()),
  transcript: Type.Optional(Nullable(Text))
})

const parts = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Array(schema, { maxItems: 256 })

export const SystemMessage = Type.Object({
  id: Type.Optional(ItemId),
  type: Type.Literal('message'),
  role: Type.Literal('system'),
  status: Type.Optional(ItemStatus),
  content: parts(InputText)
})
export const UserMessage = Type.Object({
  id: Type.Optional(ItemId),
  type: Type.Literal('message'),
  role: Type.Literal('user'),
  status: Type.Optional(ItemStatus),
  content: parts(Type.Union([InputText, InputAudio, InputImage]))
})
export const AssistantMessage = Type.Object({
  id: Type.Optional(ItemId),
  type: Type.Literal('message'),
  role: Type.Literal('assistant'),
  status: Type.Optional(ItemStatus),
  content: parts(Type.Union([OutputText, OutputAudio]))
})
export const FunctionCall = Type.Object({
  id: Type.Optional(ItemId),
  type: Type.Literal('function_call'),
  status: Type.Optional(ItemStatus),
  call_id: Type.Optional(CallId),
  name: Type.String({ minLength: 1, maxLength: 64 }),
  arguments: Text
})
export const FunctionCallOutput = Type.Object({
  id: Type.Optional(ItemId),
  type: Type.Literal('function_call_output'),
  status: Type.Optional(ItemStatus),
  call_id: CallId,
  output: Text
})
/** A call the server ran for a character; clients meet it only with `character_tools: "visible"`. */
export const McpCall = Type.Object({
  id: Type.Optional(ItemId),
  type: Type.Literal('mcp_call'),
  server_label: Type.String(),
  name: Type.String(),
  arguments: Type.String(),
  output: Nullable(Type.String()),
  error: Nullable(Type.Object({ type: Type.Literal('tool_execution_error'), message: Type.String() }))
})

/** What a client may create. */
export const ClientItem = Type.Union([SystemMessage, UserMessage, AssistantMessage, FunctionCall, FunctionCallOutput])
export type ClientItem = Static<typeof ClientItem>

/** What the server shows. */
export const Item = Type.Union([SystemMessage, UserMessage, AssistantMessage, FunctionCall, FunctionCallOutput, McpCall])

type Identified<T> = T extends unknown ? T & { id: string } : never
export type Item = Identified<Static<typeof Item>>
export type MessageItem = Extract<Item, { type: 'message' }>
export type AssistantItem = Extract<Item, { role: 'assistant' }>
export type UserItem = Extract<Item, { role: 'user' }>
export type FunctionCallItem = Extract<Item, { type: 'function_call' }>
export type McpCallItem = Extract<Item, { type: 'mcp_call' }>

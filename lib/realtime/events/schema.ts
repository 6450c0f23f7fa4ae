import type { TSchema } from '@sinclair/typebox'
import { clientEvents } from './client.js'
import { Metadata } from './common.js'
import { clientDescriptions, isExtension, serverDescriptions } from './descriptions.js'
import { describeField } from './fields.js'
import * as items from './items.js'
import { ItemReference, ResponseObject, ResponseOptions, StatusDetails, Usage } from './response-object.js'
import { Logprob, serverEvents } from './server.js'
import * as session from './session-object.js'

/** A JSON Schema, as plain data. */
export type JsonSchema = Record<string, any>

/** The objects that events are made of, under the names they have in the export and in docs/events.md. */
const shared: Readonly<Record<string, TSchema>> = {
  Session: session.SessionObject,
  TranscriptionSession: session.TranscriptionSessionObject,
  SessionUpdate: session.SessionUpdate,
  AudioFormat: session.AudioFormat,
  InputTranscription: session.InputTranscription,
  NoiseReduction: session.NoiseReduction,
  ServerVad: session.ServerVad,
  SemanticVad: session.SemanticVad,
  FunctionTool: session.FunctionTool,
  ToolChoice: session.ToolChoice,
  Reasoning: session.Reasoning,
  Prompt: session.Prompt,
  Truncation: session.Truncation,
  Tracing: session.Tracing,
  Item: items.Item,
  ClientItem: items.ClientItem,
  ItemReference,
  SystemMessage: items.SystemMessage,
  UserMessage: items.UserMessage,
  AssistantMessage: items.AssistantMessage,
  FunctionCall: items.FunctionCall,
  FunctionCallOutput: items.FunctionCallOutput,
  McpCall: items.McpCall,
  InputText: items.InputText,
  InputAudio: items.InputAudio,
  InputImage: items.InputImage,
  OutputText: items.OutputText,
  OutputAudio: items.OutputAudio,
  Response: ResponseObject,
  ResponseOptions,
  StatusDetails,
  Usage,
  Logprob,
  Metadata
}

export interface EventSchema {
  /** In the export's `$defs`. */
  name: string
  type: string
  extension: boolean
  description: string
  schema: JsonSchema
}

/** Every event and what they share, with references instead of repetitions. */
export function describeEvents (): { client: EventSchema[], server: EventSchema[], shared: Record<string, JsonSchema> } {
  // Options and unions copy a schema: it is known by what it says, not by who it is.
  const names = new Map(Object.entries(shared).map(([name, schema]) => [JSON.stringify(schema), name]))

  const refer = (schema: unknown): unknown => {
    if (typeof schema !== 'object' || schema === null) return schema
    const name = names.get(JSON.stringify(schema))
    return name === undefined ? inside(schema) : { $ref: `#/$defs/${name}` }
  }
  const inside = (schema: object): JsonSchema => Array.isArray(schema)
    ? schema.map(refer)
    : Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, refer(value)]))

  const describe = (side: string, descriptions: Readonly<Record<string, string>>) => (schema: TSchema): EventSchema => {
    const type: string = schema.properties.type.const
    const name = nameOf(side, type)
    return { name, type, extension: isExtension(type), description: descriptions[type]!, schema: withMeanings(name, { description: descriptions[type]!, ...inside(schema) }) }
  }

  return {
    client: clientEvents.map(describe('Client', clientDescriptions)),
    server: serverEvents.map(describe('Server', serverDescriptions)),
    shared: Object.fromEntries(Object.entries(shared).map(([name, schema]) => [name, withMeanings(name, inside(schema))]))
  }
}

/** Says of each field what it means, where its schema does not. */
function withMeanings (owner: string, schema: JsonSchema, path = ''): JsonSchema {
  if (schema.type === 'array') return { ...schema, items: withMeanings(owner, schema.items, path) }
  if (schema.properties === undefined) return schema
  const properties = Object.entries<JsonSchema>(schema.properties).map(([key, field]) => {
    const at = path === '' ? key : `${path}.${key}`
    const description = field.description ?? field.anyOf?.find((member: JsonSchema) => member.description !== undefined)?.description ?? describeField(owner, at)
    return [key, { ...description === undefined ? {} : { description }, ...withMeanings(owner, field, at) }]
  })
  return { ...schema, properties: Object.fromEntries(properties) }
}

/** One JSON Schema (2020-12) of all events: the document itself is either side's, `$defs` has each. */
export function exportSchema (): JsonSchema {
  const { client, server, shared } = describeEvents()
  const anyOf = (events: EventSchema[]): JsonSchema[] => events.map(({ name }) => ({ $ref: `#/$defs/${name}` }))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Events of the OpenAI Realtime protocol, as Dramatis speaks it',
    anyOf: [{ $ref: '#/$defs/ClientEvent' }, { $ref: '#/$defs/ServerEvent' }],
    $defs: {
      ClientEvent: { description: 'What a client can send.', anyOf: anyOf(client) },
      ServerEvent: { description: 'What the server sends.', anyOf: anyOf(server) },
      ...Object.fromEntries([...client, ...server].map(({ name, schema }) => [name, schema])),
      ...shared
    }
  }
}

/** `response.output_text.delta` -> `ServerResponseOutputTextDelta` */
function nameOf (side: string, type: string): string {
  return side + type.split(/[._]/).map(word => word[0]!.toUpperCase() + word.slice(1)).join('')
}

import { Type, type Static } from '@sinclair/typebox'
import { EventId, Index, ItemId, Milliseconds, Nullable, OneOf } from './common.js'
import { ClientItem } from './items.js'
import { ResponseOptions } from './response-object.js'
import { SessionUpdate } from './session-object.js'

const event = <T extends string, P extends Parameters<typeof Type.Object>[0]>(type: T, properties: P) =>
  Type.Object({ type: Type.Literal(type), event_id: Type.Optional(EventId), ...properties })

const Watch = Type.Boolean({ description: 'Whether to be told of each change of files that reaches the session: `session.characters.reloaded` with the reason `changed`.' })

/** Told apart and checked where they are loaded: what is wrong with one is its own error. */
const Definitions = Type.Array(Type.Unknown(), { minItems: 1, description: 'Characters without code: the fields of a module, or a card (characters.md, cards.md).' })

/** What a client can send: PROTOCOL section 5, then the extension of this server. */
export const clientEvents = [
  event('session.update', { session: SessionUpdate }),
  event('input_audio_buffer.append', { audio: Type.String({ description: 'Base64 in the session\'s input format, at most 15 MiB decoded.' }) }),
  event('input_audio_buffer.commit', {}),
  event('input_audio_buffer.clear', {}),
  event('conversation.item.create', { item: ClientItem, previous_item_id: Type.Optional(Nullable(Type.String())) }),
  event('conversation.item.retrieve', { item_id: ItemId }),
  event('conversation.item.delete', { item_id: ItemId }),
  event('conversation.item.truncate', { item_id: ItemId, content_index: Index, audio_end_ms: Milliseconds }),
  event('response.create', { response: Type.Optional(Nullable(ResponseOptions)) }),
  event('response.cancel', { response_id: Type.Optional(Nullable(Type.String())) }),
  event('session.characters.list', { watch: Type.Optional(Watch) }),
  event('session.characters.reload', {
    // Neither required nor a string: what is no directory has an error code of its own.
    directory: Type.Optional(Type.Unknown({ description: '"default", the name of a root, or a path inside of one; with `@` and a version for that version.' })),
    characters: Type.Optional(Definitions),
    sources: Type.Optional(Type.Array(Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Object({ characters: Definitions })]), {
      minItems: 1, maxItems: 8, description: 'Several of them, each a directory or characters: of two characters of one name the later counts.'
    })),
    conversation: Type.Optional(OneOf('keep', 'reset')),
    watch: Type.Optional(Watch)
  })
] as const

export type ClientEvent = Static<typeof clientEvents[number]>
export type ClientEventType = ClientEvent['type']
export type ClientEventOf<T extends ClientEventType> = Extract<ClientEvent, { type: T }>

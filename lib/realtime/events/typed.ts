import type { ClientEvent as AnyClientEvent } from './client.js'
import type { ServerEvent as AnyServerEvent } from './server.js'

// The events as people meet them who type an application with the `openai` package. On the wire what is
// unset is null, here as at the hosted API; for many fields that package says optional instead and leaves
// null out. So do these types, or no event of ours would fit a handler written for its own.

/** Fields that may be null on the wire though the package does not say so. */
type NeverNull = 'conversation_id' | 'delay' | 'effort' | 'include' | 'keywords' | 'language' | 'languages' | 'noise_reduction' |
  'param' | 'previous_item_id' | 'response' | 'response_id' | 'status_details' | 'transcript' | 'transcription' | 'usage'

/** Taken in `response.input`, as documented; the package types only whole items. */
type Untyped = { type: 'item_reference' }

type Loosened<T> = T extends readonly (infer U)[] ? Loosened<Exclude<U, Untyped>>[]
  : T extends object
    ? { [K in keyof T as Loose<T, K> extends true ? never : K]: Loosened<T[K]> } & { [K in keyof T as Loose<T, K> extends true ? K : never]?: Loosened<NonNullable<T[K]>> }
    : T
type Loose<T, K extends keyof T> = K extends NeverNull | Words<T[K]> ? (null extends T[K] ? true : false) : false

/** A session's `prompt` is an object and may be null, that of a transcription is text and may not. */
type Words<T> = NonNullable<T> extends string ? 'prompt' : never

/** What the server sends. */
export type ServerEvent = Loosened<AnyServerEvent>
/** What a client can send. */
export type ClientEvent = Loosened<AnyClientEvent>

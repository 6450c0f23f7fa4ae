import { Type, type TLiteral, type TSchema, type TUnion } from '@sinclair/typebox'

export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** A union of string literals. */
export const OneOf = <T extends string[]>(...values: T) =>
  Type.Union(values.map(value => Type.Literal(value))) as unknown as TUnion<{ [K in keyof T]: TLiteral<T[K] & string> }>

export const EventId = Type.String({ maxLength: 512, description: 'Comes back as error.event_id if the event fails.' })
export const ItemId = Type.String({ minLength: 1, maxLength: 32 })
export const CallId = Type.String({ minLength: 1, maxLength: 64 })
/** Audio position or length in milliseconds. */
export const Milliseconds = Type.Integer({ minimum: 0 })
export const Index = Type.Integer({ minimum: 0 })
/** Up to 16 pairs that come back with the response. */
export const Metadata = Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 512 }), { maxProperties: 16 })

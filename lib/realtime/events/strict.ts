import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/**
 * The dotted path of the first parameter that a schema does not name, or null.
 *
 * @param value has already passed the schema, whose objects are open
 */
export function findUnknown (schema: TSchema, value: unknown, path = ''): string | null {
  if (schema.anyOf !== undefined) {
    // A value may fit several members; it is known if one of them knows all of it.
    const found = (schema.anyOf as TSchema[]).filter(member => Value.Check(member, value)).map(member => findUnknown(member, value, path))
    return found.includes(null) ? null : found[0] ?? null
  }
  if (Array.isArray(value)) return first(value.map((one, index) => [schema.items, one, `${path}[${index}]`]))
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return null
  return first(Object.entries(value).map(([key, one]) => [schema.properties[key], one, path === '' ? key : `${path}.${key}`]))
}

function first (parts: [schema: TSchema | undefined, value: unknown, path: string][]): string | null {
  for (const [schema, value, path] of parts) {
    const unknown = schema === undefined ? path : findUnknown(schema, value, path)
    if (unknown !== null) return unknown
  }
  return null
}

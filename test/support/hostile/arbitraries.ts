import { Kind, OptionalKind, type TSchema } from '@sinclair/typebox'
import fc, { type Arbitrary } from 'fast-check'
import { clientEvents } from '../../../lib/realtime/events/client.js'

/** Ids that events of one run share, so that they meet; the last ones exist nowhere. */
const IDS = ['a', 'b', 'c', 'root', 'item_ghost', '__proto__']
const AUDIO = [Buffer.alloc(4800, 0), Buffer.alloc(4800, 31), Buffer.alloc(48_000, 31), Buffer.alloc(1)].map(bytes => bytes.toString('base64'))

/** What a field is by its name, where its type would make every event refused. */
const known: Record<string, Arbitrary<unknown>> = {
  item_id: fc.constantFrom(...IDS),
  id: fc.constantFrom(...IDS),
  previous_item_id: fc.constantFrom(...IDS, null),
  call_id: fc.constantFrom('call_1', 'call_2'),
  response_id: fc.constantFrom(null, 'resp_ghost'),
  audio: fc.constantFrom(...AUDIO),
  voice: fc.constantFrom('alloy', 'low', 'Ada', 'Bo'),
  character: fc.constantFrom('Ada', 'Bo', null),
  directory: fc.constantFrom('default', 'default', 'nowhere', ''),
  image_url: fc.constant('data:image/png;base64,AAAA')
}

const text = fc.oneof({ weight: 8, arbitrary: fc.string({ maxLength: 40, unit: 'grapheme' }) }, { weight: 1, arbitrary: fc.string({ maxLength: 40, unit: 'binary' }) })

/** Values that fit a schema. */
export function arbitraryOf (schema: TSchema, name = ''): Arbitrary<unknown> {
  if (Object.hasOwn(known, name) && ['String', 'Union', 'Unknown'].includes(schema[Kind])) return known[name]!
  switch (schema[Kind]) {
    case 'Literal': return fc.constant(schema['const'])
    case 'Null': return fc.constant(null)
    case 'Boolean': return fc.boolean()
    case 'Integer': return fc.integer({ min: schema['minimum'] ?? -1000, max: Math.min(schema['maximum'] ?? 100_000, 2 ** 31) })
    case 'Number': return fc.double({ min: schema['minimum'] ?? -1000, max: schema['maximum'] ?? 1000, noNaN: true })
    case 'String': return text.map(word => word.slice(0, schema['maxLength'] ?? 100).padEnd(schema['minLength'] ?? 0, 'x'))
    case 'Array': return fc.array(arbitraryOf(schema['items']), { minLength: schema['minItems'] ?? 0, maxLength: Math.max(schema['minItems'] ?? 0, Math.min(3, schema['maxItems'] ?? 3)) })
    case 'Union': return fc.oneof(...(schema['anyOf'] as TSchema[]).map(member => arbitraryOf(member, name)))
    case 'Record': return fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), arbitraryOf(Object.values(schema['patternProperties'] as Record<string, TSchema>)[0]!), { maxKeys: 3 })
    case 'Object': {
      const fields = Object.entries(schema['properties'] as Record<string, TSchema>)
      const required = fields.filter(([, field]) => field[OptionalKind] === undefined).map(([key]) => key)
      return fc.record(Object.fromEntries(fields.map(([key, field]) => [key, arbitraryOf(field, key)])), { requiredKeys: required as never[] })
    }
    default: return fc.jsonValue({ maxDepth: 2 })
  }
}

/** Events that fit their schema; what they ask for may still be impossible. */
export const wellFormed: Arbitrary<Record<string, unknown>> = fc.oneof(...clientEvents.map(schema => arbitraryOf(schema as TSchema) as Arbitrary<Record<string, unknown>>))

/**
 * Stands for JSON that `JSON.stringify` cannot write: numbers out of range, repeated keys, halves of characters.
 * {@link writeJson} puts it in.
 */
const raw = (json: string): string => `\u0001${json}\u0001`

/** Values that fit nowhere, or nearly so. */
export const hostileValues: readonly unknown[] = [
  null, true, false, 0, -1, 1.5, -0, 2 ** 53 + 2, 1e308, raw('1e999'), raw('-1e999'), raw('1E-999'), raw('0.0000000000000000000000000000000000001'),
  '', ' ', '\0', '\u2028', 'x'.repeat(300), 'constructor', '__proto__', 'NaN', '‮', raw('"\\ud800"'), raw('"\\udfff\\ud800"'),
  [], [[]], [null], {}, { type: null }, { length: -1 }, { toString: 1, valueOf: 1, toJSON: 'x', then: 'y' },
  raw('{"__proto__":{"polluted":true}}'), raw('{"constructor":{"prototype":{"polluted":true}}}'), raw('{"a":1,"a":{"a":2},"a":[]}'),
  raw('['.repeat(2000) + ']'.repeat(2000)), raw('{"a":'.repeat(2000) + '1' + '}'.repeat(2000))
]

/** JSON with what {@link raw} stands for. */
export function writeJson (value: unknown): string {
  return JSON.stringify(value).replace(/"\\u0001((?:[^\\]|\\(?!u0001).)*)\\u0001"/g, (_, json: string) => JSON.parse(`"${json}"`))
}

type Path = readonly (string | number)[]

/** Paths of all that a value holds. */
export function pathsOf (value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, field]) => pathsOf(field, [...path, key]))]
}

/** A copy with another value at a path, or with none. */
export function withValue (value: unknown, path: Path, put: unknown): unknown {
  if (path.length === 0) return put
  const [key, ...rest] = path
  const copy: any = Array.isArray(value) ? [...value] : { ...value as object }
  if (rest.length === 0 && put === undefined) delete copy[key!]
  else copy[key!] = withValue(copy[key!], rest, put)
  return copy
}

/** Events that are wrong in one place or two, or have what no schema knows. */
export const illFormed: Arbitrary<string> = fc.tuple(
  wellFormed, fc.array(fc.tuple(fc.nat(), fc.constantFrom(...hostileValues, undefined)), { minLength: 1, maxLength: 2 }), fc.option(fc.constantFrom(...hostileValues), { freq: 4 })
).map(([event, changes, more]) => {
  let wrong: unknown = event
  for (const [at, value] of changes) {
    const paths = pathsOf(wrong).slice(1)
    if (paths.length > 0) wrong = withValue(wrong, paths[at % paths.length]!, value)
  }
  return writeJson(more === null ? wrong : { ...wrong as object, more })
})

/** An event of every kind with all the fields it can have. */
export function fullEvents (seed: number): Record<string, unknown>[] {
  return clientEvents.map(schema => fc.sample(arbitraryOf(allRequired(schema as TSchema)), { numRuns: 1, seed })[0] as Record<string, unknown>)
}

function allRequired (schema: TSchema): TSchema {
  const { [OptionalKind]: optional, ...rest } = schema
  const whole = { ...rest } as TSchema
  if (whole[Kind] === 'Object') whole['properties'] = Object.fromEntries(Object.entries(whole['properties'] as Record<string, TSchema>).map(([key, field]) => [key, allRequired(field)]))
  if (whole[Kind] === 'Array') Object.assign(whole, { items: allRequired(whole['items']), minItems: 1 })
  // The richest member is the one with something to get wrong.
  if (whole[Kind] === 'Union') whole['anyOf'] = [(whole['anyOf'] as TSchema[]).toSorted((a, b) => JSON.stringify(b).length - JSON.stringify(a).length)[0]!].map(allRequired)
  return whole
}

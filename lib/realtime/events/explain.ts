import type { TSchema } from '@sinclair/typebox'
import { Value, ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import { RealtimeError } from '../../errors.js'

const tooLong = new Set([ValueErrorType.StringMaxLength])
const wrongType = new Set([
  ValueErrorType.Array, ValueErrorType.Boolean, ValueErrorType.Integer, ValueErrorType.Null, ValueErrorType.Number,
  ValueErrorType.Object, ValueErrorType.String
])

/** Says what is wrong with a value that its schema refused: one error, with the field's path (PROTOCOL section 10). */
export function explain (schema: TSchema, value: unknown, path = ''): RealtimeError {
  const fault = telling(schema, value)
  if (fault === undefined) return new RealtimeError('invalid_value', { param: path || null })
  const at = path + dotted(fault.path)
  const param = at.replace(/^\./, '') || null

  if (fault.type === ValueErrorType.ObjectRequiredProperty) {
    return new RealtimeError('missing_required_parameter', { param, message: `Missing required parameter: '${param}'.` })
  }
  if (fault.type === ValueErrorType.Union) return explainUnion(fault, at)
  if (tooLong.has(fault.type)) {
    const { maxLength } = fault.schema
    return new RealtimeError('string_above_max_length', { param, message: `Invalid '${param}': string too long. Expected at most ${maxLength} characters.` })
  }
  if (wrongType.has(fault.type) || (fault.type === ValueErrorType.Literal && typeof fault.value !== typeof fault.schema.const)) {
    return mistyped(param, [fault.schema], fault.value)
  }
  if (fault.type === ValueErrorType.Literal) return unsupported(param, [fault.schema], fault.value)
  return new RealtimeError('invalid_value', { param, message: `Invalid '${param}': ${fault.message.toLowerCase()}.` })
}

/** The first fault; but of an object that is of a kind unknown here, that, and not what it lacks to be of the one known. */
function telling (schema: TSchema, value: unknown): ValueError | undefined {
  let first: ValueError | undefined
  for (const fault of Value.Errors(schema, value)) {
    first ??= fault
    if (first.type !== ValueErrorType.ObjectRequiredProperty) return first
    const [object, of] = [first, fault].map(({ path }) => path.slice(0, path.lastIndexOf('/')))
    if (object !== of) return first
    if (fault.type === ValueErrorType.Literal && fault.path === `${object}/type` && fault.value !== undefined) return fault
  }
  return first
}

/** A union's fault is that of the member which the value was meant to be, where that can be told. */
function explainUnion (fault: ValueError, path: string): RealtimeError {
  const param = path.replace(/^\./, '') || null
  const members = flatten(fault.schema)
  const alike = members.filter(member => accepts(member, fault.value))
  if (alike.length === 0) return mistyped(param, members, fault.value)

  for (const key of ['type', 'role']) {
    const tagged = alike.filter(member => member.properties?.[key] !== undefined)
    if (tagged.length !== alike.length) break
    const tag = (fault.value as Record<string, unknown>)[key]
    const meant = alike.filter(member => member.properties[key].const === tag)
    if (meant.length === 1) return explain(meant[0]!, fault.value, path)
    if (meant.length > 1) {
      alike.splice(0, Infinity, ...meant)
      continue
    }
    const field = `${param === null ? '' : `${param}.`}${key}`
    if (tag === undefined) return new RealtimeError('missing_required_parameter', { param: field, message: `Missing required parameter: '${field}'.` })
    const literals = alike.map(member => member.properties[key])
    return typeof tag === 'string' ? unsupported(field, literals, tag) : mistyped(field, literals, tag)
  }
  if (alike.length === 1 && alike[0]!.const === undefined) return explain(alike[0]!, fault.value, path)
  return unsupported(param, alike, fault.value)
}

function unsupported (param: string | null, literals: TSchema[], value: unknown): RealtimeError {
  const values = [...new Set(literals.map(literal => literal.const))].filter(value => value !== undefined)
  return new RealtimeError('invalid_value', {
    param,
    message: `Invalid value: ${quote(value)}.` + (values.length > 0 ? ` Supported values are: ${values.map(quote).join(', ')}.` : '')
  })
}

function mistyped (param: string | null, schemas: TSchema[], value: unknown): RealtimeError {
  const wanted = [...new Set(schemas.map(schemaType))].join(' or ')
  return new RealtimeError('invalid_type', { param, message: `Invalid type for '${param}': expected ${wanted}, but got ${Number.isInteger(value) ? 'integer' : typeOf(value)} instead.` })
}

/** A union's members, those of unions inside of it included. */
function flatten (schema: TSchema): TSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(flatten)
}

function schemaType (schema: TSchema): string {
  return schema.const === undefined ? schema.type ?? 'value' : typeof schema.const
}

function accepts (schema: TSchema, value: unknown): boolean {
  const type = schemaType(schema)
  return type === typeOf(value) || (type === 'integer' && typeof value === 'number')
}

function typeOf (value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function quote (value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `'${text.length > 64 ? `${text.slice(0, 64)}…` : text}'`
}

/** `/tools/0/name` -> `.tools[0].name` */
function dotted (pointer: string): string {
  return pointer.split('/').slice(1)
    .map(step => /^\d+$/.test(step) ? `[${step}]` : `.${step.replaceAll('~1', '/').replaceAll('~0', '~')}`).join('')
}

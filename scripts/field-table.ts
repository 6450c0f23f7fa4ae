import type { JsonSchema } from '../lib/realtime/events/schema.js'

/** Rows of an object's fields; objects without a name of their own are laid out in dotted rows. */
export function fieldTable (schema: JsonSchema): string {
  const rows = rowsOf(schema, '')
  if (rows.length === 0) return 'No fields.\n'
  return `| field | type | required | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`
}

/** What a schema takes, in words. */
export function typeOf (schema: JsonSchema): string {
  if (schema.$ref !== undefined) {
    const name = (schema.$ref as string).split('/').at(-1)!
    return `[${name}](#${name.toLowerCase()}-object)`
  }
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.anyOf !== undefined) return flatten(schema).map(typeOf).join(' or ')
  if (schema.patternProperties !== undefined) return recordOf(schema)
  switch (schema.type) {
    case 'array':
      return `array of ${typeOf(schema.items)}${bounds(schema.minItems, schema.maxItems, 'of them')}`
    case 'string':
      return `string${bounds(schema.minLength, schema.maxLength, 'characters')}${schema.pattern === undefined ? '' : `, matching \`${schema.pattern}\``}`
    case 'number':
    case 'integer':
      return `${schema.type}${bounds(schema.minimum, schema.maximum, '')}`
    case 'object':
      return `\`{\` ${Object.entries<JsonSchema>(schema.properties).map(([key, field]) => `\`${key}${isRequired(schema, key) ? '' : '?'}\`: ${typeOf(field)}`).join(', ')} \`}\``
    default:
      return schema.type ?? 'any'
  }
}

function rowsOf (schema: JsonSchema, path: string): string[] {
  return Object.entries<JsonSchema>(schema.properties ?? {}).flatMap(([key, field]) => {
    const name = path + key
    const required = isRequired(schema, key) ? 'yes' : ''
    const nested = field.properties !== undefined
    const row = (type: string) => `| \`${name}\` | ${cell(type)} | ${required} | ${cell(field.description ?? '')} |`
    if (nested) return [row('object'), ...rowsOf(field, `${name}.`)]
    if (field.type === 'array' && field.items.properties !== undefined) return [row('array of objects'), ...rowsOf(field.items, `${name}[].`)]
    return [row(typeOf(field))]
  })
}

function recordOf (schema: JsonSchema): string {
  const [values] = Object.values<JsonSchema>(schema.patternProperties)
  return `object${bounds(undefined, schema.maxProperties, 'keys')} of ${typeOf(values!)}`
}

function bounds (low: number | undefined, high: number | undefined, of: string): string {
  if (low === undefined && high === undefined) return ''
  const range = low === undefined ? `at most ${high}` : high === undefined ? `at least ${low}` : `${low} to ${high}`
  return ` (${range}${of === '' ? '' : ` ${of}`})`
}

function isRequired (schema: JsonSchema, key: string): boolean {
  return schema.required?.includes(key) ?? false
}

/** A union's members, those of unions inside of it included. */
function flatten (schema: JsonSchema): JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(flatten)
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|')
}

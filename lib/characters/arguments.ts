/**
 * What a model gives a tool, checked against the tool's JSON Schema. Ajv, which Fastify brings along, compiles
 * each schema once for all sessions.
 */
import { createRequire } from 'node:module'
import type { Ajv2020, ValidateFunction } from 'ajv/dist/2020.js'
import { Lru } from './lru.js'

/** Longest list of what is wrong, in characters: the model reads it. */
const LONGEST = 1000
/** Text of the schemas that are kept compiled, in characters. */
const KEPT = 4 * 1024 * 1024

const require = createRequire(import.meta.url)
const compiled = new Lru<ValidateFunction | string>(KEPT)

/** What is wrong with the arguments, in words for the model; undefined if nothing is. */
export function findArgumentProblem (schema: object, args: unknown): string | undefined {
  const validate = compile(schema)
  if (typeof validate === 'string') return `the tool's parameters are no JSON Schema: ${validate}`
  if (validate(args)) return undefined
  const faults = validate.errors!.map(({ instancePath, message, params }) => {
    const allowed = (params as { allowedValues?: unknown[] }).allowedValues
    const extra = (params as { additionalProperty?: string }).additionalProperty
    return `${instancePath === '' ? 'they' : instancePath} ${message}${allowed === undefined ? '' : ` (${allowed.join(', ')})`}${extra === undefined ? '' : ` ('${extra}')`}`
  })
  return `the arguments do not fit the tool's parameters: ${[...new Set(faults)].join('; ')}.`.slice(0, LONGEST)
}

/** Compiles ahead of the call, one schema in each turn of the event loop: a model takes longer to call a tool. */
export function prepareArguments (schemas: readonly object[]): void {
  const [first, ...rest] = schemas
  if (first === undefined) return
  setImmediate(() => {
    compile(first)
    prepareArguments(rest)
  })
}

function compile (schema: object): ValidateFunction | string {
  const text = JSON.stringify(schema)
  const known = compiled.get(text)
  if (known !== undefined) return known
  let made: ValidateFunction | string
  try {
    // Neither is needed, and Ajv refuses a dialect or a second use of an id that it does not know.
    const { $schema, $id, ...own } = JSON.parse(text) as Record<string, unknown>
    // Loaded with the first tool: a command that calls none does not wait for it.
    const { Ajv2020: Validator } = require('ajv/dist/2020.js') as { Ajv2020: typeof Ajv2020 }
    // An instance for each, as it keeps what it compiled for as long as it lives.
    made = new Validator({ strict: false, allErrors: true, validateFormats: false, validateSchema: false, meta: false, logger: false }).compile(own)
  } catch (error) {
    made = (error as Error).message
  }
  compiled.set(text, made, text.length)
  return made
}

/** Is it a character? Says which field is wrong, and what was expected there. */
import type { TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import type { ValueError } from '@sinclair/typebox/value'
import type { Character } from './character.js'
import type { FaultCode } from './fault.js'
import { CharacterSchema, FileVoiceSchema, FreesoundVoiceSchema } from './schema.js'

export interface Problem {
  code: FaultCode
  message: string
  /** Keys from the character down to the field. */
  path: readonly string[]
}

const character = TypeCompiler.Compile(CharacterSchema)
const voices: Readonly<Record<string, TypeCheck<TSchema>>> = {
  file: TypeCompiler.Compile(FileVoiceSchema),
  freesound: TypeCompiler.Compile(FreesoundVoiceSchema)
}

/** What is wrong with the value, or undefined: then it is a {@link Character}. */
export function findProblem (value: unknown): Problem | undefined {
  if (!character.Check(value)) return explainShape(value)
  const tools = value.tools ?? []
  const index = tools.findIndex(({ name }, index) => tools.findIndex(other => other.name === name) < index)
  if (index === -1) return undefined
  return { code: 'invalid_tools', message: `tools[${index}].name: '${tools[index]!.name}' is the name of another tool.`, path: ['tools', String(index), 'name'] }
}

export function isCharacter (value: unknown): value is Character {
  return findProblem(value) === undefined
}

function explainShape (value: unknown): Problem {
  if (typeof value !== 'object' || value === null) {
    return { code: 'invalid_character', message: `The default export must be a character (an object), not ${show(value)}.`, path: [] }
  }
  let error = character.Errors(value).First()!
  let path = readPointer(error.path)
  if (path[0] === 'voice' && path.length === 1) {
    // A union only says that no member fits: ask the one that is meant
    const voice = (value as { voice: unknown }).voice
    const source = typeof voice === 'object' && voice !== null ? (voice as { source?: unknown }).source : undefined
    const meant = typeof source === 'string' && Object.hasOwn(voices, source) ? voices[source]! : undefined
    if (meant !== undefined) {
      error = meant.Errors(voice).First()!
      path = ['voice', ...readPointer(error.path)]
    } else if (typeof voice === 'object' && voice !== null) {
      return { code: 'invalid_character', message: `voice.source: expected 'file' or 'freesound', got ${show(source)}.`, path: ['voice', 'source'] }
    }
  }
  return {
    code: path[0] === 'tools' ? 'invalid_tools' : 'invalid_character',
    message: `${toName(path)}: expected ${expectation(error)}, got ${show(error.value)}.`,
    path
  }
}

function expectation ({ schema, path }: ValueError): string {
  if (path === '/voice') return 'an object with a source (\'file\' or \'freesound\')'
  if (schema['const'] !== undefined) return `'${String(schema['const'])}'`
  if (schema['anyOf'] !== undefined) return (schema['anyOf'] as TSchema[]).map(kind).join(' or ')
  return kind(schema)
}

function kind (schema: TSchema): string {
  switch (schema['type']) {
    case 'Function': return 'a function'
    case 'array': return 'an array'
    case 'object': return 'an object'
    case 'null': return 'null'
    case 'boolean': return 'a boolean'
    case 'number': {
      const { minimum, maximum } = schema
      return minimum === undefined ? 'a number' : `a number from ${String(minimum)} to ${String(maximum)}`
    }
    case 'string': {
      if (schema['pattern'] === undefined) return 'a string'
      if (schema['pattern'] === '^[a-zA-Z0-9_-]{1,64}$') return 'a string of 1 to 64 letters, digits, _ or -'
      return schema['maxLength'] === undefined ? 'a string that is not empty' : `a string of 1 to ${String(schema['maxLength'])} characters without space around it`
    }
    default: return 'another value'
  }
}

function show (value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (typeof value === 'string') return value.length > 60 ? `'${value.slice(0, 60)}...'` : `'${value}'`
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  return String(value)
}

/** `/tools/0/name` as keys. */
function readPointer (pointer: string): string[] {
  return pointer.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** `tools[0].name` */
function toName (path: readonly string[]): string {
  return path.reduce((name, key) => /^\d+$/.test(key) ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`, '')
}

/** A character module as a card: what a card can hold, and a list of what it cannot. */
import type { Character } from '../character.js'
import type { Json } from './fields.js'
import { asObject, writeExamples } from './specs.js'

/** Something that does not come along, for people. */
export interface Lost { field: string, reason: string }

const EXAMPLE_OF_A_CALL = 'a card has no tools: the line is kept in extensions.dramatis alone'

/**
 * Fields of a card's `data`, over those that the character's own card has.
 *
 * @param prompt what its `systemPrompt` says to a session that begins
 */
export function fieldsOf (given: Partial<Character>, base: Json, prompt: string | undefined): { data: Json, lost: Lost[] } {
  const lost: Lost[] = []
  const { name, voice, instructions, systemPrompt, metadata, examples, greeting, tools, llm, tts, temperature, dispose, card, ...others } = given
  const plain = (value: unknown, field: string) => toJson(value, field, lost)

  for (const tool of tools ?? []) lost.push({ field: `tools.${tool.name}`, reason: 'code' })
  if (dispose !== undefined) lost.push({ field: 'dispose', reason: 'code' })
  if (systemPrompt !== undefined) lost.push({ field: 'systemPrompt', reason: `code: the card has the words of one call as its ${card === undefined ? 'description' : 'system_prompt'}` })
  for (const [index, { tool }] of (examples ?? []).entries()) if (tool !== undefined) lost.push({ field: `examples[${index}]`, reason: EXAMPLE_OF_A_CALL })

  const { good, comment, tags, creator, character_version: version, ...notes } = metadata as Json | undefined ?? {}
  const { prompt: description, language, ...more } = instructions as Json | undefined ?? {}
  const module = present({
    instructions: card === undefined && (Object.keys(more).length > 0 || description !== prompt) ? plain(instructions, 'instructions') : undefined,
    examples: examples?.some(({ tool }) => tool !== undefined) ? plain(examples, 'examples') : undefined,
    metadata: Object.keys(notes).length > 0 ? plain(notes, 'metadata') : undefined,
    fields: Object.keys(others).length > 0 ? plain(others, '') : undefined
  })
  const extensions = asObject(base['extensions'])
  const own = {
    ...asObject(extensions['dramatis']),
    ...present({ voice: plain(voice, 'voice'), language, llm: plain(llm, 'llm'), tts: plain(tts, 'tts'), temperature, good: good ?? undefined }),
    ...Object.keys(module).length === 0 ? {} : { module }
  }
  const data = {
    ...base,
    ...present({
      name,
      first_mes: greeting,
      mes_example: examples === undefined ? undefined : writeExamples(examples.filter(({ tool }) => tool === undefined)),
      creator_notes: comment ?? undefined,
      tags: Array.isArray(tags) ? tags : undefined,
      creator,
      character_version: version,
      ...card === undefined ? { description: prompt ?? description } : { system_prompt: prompt }
    }),
    extensions: Object.keys(own).length === 0 ? extensions : { ...extensions, dramatis: own }
  }
  return { data, lost }
}

/** How deep values may be nested: a card's JSON has a bound, too. */
const DEPTH = 40

/** What JSON can hold of a value; what it cannot is told. */
function toJson (value: unknown, field: string, lost: Lost[], depth = 0): unknown {
  const leave = (reason: string) => {
    lost.push({ field, reason })
    return undefined
  }
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : leave('no number that JSON has')
  if (typeof value !== 'object') return leave(typeof value === 'function' ? 'code' : `a ${typeof value}`)
  if (depth > DEPTH) return leave(`nested deeper than ${DEPTH} levels`)
  const at = (key: string) => Array.isArray(value) ? `${field}[${key}]` : field === '' ? key : `${field}.${key}`
  if (Array.isArray(value)) return value.map((one, index) => toJson(one, at(String(index)), lost, depth + 1) ?? null)
  const prototype: unknown = Object.getPrototypeOf(value)
  // Objects of a cast may be of another realm: what has no more than a plain object's prototype is one
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return leave(`a ${value.constructor?.name ?? 'class'}`)
  return present(Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toJson(one, at(key), lost, depth + 1)])))
}

function present (fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

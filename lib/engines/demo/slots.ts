import type { LlmTool } from '../engine.js'
import type { Example } from './script.js'
import { bare, isSmall, numberOf, stemOf, wordsOf } from './words.js'

/** The parts of an example's user line that its tool is called with, and that other users say differently. */
export interface Slots {
  /** The rest of the line; empty if there is none. */
  literal: string
  /** What stands in those places in other words; undefined if they are put too differently. */
  capture (said: string): Record<string, string> | undefined
}

type Values = Record<string, unknown>

interface Property { type?: string, enum?: unknown[] }

/** How many words before the first slot have to be the same. */
const LEAD = 3

/** Finds the argument values that the user of the example spoke. Undefined if there are none. */
export function compileSlots (example: Example): Slots | undefined {
  const { user } = example
  const found: { name: string, start: number, end: number }[] = []
  for (const [name, value] of Object.entries(argumentsOf(example))) {
    const place = placeOf(user, value)
    if (place !== undefined && !found.some(({ start, end }) => place.start < end && start < place.end)) found.push({ name, ...place })
  }
  if (found.length === 0) return undefined
  found.sort((a, b) => a.start - b.start)

  const pieces = [...found.map(({ start }, i) => user.slice(found[i - 1]?.end ?? 0, start)), user.slice(found.at(-1)!.end)]
  const literal = pieces.map(bare).filter(piece => piece !== '').join(' ')
  const patterns = pieces.map((piece, i) => {
    const words = (piece.match(/[\p{L}\p{N}'’]+/gu) ?? []).slice(i === 0 ? -LEAD : 0)
    return words.map(word => word.replace(/['’]/g, '[\'’]')).join('[\\s,]+')
  })
  const [lead, ...rest] = patterns
  const source = (lead === '' ? '^' : `(?:^|\\W)${lead}[\\s,:]+`) + rest.map((pattern, i) => {
    const last = i === rest.length - 1
    const slot = last ? '(.+?)' : pattern === '' ? '(\\S+)' : '(.+?)'
    if (last) return slot + (pattern === '' ? '' : `(?:[\\s,]+${pattern})?`)
    return slot + (pattern === '' ? '\\s+' : `[\\s,]+${pattern}[\\s,]+`)
  }).join('') + '\\W*$'
  const regex = new RegExp(source, 'iu')

  return {
    literal,
    capture (said) {
      if (literal === '') return undefined
      const hit = regex.exec(said.trim())
      if (hit === null) return undefined
      return Object.fromEntries(found.map(({ name }, i) => [name, bare(hit[i + 1] ?? '')]))
    }
  }
}

/**
 * The arguments for a tool that an example calls, with this user's words in place of the example's.
 * Undefined if what the tool must have was not said.
 */
export function fillArguments (example: Example, slots: Slots | undefined, said: string, tool: LlmTool): Values | undefined {
  const { properties, required } = schemaOf(tool)
  const captured = slots?.literal === '' ? undefined : slots?.capture(said)
  const values: Values = {}
  for (const [name, value] of Object.entries(argumentsOf(example))) {
    const spoken = placeOf(example.user, value) !== undefined
    const filled = typeof value === 'string' && value.includes('{user}')
      ? value.replaceAll('{user}', bare(said))
      : spoken
        ? scan(properties[name], said) ?? (isChoice(properties[name]) ? undefined : captured?.[name] ?? (slots?.literal === '' ? bare(said) : undefined))
        : value
    if (filled !== undefined) values[name] = filled
    else if (required.includes(name)) return undefined
  }
  return values
}

/** The arguments for a tool without an example: what can be recognised, else what was said. */
export function guessArguments (tool: LlmTool, said: string): Values {
  const { properties, required } = schemaOf(tool)
  const values: Values = {}
  for (const [name, property] of Object.entries(properties)) {
    const value = scan(property, said)
    if (value !== undefined) values[name] = value
    else if (required.includes(name)) values[name] = standIn(property, said)
  }
  return values
}

/** What was said without the numbers and choices that these tools take as arguments. */
export function withoutChoices (said: string, tools: readonly LlmTool[]): string {
  const properties = tools.flatMap(tool => Object.values(schemaOf(tool).properties))
  const choices = new Set(properties.flatMap(({ enum: values = [] }) => values.flatMap(value => wordsOf(String(value)))).map(stemOf))
  const numbers = properties.some(isNumber)
  return wordsOf(said).filter(word => !choices.has(stemOf(word)) && !(numbers && numberOf(word) !== undefined)).join(' ')
}

function schemaOf (tool: LlmTool): { properties: Record<string, Property>, required: string[] } {
  const { properties = {}, required = [] } = (tool.parameters ?? {}) as { properties?: Record<string, Property>, required?: string[] }
  return { properties, required }
}

export function argumentsOf (example: Example): Values {
  const values = example.tool?.arguments
  return typeof values === 'object' && values !== null ? values as Values : {}
}

/** Where a value stands in a line: as it is, or a number in words. */
function placeOf (line: string, value: unknown): { start: number, end: number } | undefined {
  if (typeof value === 'string' && value !== '') {
    const start = line.toLowerCase().indexOf(value.toLowerCase())
    return start === -1 ? undefined : { start, end: start + value.length }
  }
  if (typeof value !== 'number') return undefined
  for (const { 0: word, index } of line.matchAll(/[\p{L}\p{N}]+/gu)) {
    if (numberOf(word.toLowerCase()) === value) return { start: index, end: index + word.length }
  }
}

const isNumber = (property: Property | undefined) => property?.type === 'number' || property?.type === 'integer'
const isChoice = (property: Property | undefined) => property?.enum !== undefined || isNumber(property)

/** A value that the schema lets us recognise in what was said: one of a choice, or a number. */
function scan (property: Property | undefined, said: string): unknown {
  const words = wordsOf(said)
  if (property?.enum !== undefined) {
    const stems = words.map(stemOf)
    return property.enum.find(choice => {
      const wanted = wordsOf(String(choice)).filter(word => !isSmall(word)).map(stemOf)
      return wanted.length > 0 && wanted.every(stem => stems.includes(stem))
    })
  }
  if (isNumber(property)) {
    // An article counts as one only if no other number is there: a dozen, a bag of three.
    const figures = words.filter(word => word !== 'a' && word !== 'an').map(numberOf)
    return figures.find(number => number !== undefined) ?? words.map(numberOf).find(number => number !== undefined)
  }
}

function standIn (property: Property, said: string): unknown {
  if (property.enum !== undefined) return property.enum[0]
  switch (property.type) {
    case 'number': case 'integer': return 1
    case 'boolean': return !/\b(no|not|never|off)\b/i.test(said)
    case 'array': return []
    case 'object': return {}
    // What comes after the preposition is most often what is meant: the weather in Paris.
    default: return bare(/.*\b(?:in|for|about|of|on|to)\s+(.+)$/i.exec(bare(said))?.[1] ?? said)
  }
}

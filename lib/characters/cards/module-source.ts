/** A card as a module that its author reads and edits: TypeScript, texts of several lines as such. */
import type { Json } from './fields.js'

/** @param from what it was made of, for people */
export function writeCardModule (card: Json, from: string): string {
  return `import { defineCharacter } from 'dramatis/character'

// From ${from.replace(/\s+/g, ' ')}. The card's texts are edited here. Whatever a module may have can stand beside it, and
// counts before what the card says: tools, a systemPrompt of code, a voice, a greeting.
export default defineCharacter({
  card: ${write(card, '  ')}
})
`
}

const WIDTH = 100

function write (value: unknown, indent: string): string {
  if (typeof value === 'string') return writeText(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const isList = Array.isArray(value)
  const inner = `${indent}  `
  const parts = isList
    ? value.map(one => write(one, inner))
    : Object.entries(value).map(([key, one]) => `${writeKey(key)}: ${write(one, inner)}`)
  if (parts.length === 0) return isList ? '[]' : '{}'
  const line = isList ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`
  if (line.length + indent.length <= WIDTH && !line.includes('\n')) return line
  const lines = parts.map(part => `\n${inner}${part}`).join(',')
  return isList ? `[${lines}\n${indent}]` : `{${lines}\n${indent}}`
}

function writeKey (key: string): string {
  // As a plain key it would set what the object inherits from
  if (key === '__proto__') return '[\'__proto__\']'
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key)
}

/** What a template literal would take for its own, or change, is written as an escape. */
function writeText (text: string): string {
  if (!text.includes('\n')) return quote(text)
  const escaped = escape(text).replace(/\\[^]/g, pair => pair === '\\n' ? '\n' : pair)
  return `\`${escaped.replace(/`|\$(?=\{)/g, '\\$&')}\``
}

function quote (text: string): string {
  return `'${escape(text).replaceAll('\'', '\\\'')}'`
}

/** As JSON escapes it: backslashes, control characters, halves of characters. */
function escape (text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replace(/[\u2028\u2029\u007f-\u009f\ufeff]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

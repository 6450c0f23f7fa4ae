/** JSON of people one does not know: bounded, and with the places of its faults. */
import { isUtf8 } from 'node:buffer'
import type { LineColumn } from '../positions.js'
import { cardLimits, CardProblem } from './problem.js'

/** Throws a {@link CardProblem} if it is not UTF-8. A byte order mark is taken off. */
export function decodeText (bytes: Buffer): string {
  if (bytes.length > cardLimits.jsonBytes) throw new CardProblem(`The card's JSON is larger than ${cardLimits.jsonBytes} bytes.`)
  // Both together take a third of what a decoder that is told to check does.
  if (!isUtf8(bytes)) throw new CardProblem('The card is not UTF-8 text.')
  const text = bytes.toString('utf8')
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** Base64 as cards have it, white space and a missing end included. Throws a {@link CardProblem}. */
export function decodeBase64 (text: string): Buffer {
  if (text.length > cardLimits.jsonBytes * 1.4) throw new CardProblem(`The card's JSON is larger than ${cardLimits.jsonBytes} bytes.`)
  const plain = text.replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(plain)) throw new CardProblem('The card is not base64.')
  return Buffer.from(plain, 'base64')
}

/** An object. Throws a {@link CardProblem} with the place. */
export function parseObject (text: string): Record<string, unknown> {
  checkDepth(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    const offset = /position (\d+)/.exec(message)?.[1]
    // The rest of the message quotes the file, and differs between versions of Node.
    throw new CardProblem(`The JSON cannot be read: ${message.replace(/ in JSON at position.*|, (?:\.\.\.)?".*/s, '')}.`,
      { offset: offset === undefined ? text.length : Number(offset) })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CardProblem('A character card is a JSON object.', { offset: 0 })
  return value as Record<string, unknown>
}

/** Deep nesting overflows the stack of whoever walks the value later. Letters are not looked at one by one, as most files are read by code that never ran before. */
function checkDepth (text: string): void {
  const signs = /["{}[\]]/g
  let depth = 0
  for (let found = signs.exec(text); found !== null; found = signs.exec(text)) {
    const sign = found[0]
    if (sign === '"') signs.lastIndex = endOfString(text, found.index) + 1
    else if (sign === '{' || sign === '[') {
      if (++depth > cardLimits.depth) throw new CardProblem(`The JSON is nested deeper than ${cardLimits.depth} levels.`, { offset: found.index })
    } else depth--
  }
}

/** Offset of the closing quote of a string that opens at `at`; the text's length if there is none. */
function endOfString (text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text[end - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/** Whether a value nests deeper than a card's JSON may: whoever writes that as text may overflow the stack. */
export function isTooDeep (value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth >= cardLimits.depth || Object.values(value).some(one => isTooDeep(one, depth + 1))
}

/** Where an offset is. */
export function placeOf (text: string, offset: number): LineColumn {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) + 1 }
}

/** Where a field stands in valid JSON; what is around it, if it is not there. */
export function findField (text: string, path: readonly string[]): LineColumn {
  let at = skipSpace(text, 0)
  let found = at
  for (const key of path) {
    const member = findMember(text, at, key)
    if (member === undefined) break
    found = member.at
    at = member.value
  }
  return placeOf(text, found)
}

function findMember (text: string, open: number, key: string): { at: number, value: number } | undefined {
  const isArray = text[open] === '['
  if (!isArray && text[open] !== '{') return undefined
  let at = skipSpace(text, open + 1)
  for (let index = 0; at < text.length && text[at] !== '}' && text[at] !== ']'; index++) {
    const end = isArray ? at : endOfString(text, at) + 1
    const value = isArray ? at : skipSpace(text, skipSpace(text, end) + 1)
    if (isArray ? String(index) === key : JSON.parse(text.slice(at, end)) === key) return { at, value }
    at = skipSpace(text, endOfValue(text, value))
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return undefined
}

function endOfValue (text: string, at: number): number {
  let depth = 0
  for (; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') at = endOfString(text, at)
    else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') {
      if (depth === 0) return at
      depth--
    } else if (depth === 0 && char === ',') return at
  }
  return at
}

function skipSpace (text: string, at: number): number {
  while (at < text.length && ' \n\r\t\ufeff'.includes(text[at]!)) at++
  return at
}

/**
 * Where a field of the default export stands in the source, so that "voice.path: expected a string"
 * can point at it. There is no syntax tree at run time: the object literal is walked in the compiled
 * code, whose shape esbuild made regular. What is not written as a literal there is not found, and
 * the nearest thing around it is told instead.
 */
import type { Compiled } from './compiler.js'
import type { LineColumn } from './positions.js'
import { isIdentifier, skipSpace, skipString, skipValue } from './scan.js'

export function locateField (code: Compiled, path: readonly string[]): LineColumn | undefined {
  const start = findDefaultExport(code.body)
  if (start === -1) return undefined
  let at = start
  let inside = code.body.indexOf('{', start)
  for (const key of path) {
    if (inside === -1) break
    const found = findMember(code.body, inside, key)
    if (found === undefined) break
    at = found.at
    inside = found.value
  }
  return code.positions.findOffset(code.body, at)
}

/** The declaration of the variable that is exported as default. */
function findDefaultExport (body: string): number {
  const getter = 'default: () => '
  const header = body.indexOf(getter)
  if (header === -1) return -1
  let end = header + getter.length
  while (isIdentifier(body[end])) end++
  return findDeclaration(body, body.slice(header + getter.length, end))
}

/** Follows `var a = b;` to where b is declared. */
function findDeclaration (body: string, name: string): number {
  for (const keyword of ['var', 'const', 'let', 'class', 'function']) {
    const at = body.indexOf(`\n${keyword} ${name}`) + 1
    if (at === 0) continue
    const value = body.indexOf(' = ', at) + 3
    let end = value
    while (isIdentifier(body[end])) end++
    const other = body[end] === ';' && end > value ? findDeclaration(body, body.slice(value, end)) : -1
    return other === -1 ? at : other
  }
  return -1
}

/** A member of the object or array literal that opens at `open`: where it is, and the bracket of its value if it is a literal too. */
function findMember (body: string, open: number, key: string): { at: number, value: number } | undefined {
  const isArray = body[open] === '['
  let at = skipSpace(body, open + 1)
  for (let index = 0; at < body.length && body[at] !== '}' && body[at] !== ']'; index++) {
    const value = isArray ? at : valueOf(body, at)
    if (isArray ? String(index) === key : readKey(body, at) === key) {
      return { at, value: body[value] === '{' || body[value] === '[' ? value : -1 }
    }
    at = skipSpace(body, skipValue(body, at))
    if (body[at] !== ',') return undefined
    at = skipSpace(body, at + 1)
  }
  return undefined
}

function readKey (body: string, at: number): string {
  for (const prefix of ['async ', 'get ', 'set ', '*']) {
    if (body.startsWith(prefix, at) && body[at + prefix.length] !== ':') at += prefix.length
  }
  const quote = body[at]
  if (quote === '"' || quote === '\'') return body.slice(at + 1, skipString(body, at) - 1)
  let end = at
  while (isIdentifier(body[end])) end++
  return body.slice(at, end)
}

/** Behind the colon of a member; the member itself if it has none. */
function valueOf (body: string, at: number): number {
  let end = at
  if (body[at] === '"' || body[at] === '\'') end = skipString(body, at)
  else while (isIdentifier(body[end])) end++
  return body[end] === ':' ? skipSpace(body, end + 1) : at
}

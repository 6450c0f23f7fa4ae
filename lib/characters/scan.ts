/** Finding one's way in code that esbuild wrote, without a syntax tree. */

/** The end of what begins here: a string, a regular expression, a comment, or one character. `before` is the last one that was no space. */
function skipToken (body: string, at: number, before: string): number {
  const char = body[at]!
  if (char === '"' || char === '\'' || char === '`') return skipString(body, at)
  if (char !== '/') return at + 1
  if (body[at + 1] === '/' || body[at + 1] === '*') return skipSpace(body, at)
  const isDivision = isIdentifier(before) || before === ')' || before === ']' || before === '}'
  return isDivision ? at + 1 : skipRegExp(body, at)
}

/** The end of an expression or member: the next separator or closing bracket outside of all that opens within. */
export function skipValue (body: string, at: number): number {
  let depth = 0
  let before = ','
  while (at < body.length) {
    const char = body[at]!
    if (depth === 0 && ',;}])'.includes(char)) return at
    if ('{[('.includes(char)) depth++
    if ('}])'.includes(char)) depth--
    at = skipToken(body, at, before)
    if (char !== ' ' && char !== '\n') before = char
  }
  return at
}

/** What goes on with a statement at the start of a line. */
const CONTINUATIONS = ['else', 'while', 'catch', 'finally']

/** Offsets where a statement of the top level begins: esbuild writes each at the start of a line. */
export function topLevelStatements (body: string): number[] {
  const starts: number[] = []
  let depth = 0
  let before = ';'
  for (let at = 0; at < body.length;) {
    const char = body[at]!
    const isStart = depth === 0 && (at === 0 || body[at - 1] === '\n') && !' \n/}])'.includes(char)
    if (isStart && !CONTINUATIONS.some(word => body.startsWith(word, at))) starts.push(at)
    if ('{[('.includes(char)) depth++
    if ('}])'.includes(char)) depth--
    at = skipToken(body, at, before)
    if (char !== ' ' && char !== '\n') before = char
  }
  return starts
}

export function skipString (body: string, at: number): number {
  const quote = body[at]
  for (at++; at < body.length && body[at] !== quote; at++) {
    if (body[at] === '\\') at++
    else if (quote === '`' && body.startsWith('${', at)) {
      at += 2
      while (at < body.length && body[at] !== '}') at = body[at] === ',' || body[at] === ';' ? at + 1 : skipValue(body, at)
    }
  }
  return at + 1
}

function skipRegExp (body: string, at: number): number {
  let inClass = false
  for (at++; at < body.length && (inClass || body[at] !== '/'); at++) {
    if (body[at] === '\\') at++
    else if (body[at] === '[') inClass = true
    else if (body[at] === ']') inClass = false
  }
  return at + 1
}

/** Behind white space and comments. */
export function skipSpace (body: string, at: number): number {
  for (;;) {
    if (body[at] === ' ' || body[at] === '\n') at++
    else if (body.startsWith('//', at)) at = endOf(body, '\n', at)
    else if (body.startsWith('/*', at)) at = endOf(body, '*/', at)
    else return at
  }
}

function endOf (body: string, mark: string, at: number): number {
  const end = body.indexOf(mark, at)
  return end === -1 ? body.length : end + mark.length
}

export function isIdentifier (char: string | undefined): boolean {
  return char !== undefined && (/[\w$]/.test(char) || char > '\x7f')
}

/**
 * What cards write in curly braces: names, chance, time. Innermost first, so that they nest; what is
 * filled in is not read again. Names that nobody knows stay as they are, as the specification has it.
 */
export interface MacroScope {
  char: string
  user: string
  /** `{{original}}`: what a card's own text replaces. */
  original?: string
  /** The same chance for the same place in the same session: `{{pick:…}}`. */
  seed: string
  now: Date
  language: string | null
  /** Further names, such as `scenario`. */
  values?: Readonly<Record<string, string>>
}

/** Marks braces that came in with a value, so that they are not read as ours. */
const OPEN = '\u0001'
const MACRO = /\{\{([^{}]*)\}\}/g
const TAG = /<(bot|char|user)>/gi
/** How deep macros may nest. */
const DEPTH = 5
/** Characters that a text may grow to. */
const MAX_LENGTH = 1_000_000

export function expand (text: string, scope: MacroScope): string {
  if (text.includes('<')) text = text.replace(TAG, (tag, who: string) => who.toLowerCase() === 'user' ? scope.user : scope.char)
  if (!text.includes('{{')) return text
  let count = 0
  for (let pass = 0; pass < DEPTH && text.length < MAX_LENGTH; pass++) {
    let changed = false
    text = text.replace(MACRO, (whole, body: string) => {
      const value = evaluate(body, scope, count++)
      if (value === undefined) return hide(whole)
      changed = true
      return hide(value)
    })
    if (!changed) break
  }
  return text.includes(OPEN) ? text.replaceAll(OPEN, '{') : text
}

function hide (text: string): string {
  return text.includes('{{') ? text.replaceAll('{', OPEN) : text
}

function evaluate (body: string, scope: MacroScope, count: number): string | undefined {
  const trimmed = body.trimStart()
  if (trimmed.startsWith('//')) return ''
  const [, name = '', separator = '', argument = ''] = /^\s*([a-z_]+)\s*(::|:|\s|$)(.*)$/is.exec(body) ?? []
  switch (name.toLowerCase()) {
    case 'char': case 'group': case 'charifnotgroup': return separator === '' ? scope.char : undefined
    case 'user': return separator === '' ? scope.user : undefined
    case 'original': return scope.original
    case 'random': return choose(options(argument, separator), Math.random())
    case 'pick': return choose(options(argument, separator), hash(`${scope.seed}\n${count}\n${argument}`) / 2 ** 32)
    case 'roll': return roll(argument)
    case 'reverse': return [...argument].reverse().join('')
    // Of the user nothing but the name is known
    case 'comment': case 'hidden_key': case 'noop': case 'trim': case 'persona': return ''
    case 'newline': return '\n'
    case 'time': return scope.now.toLocaleTimeString(scope.language ?? 'en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    case 'date': return scope.now.toLocaleDateString(scope.language ?? 'en', { year: 'numeric', month: 'long', day: 'numeric' })
    case 'weekday': return scope.now.toLocaleDateString(scope.language ?? 'en', { weekday: 'long' })
    case 'isotime': return scope.now.toTimeString().slice(0, 5)
    case 'isodate': return `${scope.now.getFullYear()}-${String(scope.now.getMonth() + 1).padStart(2, '0')}-${String(scope.now.getDate()).padStart(2, '0')}`
  }
  const { values } = scope
  return values !== undefined && separator === '' && Object.hasOwn(values, name.toLowerCase()) ? values[name.toLowerCase()] : undefined
}

/** `A,B\,C` as the specification has it; `A::B` as others write it. */
function options (argument: string, separator: string): string[] {
  if (separator === '::' && argument.includes('::')) return argument.split('::').map(one => one.trim())
  return argument.replace(/^:/, '').split(/(?<!\\),/).map(one => one.replaceAll('\\,', ',').trim())
}

function choose (list: readonly string[], chance: number): string {
  return list[Math.floor(chance * list.length)] ?? ''
}

/** `6`, `d6`, `2d6`. */
function roll (argument: string): string | undefined {
  const [, dice, sides] = /^\s*(?:(\d{0,3})d)?(\d{1,9})\s*$/i.exec(argument) ?? []
  if (sides === undefined || Number(sides) < 1) return undefined
  let sum = 0
  for (let count = 0; count < Math.max(1, Number(dice || 1)); count++) sum += 1 + Math.floor(Math.random() * Number(sides))
  return String(sum)
}

/** FNV-1a, 32 bits. */
export function hash (text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}

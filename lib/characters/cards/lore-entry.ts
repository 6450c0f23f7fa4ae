/** An entry of a card's lorebook. */
import { readDecorators, type Decorations, type Position } from './decorators.js'
import type { Fields } from './fields.js'
import type { KeyKind, KeyTable } from './key-table.js'
import { cardLimits, CardProblem } from './problem.js'
import { isTavernPattern, readTavernEntry } from './silly-tavern.js'

const MAX_DEPTH = 200

export interface LoreEntry {
  readonly text: string
  readonly order: number
  readonly priority: number
  readonly constant: boolean
  readonly position: Position
  readonly decorations: Decorations
  readonly scanDepth: number
  /** One of these must be in the conversation unless it is constant, one of each list of `needs`, none of `exclude`, and not all of `notAll`. */
  readonly keys: readonly number[]
  readonly needs: readonly (readonly number[])[]
  readonly exclude: readonly number[]
  readonly notAll: readonly number[]
}

/** Undefined if it says nothing, or is switched off. Its keys go into the table. */
export function readLoreEntry (fields: Fields, bookDepth: number, keyTable: KeyTable): LoreEntry | undefined {
  const content = fields.text('content')
  const enabled = fields.flag('enabled') ?? true
  const keys = readKeys(fields, 'keys')
  const secondary = readKeys(fields, 'secondary_keys')
  const { text, decorations } = readDecorators(content)
  const extensions = fields.object('extensions') ?? {}
  const tavern = readTavernEntry(extensions)
  const usesRegex = fields.flag('use_regex') ?? false
  // SillyTavern sets it for all that it exports, and means its own rule for keys.
  const isRegex = usesRegex && tavern === undefined
  const order = fields.number('insertion_order') ?? 100
  const priority = fields.number('priority') ?? order
  const selective = fields.flag('selective') ?? false
  const constant = !isRegex && (fields.flag('constant') ?? false)
  const exact = fields.flag('case_sensitive') ?? tavern?.caseSensitive ?? false
  const given = fields.text('position')
  const whole = extensions['match_whole_words'] === true
  if (!enabled || text.trim() === '') return undefined

  const plain: KeyKind = exact ? 'exact' : 'folded'
  const add = (keys: readonly string[]): number[] => {
    if (!isRegex && tavern === undefined) return keyTable.add(keys, plain, whole)
    const patterns = isRegex ? keys : keys.filter(isTavernPattern)
    const words = isRegex ? [] : keys.filter(key => !isTavernPattern(key))
    return [...keyTable.add(words, plain, whole), ...keyTable.add(patterns, 'pattern', whole)]
  }
  const needs = (decorations.additional ?? []).map(add)
  const exclude = isRegex ? [] : add(decorations.exclude ?? [])
  const notAll: number[] = []
  // Neither patterns nor what is constant has secondary keys, by the specification of V3.
  if (selective && secondary.length > 0 && !isRegex && !constant) {
    const ids = add(secondary)
    switch (tavern?.secondary) {
      case 'all': needs.push(...ids.map(id => [id])); break
      case 'none': exclude.push(...ids); break
      case 'not all': notAll.push(...ids); break
      default: needs.push(ids)
    }
  }
  const scanDepth = Math.min(decorations.scanDepth ?? tavern?.scanDepth ?? bookDepth, MAX_DEPTH)
  keyTable.deepest = Math.max(keyTable.deepest, scanDepth)
  if (decorations.position === undefined && tavern?.depth !== undefined) {
    decorations.depth ??= tavern.depth
    if (tavern.role !== undefined) decorations.role ??= tavern.role
  }
  return {
    text,
    order,
    priority,
    constant,
    position: decorations.position ?? (given === 'before_char' ? 'before_char' : 'after_char'),
    decorations,
    scanDepth,
    keys: add(keys),
    needs,
    exclude,
    notAll
  }
}

/** Keys are a list; some editors write them as text with commas. */
function readKeys (fields: Fields, name: string): string[] {
  const keys: string[] = []
  for (const given of fields.isText(name) ? fields.text(name).split(',') : fields.texts(name)) {
    const key = given.trim()
    if (key !== '') keys.push(key)
  }
  if (keys.length > cardLimits.keys) throw new CardProblem(`${fields.name([name])}: ${keys.length} keys, and may have ${cardLimits.keys}.`)
  return keys
}

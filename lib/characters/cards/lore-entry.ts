/** An entry of a card's lorebook. */
import { readDecorators, type Decorations, type Position } from './decorators.js'
import type { Fields } from './fields.js'
import type { KeyKind, KeyTable } from './key-table.js'
import { cardLimits, CardProblem } from './problem.js'

const MAX_DEPTH = 200

export interface LoreEntry {
  readonly text: string
  readonly order: number
  readonly priority: number
  readonly constant: boolean
  readonly position: Position
  readonly decorations: Decorations
  readonly scanDepth: number
  /** One of these must be in the conversation unless it is constant, one of each list of `needs`, and none of `exclude`. */
  readonly keys: readonly number[]
  readonly needs: readonly (readonly number[])[]
  readonly exclude: readonly number[]
}

/** Undefined if it says nothing, or is switched off. Its keys go into the table. */
export function readLoreEntry (fields: Fields, bookDepth: number, keyTable: KeyTable): LoreEntry | undefined {
  const content = fields.text('content')
  const enabled = fields.flag('enabled') ?? true
  const keys = readKeys(fields, 'keys')
  const secondary = readKeys(fields, 'secondary_keys')
  const { text, decorations } = readDecorators(content)
  const isRegex = fields.flag('use_regex') ?? false
  const order = fields.number('insertion_order') ?? 100
  const priority = fields.number('priority') ?? order
  const selective = fields.flag('selective') ?? false
  const constant = !isRegex && (fields.flag('constant') ?? false)
  const exact = fields.flag('case_sensitive') ?? false
  const given = fields.text('position')
  const whole = (fields.object('extensions') ?? {})['match_whole_words'] === true
  if (!enabled || text.trim() === '') return undefined

  const plain: KeyKind = exact ? 'exact' : 'folded'
  const kind: KeyKind = isRegex ? 'pattern' : plain
  const needs: number[][] = []
  // Neither patterns nor what is constant has secondary keys, by the specification of V3.
  if (selective && secondary.length > 0 && !isRegex && !constant) needs.push(keyTable.add(secondary, plain, whole))
  for (const keys of decorations.additional ?? []) needs.push(keyTable.add(keys, kind, whole))
  const scanDepth = Math.min(decorations.scanDepth ?? bookDepth, MAX_DEPTH)
  keyTable.deepest = Math.max(keyTable.deepest, scanDepth)
  return {
    text,
    order,
    priority,
    constant,
    position: decorations.position ?? (given === 'before_char' ? 'before_char' : 'after_char'),
    decorations,
    scanDepth,
    keys: keyTable.add(keys, kind, whole),
    needs,
    exclude: isRegex ? [] : keyTable.add(decorations.exclude ?? [], plain, whole)
  }
}

/** Keys are a list; some editors write them as text with commas. */
function readKeys (fields: Fields, name: string): string[] {
  const given = fields.isText(name) ? fields.text(name).split(',') : fields.texts(name)
  const keys = given.map(key => key.trim()).filter(key => key !== '')
  if (keys.length > cardLimits.keys) throw new CardProblem(`${fields.name([name])}: ${keys.length} keys, and may have ${cardLimits.keys}.`)
  return keys
}

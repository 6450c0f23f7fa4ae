/**
 * What SillyTavern, where most cards are from, says in `extensions` because the specification has no field for it. It is
 * read as SillyTavern reads it itself; what has another type is not there.
 */
import type { Note } from '../loaded-character.js'
import type { Json } from './fields.js'

type Role = Note['role']

const ROLES: readonly Role[] = ['system', 'user', 'assistant']
const SECONDARY = ['any', 'not all', 'none', 'all'] as const
/** Its number for entries that stand in the conversation. */
const AT_DEPTH = 4
const DEPTH = 4

/** Of a lorebook's entry. */
export interface TavernEntry {
  readonly caseSensitive: boolean | undefined
  readonly scanDepth: number | undefined
  /** How many of the secondary keys must be there. */
  readonly secondary: typeof SECONDARY[number]
  /** Where in the conversation it stands, if it does. */
  readonly depth: number | undefined
  readonly role: Role | undefined
}

/** Undefined if another application wrote the entry. */
export function readTavernEntry (extensions: Json): TavernEntry | undefined {
  const { selectiveLogic: logic, display_index: index, position, depth, role, scan_depth: scanDepth, case_sensitive: exact } = extensions
  if (typeof logic !== 'number' && typeof index !== 'number') return undefined
  const isDeep = position === AT_DEPTH
  return {
    caseSensitive: typeof exact === 'boolean' ? exact : undefined,
    scanDepth: typeof scanDepth === 'number' ? scanDepth : undefined,
    secondary: SECONDARY[logic as number] ?? 'any',
    depth: isDeep ? toDepth(depth) : undefined,
    role: isDeep ? ROLES[role as number] : undefined
  }
}

/** Its keys are words, whatever `use_regex` says, unless they are written as patterns. */
export function isTavernPattern (key: string): boolean {
  return /^\/.+\/[a-z]*$/s.test(key)
}

/** Its note on the character (`depth_prompt`), which stands in the conversation. */
export function readCharacterNote (extensions: Json): Note[] {
  const { prompt, depth, role } = (extensions['depth_prompt'] ?? {}) as { prompt?: unknown, depth?: unknown, role?: unknown }
  if (typeof prompt !== 'string' || prompt.trim() === '') return []
  return [{ depth: toDepth(depth), role: ROLES.find(one => one === role) ?? 'system', text: prompt }]
}

function toDepth (depth: unknown): number {
  return typeof depth === 'number' && depth >= 0 ? Math.floor(depth) : DEPTH
}

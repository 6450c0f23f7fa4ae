/** The lines `@@name value` at the head of a V3 lorebook entry, as far as a voice server can honour them. */

export interface Decorations {
  /** Messages of the character that must be there. */
  after?: number
  every?: number
  keep?: true
  once?: true
  /** Messages from the end of the conversation. */
  depth?: number
  role?: 'assistant' | 'system' | 'user'
  scanDepth?: number
  greeting?: number
  position?: Position
  additional?: string[][]
  exclude?: string[]
  never?: true
  always?: true
  disables?: ('post_history_instructions' | 'system_prompt')[]
}

export type Position = 'before_char' | 'after_char' | 'before_desc' | 'after_desc' | 'personality' | 'scenario'

/** Fallbacks that a decorator may have. */
const MAX_LINES = 200

/** The content without its decorators. What is not known, or has a wrong value, is ignored, and its fallback taken. */
export function readDecorators (content: string): { text: string, decorations: Decorations } {
  if (!content.trimStart().startsWith('@@')) return { text: content, decorations: {} }
  const decorations: Decorations = {}
  const lines = content.split('\n')
  let fallback = false
  let at = 0
  for (; at < lines.length && at < MAX_LINES; at++) {
    const line = lines[at]!.trim()
    if (line === '') continue
    const [, signs = '', name = '', value = ''] = /^(@@@?)([a-z_]+)\s*(.*)$/i.exec(line) ?? []
    if (signs === '') break
    if (signs === '@@@' && !fallback) continue
    fallback = !decorate(decorations, name.toLowerCase(), value.trim())
  }
  return { text: lines.slice(at).join('\n').replace(/^\n+/, ''), decorations }
}

/** Whether it is one that is honoured. The first of a name counts. */
function decorate (decorations: Decorations, name: string, value: string): boolean {
  const number = /^-?\d{1,6}$/.test(value) ? Number(value) : undefined
  const set = <K extends keyof Decorations>(key: K, content: Decorations[K] | undefined): boolean => {
    if (content === undefined) return false
    decorations[key] ??= content
    return true
  }
  switch (name) {
    case 'activate_only_after': return set('after', number)
    case 'activate_only_every': return set('every', number === undefined || number < 1 ? undefined : number)
    case 'keep_activate_after_match': return set('keep', true)
    case 'dont_activate_after_match': return set('once', true)
    case 'depth': return set('depth', number)
    case 'role': return set('role', value === 'assistant' || value === 'system' || value === 'user' ? value : undefined)
    case 'scan_depth': return set('scanDepth', number)
    case 'is_greeting': return set('greeting', number)
    case 'position': return set('position', value === 'before_desc' || value === 'after_desc' || value === 'personality' || value === 'scenario' ? value : undefined)
    case 'exclude_keys': return set('exclude', split(value))
    case 'dont_activate': return set('never', true)
    case 'activate': return set('always', true)
    case 'additional_keys': {
      const keys = split(value)
      if (keys === undefined) return false
      decorations.additional = [...decorations.additional ?? [], keys]
      return true
    }
    case 'disable_ui_prompt':
      if (value !== 'post_history_instructions' && value !== 'system_prompt') return false
      decorations.disables = [...decorations.disables ?? [], value]
      return true
  }
  return false
}

function split (value: string): string[] | undefined {
  const keys = value.split(',').map(key => key.trim()).filter(key => key !== '')
  return keys.length === 0 ? undefined : keys
}

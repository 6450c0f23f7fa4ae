import { signal } from '@preact/signals'
import type { FileError, ListedCharacter, Reloaded } from '../../../lib/client/index.js'

export interface Face {
  name: string
  description: string | null
  comment: string | null
  /** Where its picture is, for one that has one. */
  picture: string | null
}

interface Voice { name: string, description: string | null, metadata: { comment?: string | null }, picture?: string }

/** Who can be picked. */
export const faces = signal<readonly Face[]>([])
/** What the cast is called. */
export const directory = signal('default')
/** Who is selected, or will be. */
export const selected = signal<string | null>(null)
/** What the last reload came to. */
export const lastReload = signal<{ state: 'running' } | { state: 'done', report: Reloaded } | { state: 'failed', message: string, errors: readonly FileError[] } | null>(null)

const described = new Map<string, Face>()

/** The default cast, before anything is connected. */
export async function loadFaces (base: string): Promise<void> {
  const response = await fetch(new URL('v1/voices', base))
  if (!response.ok) throw new Error(`The characters cannot be listed: HTTP ${response.status}.`)
  for (const { name, description, metadata, picture } of await response.json() as Voice[]) {
    // Whatever prefix the server believes in: the page knows where it was found.
    const at = picture === undefined ? null : new URL(`v1/voices/${encodeURIComponent(name)}/picture`, base).href
    described.set(name, { name, description, comment: metadata.comment ?? null, picture: at })
  }
  if (faces.value.length > 0) return
  faces.value = [...described.values()]
  selected.value ??= faces.value[0]?.name ?? null
}

/** A server that was started again may have another cast, and no place of the old one's name: its own is taken, and whoever is still there. */
export async function startOver (base: string): Promise<void> {
  const before = selected.value
  described.clear()
  faces.value = []
  directory.value = 'default'
  selected.value = null
  await loadFaces(base)
  if (faces.value.some(({ name }) => name === before)) selected.value = before
}

/** The cast as the session has it; those that are hidden stay so, unless one of them speaks. */
export function showCast (from: string, listed: readonly ListedCharacter[]): void {
  directory.value = from
  faces.value = listed.filter(({ name, good }) => good !== false || name === selected.value).map(({ name, comment }) => {
    const { description = null, picture = null } = from === 'default' ? described.get(name) ?? {} : {}
    return { name, comment, description, picture }
  })
}

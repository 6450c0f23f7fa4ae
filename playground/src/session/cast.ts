import { signal } from '@preact/signals'
import type { FileError, ListedCharacter, Reloaded } from '../../../lib/client/index.js'
import { apiKey } from './settings.js'
import { base } from './state.js'

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

/** What is known of the faces of one cast, beyond what the session tells. */
let described: { from: string, faces: ReadonlyMap<string, Face> } = { from: 'default', faces: new Map() }
let shows = 0

/** The default cast, before anything is connected. */
export async function loadFaces (): Promise<void> {
  described = { from: 'default', faces: await readFaces(null) }
  if (faces.value.length > 0) return
  faces.value = [...described.faces.values()]
  selected.value ??= faces.value[0]?.name ?? null
}

/** A server that was started again may have another cast, and no place of the old one's name: its own is taken, and whoever is still there. */
export async function startOver (): Promise<void> {
  const before = selected.value
  faces.value = []
  directory.value = 'default'
  selected.value = null
  await loadFaces()
  if (faces.value.some(({ name }) => name === before)) selected.value = before
}

/** The cast as the session has it; those that are hidden stay so, unless one of them speaks. Voices and pictures follow. */
export function showCast (from: string, listed: readonly ListedCharacter[]): void {
  const show = ++shows
  const shown = listed.filter(({ name, good }) => good !== false || name === selected.value)
  const draw = (): void => {
    const known = described.from === from ? described.faces : new Map<string, Face>()
    faces.value = shown.map(({ name, comment }) => {
      const { description = null, picture = null } = known.get(name) ?? {}
      return { name, comment, description, picture }
    })
  }
  directory.value = from
  draw()
  readFaces(from).then(read => {
    if (show !== shows) return
    const { faces: before } = described
    described = { from, faces: read }
    draw()
    for (const { picture } of before.values()) if (picture?.startsWith('blob:')) URL.revokeObjectURL(picture)
  }, () => {})
}

/** @param from what a session calls the cast; null: the default one, which needs no key */
async function readFaces (from: string | null): Promise<Map<string, Face>> {
  const response = await ask('v1/voices', from)
  if (!response.ok) throw new Error(`The characters cannot be listed: HTTP ${response.status}.`)
  const voices = await response.json() as Voice[]
  return new Map(await Promise.all(voices.map(async ({ name, description, metadata, picture }): Promise<[string, Face]> =>
    [name, { name, description, comment: metadata.comment ?? null, picture: picture === undefined ? null : await findPicture(name, from) }])))
}

/** Where the page finds a picture. Whatever prefix the server believes in: the page knows where it was found. */
async function findPicture (name: string, from: string | null): Promise<string | null> {
  const path = `v1/voices/${encodeURIComponent(name)}/picture`
  if (from === null || apiKey.value === '') return address(path, from).href
  // An image shows no key.
  const response = await ask(path, from)
  return response.ok ? URL.createObjectURL(await response.blob()) : null
}

function ask (path: string, from: string | null): Promise<Response> {
  return fetch(address(path, from), { headers: from === null || apiKey.value === '' ? {} : { authorization: `Bearer ${apiKey.value}` } })
}

function address (path: string, from: string | null): URL {
  const url = new URL(path, base)
  if (from !== null) url.searchParams.set('characters', from)
  return url
}

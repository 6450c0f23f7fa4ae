/** Casts on disk, and libraries that load them. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createCharacterLibrary, type CharacterEvent, type CharacterLibrary, type CharacterLibraryOptions } from '../../lib/characters/library.js'
import type { CharacterRegistry } from '../../lib/characters/registry.js'
import type { SessionFacts } from '../../lib/characters/character.js'

interface Test { teardown (handler: () => unknown): unknown }
export type Files = Record<string, string>

/** A signal that does not abort. */
export const never: EventTarget & globalThis.AbortSignal = new AbortController().signal

export function facts (id = 'session'): SessionFacts {
  return { id, startedAt: new Date(0), language: null }
}

/** A directory of these files, removed after the test. */
export function writeCast (t: Test, files: Files): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'dramatis-test-')))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  change(directory, files)
  return directory
}

export function change (directory: string, files: Files): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
}

export interface Shape {
  /** Statements before the character. */
  before?: string
  /** Expression that the prompt returns. */
  prompt?: string
  /** Body of the prompt instead. */
  body?: string
  /** Further fields. */
  more?: string
}

/** Source of a character. Its first line is `before`, if that has one line. */
export function character (name: string, { before = '', prompt = '\'prompt\'', body = `return ${prompt}`, more = '' }: Shape = {}): string {
  return `${before}
export default {
  name: '${name}',
  voice: { source: 'file', path: 'voices/${name}' },
  instructions: { prompt: 'I am ${name}.' },
  async systemPrompt (context: any) { ${body} },
  ${more}
}
`
}

export interface Opened {
  library: CharacterLibrary
  directory: string
  events: CharacterEvent[]
  logs: { fields: Record<string, unknown>, message: string }[]
}

export function createLibrary (t: Test, files: Files | string, options: Partial<CharacterLibraryOptions> = {}): Opened {
  const directory = typeof files === 'string' ? files : writeCast(t, files)
  const events: CharacterEvent[] = []
  const logs: Opened['logs'] = []
  const write = (fields: object, message: string) => { logs.push({ fields: fields as Record<string, unknown>, message }) }
  const library = createCharacterLibrary({
    directory,
    observe: event => { events.push(event) },
    log: { info: write, warn: write, error: write },
    ...options
  })
  t.teardown(() => library.close())
  return { library, directory, events, logs }
}

/** Opens a session with a cast of these files. */
export async function open (t: Test, files: Files, options: Partial<CharacterLibraryOptions> = {}): Promise<Opened & { registry: CharacterRegistry }> {
  const opened = createLibrary(t, files, options)
  return { ...opened, registry: await opened.library.open(facts()) }
}

/** What the first character, or the one of this name, says its prompt is. */
export async function prompt (registry: CharacterRegistry, name?: string): Promise<string> {
  const character = name === undefined ? registry.first() : registry.find(name)
  if (character === undefined) throw new Error(`no character: ${JSON.stringify(registry.report.errors)}`)
  return await character.systemPrompt(new AbortController().signal)
}

import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { Type, type Static } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { OptionsError } from '../options.js'
import { digest } from './api-keys.js'
import type { KeyEntry } from './keyring.js'

/** How often the file is looked at. Polled, as the files that containers mount tell nobody of their changes. Milliseconds. */
const LOOK_MS = 1000

const FileKey = Type.Object({
  key: Type.Optional(Type.String({ minLength: 8, maxLength: 512, pattern: '^\\S+$', description: 'The key itself.' })),
  sha256: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{64}$', description: 'Or its SHA-256, in hexadecimal.' })),
  sessions: Type.Optional(Type.Integer({ minimum: 1, description: 'Sessions at a time.' })),
  connectionsPerMinute: Type.Optional(Type.Integer({ minimum: 1, description: 'Connections, and ephemeral keys made, a minute.' })),
  eventsPerSecond: Type.Optional(Type.Integer({ minimum: 1, description: 'Client events read a second, of each session.' })),
  reloadsPerMinute: Type.Optional(Type.Integer({ minimum: 1, description: 'Reloads a minute, of all its sessions together.' })),
  characters: Type.Optional(Type.Integer({ minimum: 1, description: 'Characters that each of its sessions may have.' })),
  castBytes: Type.Optional(Type.Integer({ minimum: 1, description: 'Bytes of the cast of each of its sessions.' })),
  castSeconds: Type.Optional(Type.Number({ minimum: 0.01, maximum: 3600, description: 'How long loading a cast may take.' })),
  inlineCharacters: Type.Optional(Type.Integer({ minimum: 1, description: 'Characters that a client may bring in one event.' })),
  inlineBytes: Type.Optional(Type.Integer({ minimum: 1, description: 'Bytes of characters that a client brings in one event.' })),
  roots: Type.Optional(Type.Array(Type.String(), { description: 'Roots that its sessions may load characters from, beside `default`.' }))
}, { additionalProperties: false })

export const KeysFileSchema = Type.Object({
  keys: Type.Record(Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }), FileKey, { additionalProperties: false })
}, { additionalProperties: false })

/**
 * Reads a file of keys. Throws an {@link OptionsError} with one line that quotes no key.
 *
 * @param roots names of the roots there are
 */
export function readKeysFile (path: string, roots: readonly string[]): KeyEntry[] {
  const wrong = (fault: string): OptionsError => new OptionsError(`The keys file ${path} is wrong: ${fault}.`)
  let file: unknown
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // What JSON.parse says may quote the text around the fault, which may be a key.
    throw error instanceof SyntaxError ? wrong('it is not JSON') : new OptionsError(`The keys file ${path} cannot be read: ${(error as Error).message}.`)
  }
  const fault = Value.Errors(KeysFileSchema, file).First()
  if (fault !== undefined) throw wrong(`${fault.path.slice(1).replaceAll('/', '.') || 'it'}: ${fault.message.toLowerCase()}`)

  const entries = Object.entries((file as Static<typeof KeysFileSchema>).keys).map(([name, { key, sha256, ...limits }]): KeyEntry => {
    if ((key === undefined) === (sha256 === undefined)) throw wrong(`keys.${name} must have either key or sha256`)
    const unknown = limits.roots?.find(root => root !== 'default' && !roots.includes(root))
    if (unknown !== undefined) throw wrong(`keys.${name}.roots: there is no root '${unknown}'`)
    return { name, limits, digest: key === undefined ? Buffer.from(sha256!, 'hex') : digest(key) }
  })
  const names = new Map<string, string>()
  for (const { name, digest } of entries) {
    const other = names.get(digest.toString('hex'))
    if (other !== undefined) throw wrong(`keys.${name} is the same key as keys.${other}`)
    names.set(digest.toString('hex'), name)
  }
  return entries
}

/** Calls back when a file may have changed; returns the end of it. */
export function watchKeysFile (path: string, onChange: () => void): () => void {
  watchFile(path, { interval: LOOK_MS, persistent: false }, onChange)
  return () => unwatchFile(path, onChange)
}

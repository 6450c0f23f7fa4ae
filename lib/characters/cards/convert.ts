/** Characters from one kind of file to another. */
import { closeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, extname } from 'node:path'
import { createCharacterLibrary } from '../library.js'
import { ModuleCharacter } from '../module-character.js'
import { openInside } from '../source.js'
import type { Card, CardFormat } from './card.js'
import { readFromCharx } from './charx.js'
import { CardFiles, isCardFile, readCard } from './files.js'
import { fieldsOf, type Lost } from './from-module.js'
import { parseObject } from './json.js'
import { writeCardModule } from './module-source.js'
import { plainPicture } from './plain-picture.js'
import { writePngCard } from './png.js'
import { cardLimits, CardProblem } from './problem.js'
import { asObject, toBackfill, toSpec, wrap, type Spec } from './specs.js'
import type { Json } from './fields.js'

const MODULES = ['.ts', '.mts', '.js', '.mjs']
/** What a character can become. */
export const OUTPUTS: readonly string[] = [...MODULES, '.json', '.png']

export interface Conversion {
  /** Real path. */
  file: string
  /** Up to where a module may import. */
  root: string
  /** Name of the file that it becomes. */
  to: string
  /** Default: that of the card, else `v3`. */
  spec?: Spec | undefined
  /** A PNG to put the card into. */
  picture?: string | undefined
}

export interface Converted {
  bytes: Buffer
  name: string
  from: CardFormat | 'module'
  /** Null for a module, which has the card as it was unless a version is asked for. */
  spec: Spec | null
  lost: Lost[]
}

interface Source { card: Card, from: Converted['from'], lost: Lost[], picture: Buffer | undefined }

/** Rejects with a {@link CardProblem}, or a `RealtimeError`, for people. */
export async function convert ({ file, root, to, spec, picture }: Conversion): Promise<Converted> {
  const target = extname(to)
  const isModule = MODULES.includes(target)
  const source = MODULES.includes(extname(file)) ? await readModule(file, root) : await readCardFile(file)
  const { card, from, lost } = source
  const wanted = spec ?? (card.format === 'v2' ? 'v2' : 'v3')
  const json = isModule && spec === undefined ? card.data : toSpec(card, wanted)
  if (isModule && source.picture !== undefined) lost.push({ field: 'picture', reason: `put it beside the module as ${basename(to, target)}.png, and it is shown as its portrait` })
  if (target === '.json' && source.picture !== undefined) lost.push({ field: 'picture', reason: 'a JSON file has none' })
  // Whatever was written can be read, or nothing is.
  const { name } = readCard(parseObject(JSON.stringify(json)), to)
  const bytes = isModule
    ? Buffer.from(writeCardModule(json, basename(file)))
    : target === '.json'
      ? Buffer.from(`${JSON.stringify(json, null, 2)}\n`)
      : writePngCard(picture === undefined ? source.picture ?? plainPicture(name) : await readFile(picture), wanted === 'v2' ? { chara: JSON.stringify(json) } : { chara: JSON.stringify(toBackfill({ ...card, format: 'v3', data: json })), ccv3: JSON.stringify(json) })
  return { bytes, name, from, spec: isModule && spec === undefined ? null : wanted, lost }
}

async function readCardFile (file: string): Promise<Source> {
  if (!isCardFile(basename(file))) throw new CardProblem('The file is neither a character module (.ts, .mts, .js, .mjs) nor a card (.json, .png, .charx).')
  const read = await new CardFiles(1).read(file, dirname(file))
  if (read?.fault !== undefined) throw new CardProblem(`${read.fault.place.line === null ? '' : `line ${read.fault.place.line}: `}${read.fault.message}`)
  const card = read!.card!
  const picture = await readPng(card, file)
  const lost: Lost[] = []
  if (extname(file) === '.charx') lost.push({ field: 'archive', reason: `only ${picture === undefined ? 'its card.json is' : 'its card.json and main icon are'} taken` })
  return { card, from: card.format, lost, picture }
}

/** The card's picture, if it is a PNG. */
async function readPng ({ picture }: Card, file: string): Promise<Buffer | undefined> {
  const bytes = picture?.kind === 'data' ? Buffer.from(picture.base64, 'base64') : picture?.kind === 'file' ? await readFile(file) : picture?.kind === 'member' ? await readMember(file, picture.path) : undefined
  return bytes?.toString('latin1', 1, 4) === 'PNG' ? bytes : undefined
}

async function readMember (file: string, path: string): Promise<Buffer | undefined> {
  const { descriptor } = openInside(file, dirname(file))!
  try {
    return await readFromCharx(descriptor, path, cardLimits.pictureBytes)
  } finally {
    closeSync(descriptor)
  }
}

/** A module is loaded as a session would, with the cast that it lies in. */
async function readModule (file: string, root: string): Promise<Source> {
  const library = createCharacterLibrary({ directory: root })
  const name = basename(file)
  try {
    const registry = await library.open({ id: 'convert', startedAt: new Date(), language: null }, dirname(file), { file: name })
    try {
      const fault = registry.report.errors.find(error => error.file === name)
      if (fault !== undefined) throw new CardProblem(`${fault.line === null ? '' : `line ${fault.line}: `}${fault.message}`)
      const character = registry.names().map(one => registry.find(one)).find(one => one?.file === file)
      if (!(character instanceof ModuleCharacter)) throw new CardProblem('The file is no character of its directory.')
      const { given } = character
      const prompt = given.systemPrompt === undefined ? undefined : await character.ownPrompt(AbortSignal.timeout(10_000))
      const own = given.card === undefined ? undefined : readCard(parseObject(JSON.stringify(given.card)), name)
      const spec: Spec = own?.format === 'v2' ? 'v2' : 'v3'
      const changed = Object.keys(given).some(key => key !== 'card')
      if (own !== undefined && !changed) return { card: own, from: 'module', lost: [], picture: undefined }
      const base: Json = own === undefined ? {} : toSpec(own, spec)
      const { data, lost } = fieldsOf(given, asObject(base['data']), prompt)
      const json = own === undefined ? wrap(data, spec) : { ...base, data }
      return { card: readCard(parseObject(JSON.stringify(json)), name), from: 'module', lost, picture: undefined }
    } finally {
      await registry.purge()
    }
  } finally {
    await library.close()
  }
}

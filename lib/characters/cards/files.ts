/** Cards in files: which files are, and what is in them. Read once for each change. */
import { closeSync, readSync } from 'node:fs'
import { extname } from 'node:path'
import { createHash } from 'node:crypto'
import { Fault } from '../fault.js'
import { Lru } from '../lru.js'
import { isUnchanged, openInside, type Stamp } from '../source.js'
import type { Card } from './card.js'
import { CARD_FILE, readFromCharx } from './charx.js'
import { isElizaCharacter, readElizaCharacter } from './eliza.js'
import type { Json } from './fields.js'
import { decodeText, findField, parseObject, placeOf } from './json.js'
import { NoCard, readPngCard } from './png.js'
import { cardLimits, CardProblem } from './problem.js'
import { isTavernCard, readTavernCard } from './tavern.js'

/** A file that may be a card, as it was read. */
export interface CardFile {
  /** Real path. */
  readonly file: string
  readonly stamp: Stamp
  /** Of the card's JSON, or of what is wrong. */
  readonly hash: string
  /** Of the card's JSON. */
  readonly bytes: number
  readonly card: Card | undefined
  readonly fault: Fault | undefined
  /** A picture without a card in it: it may be somebody's portrait. */
  readonly isPicture: boolean
}

/** Files of tools, which nobody means as characters. */
const OTHERS = /^(package|package-lock|npm-shrinkwrap|deno|jsconfig|tsconfig(\..*)?)\.json$/

export function isCardFile (name: string): boolean {
  return ['.json', '.png', '.charx'].includes(extname(name)) && !name.startsWith('.') && !OTHERS.test(name)
}

/** A card's JSON, whatever it is of. Throws a {@link CardProblem}. */
export function readCard (value: Json, file: string): Card {
  if (isElizaCharacter(value)) return readElizaCharacter(value, file)
  if (isTavernCard(value)) return readTavernCard(value, file)
  throw new CardProblem('The JSON is no character card: it has neither a spec, nor the fields of a card of the first version, nor those of an eliza character.', { path: [] })
}

export class CardFiles {
  readonly #known: Lru<CardFile>

  /** @param bytes bound of what is kept, in characters of JSON */
  constructor (bytes: number) {
    this.#known = new Lru(bytes)
  }

  /** The card at a path; undefined if there is no file. Rejects with an OutsideRoot, or the system's error. */
  async read (path: string, root: string): Promise<CardFile | undefined> {
    const known = this.#known.get(path)
    if (known !== undefined && isUnchanged(path, known.stamp)) return known
    const opened = openInside(path, root)
    if (opened === undefined) {
      this.#known.delete(path)
      return undefined
    }
    const { descriptor, file, stamp } = opened
    let text = ''
    try {
      text = await readJson(descriptor, file, stamp.size)
      const card = readCard(parseObject(text), baseName(file))
      return this.#keep(path, { file, stamp, hash: digest(text), bytes: Buffer.byteLength(text), card, fault: undefined, isPicture: false }, text.length)
    } catch (error) {
      if (!(error instanceof CardProblem)) throw error
      const place = extname(file) !== '.json' || text === ''
        ? { line: null, column: null }
        : error.offset === null ? findField(text, error.path) : placeOf(text, error.offset)
      const fault = new Fault('invalid_character', error.message, { file, ...place })
      return this.#keep(path, { file, stamp, hash: digest(text + error.message), bytes: Buffer.byteLength(text), card: undefined, fault, isPicture: error instanceof NoCard }, 100)
    } finally {
      closeSync(descriptor)
    }
  }

  clear (): void {
    this.#known.clear()
  }

  #keep (path: string, read: CardFile, weight: number): CardFile {
    this.#known.set(path, read, weight)
    return read
  }
}

async function readJson (descriptor: number, file: string, size: number): Promise<string> {
  const limit = extname(file) === '.json' ? cardLimits.jsonBytes : cardLimits.fileBytes
  if (size > limit) throw new CardProblem(`The file is larger than ${limit} bytes.`)
  switch (extname(file)) {
    case '.png': return readPngCard((offset, length) => readAt(descriptor, offset, length), size)
    case '.charx': {
      const json = await readFromCharx(descriptor, CARD_FILE, cardLimits.jsonBytes)
      if (json === undefined) throw new CardProblem(`The archive has no ${CARD_FILE}.`)
      return decodeText(json)
    }
    default: return decodeText(readAt(descriptor, 0, size))
  }
}

export function readAt (descriptor: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  return buffer.subarray(0, readSync(descriptor, buffer, 0, length, offset))
}

export function digest (text: string): string {
  // Hashed as bytes: of a string the hash takes ten times as long.
  return createHash('sha256').update(Buffer.from(text)).digest('base64url')
}

function baseName (file: string): string {
  return file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1)
}

/**
 * The texts in a PNG, which is where cards are (chunks `tEXt`, `zTXt`, `iTXt` of the PNG specification).
 * Pixels are stepped over, never read; lengths are checked against the file before anything is allocated.
 */
import { crc32, inflateSync } from 'node:zlib'
import { cardLimits, CardProblem } from './problem.js'
import { decodeBase64, decodeText } from './json.js'

/** Reads `length` bytes at an offset; fewer at the end of the file. */
export type ReadAt = (offset: number, length: number) => Buffer

export const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** Names of texts that are cards, the one that counts first. */
const KEYWORDS = ['ccv3', 'chara']
const CARD_TEXT = /^(ccv3|chara)\0/i

/** The card's JSON. Throws a {@link CardProblem}. */
export function readPngCard (readAt: ReadAt, size: number): string {
  const texts = new Map<string, string>()
  for (const chunk of readCardChunks(readAt, size)) {
    if (!texts.has(chunk.keyword)) texts.set(chunk.keyword, readTextChunk(chunk))
  }
  const text = KEYWORDS.map(keyword => texts.get(keyword)).find(text => text !== undefined)
  if (text === undefined) throw new NoCard()
  // By the specifications base64; some tools leave that out.
  return text.trimStart().startsWith('{') ? text : decodeText(decodeBase64(text))
}

/** A picture that is no card. */
export class NoCard extends CardProblem {
  constructor () {
    super('The picture has no character card in it: no text named ccv3 or chara. Some sites strip it from what is uploaded.')
  }
}

interface Chunk { type: string, keyword: string, data: Buffer }

/** The texts that are cards, in order; others may be of any size, such as what a program says of how it made the picture. */
function * readCardChunks (readAt: ReadAt, size: number): Generator<Chunk> {
  if (!readAt(0, 8).equals(PNG_SIGNATURE)) throw new CardProblem('The file is not a PNG.')
  let offset = 8
  for (let count = 0; ; count++) {
    if (count > cardLimits.parts) throw new CardProblem(`The PNG has more than ${cardLimits.parts} chunks.`)
    // With as much of the keyword as tells one of ours
    const head = readAt(offset, 14)
    if (head.length < 8) throw new CardProblem('The PNG is cut off.')
    const length = head.readUInt32BE(0)
    const type = head.toString('latin1', 4, 8)
    if (!/^[A-Za-z]{4}$/.test(type)) throw new CardProblem(`The PNG is damaged: at byte ${offset} begins no chunk.`)
    if (count === 0 && type !== 'IHDR') throw new CardProblem('The PNG is damaged: it does not begin with a header.')
    if (offset + 12 + length > size) throw new CardProblem(`The PNG is cut off: a ${type} chunk says that it has ${length} bytes.`)
    if (type === 'IEND') return
    const [, keyword] = type === 'tEXt' || type === 'zTXt' || type === 'iTXt' ? CARD_TEXT.exec(head.toString('latin1', 8)) ?? [] : []
    if (keyword !== undefined) {
      if (length > cardLimits.jsonBytes * 1.4) throw new CardProblem(`The PNG has a text of ${length} bytes, more than it may.`)
      const bytes = readAt(offset + 4, length + 8)
      if (crc32(bytes.subarray(0, length + 4)) !== bytes.readUInt32BE(length + 4)) throw new CardProblem(`The PNG is damaged: the checksum of a ${type} chunk is wrong.`)
      yield { type, keyword: keyword.toLowerCase(), data: bytes.subarray(4, length + 4) }
    }
    offset += 12 + length
  }
}

function readTextChunk ({ type, keyword, data }: Chunk): string {
  const end = keyword.length
  if (type === 'tEXt') return data.toString('latin1', end + 1)
  if (type === 'zTXt') return inflate(data.subarray(end + 2)).toString('latin1')
  const isPacked = data[end + 1] === 1
  const language = data.indexOf(0, end + 3)
  const translated = language === -1 ? -1 : data.indexOf(0, language + 1)
  if (translated === -1) throw new CardProblem('The PNG is damaged: an iTXt chunk has no text.')
  const content = data.subarray(translated + 1)
  return decodeText(isPacked ? inflate(content) : content)
}

function inflate (data: Buffer): Buffer {
  try {
    return inflateSync(data, { maxOutputLength: Math.ceil(cardLimits.jsonBytes * 1.4) })
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    throw new CardProblem(tooLarge ? `The card's JSON is larger than ${cardLimits.jsonBytes} bytes.` : 'The PNG is damaged: a packed text cannot be unpacked.')
  }
}

/** The picture with these texts for its card, and no others. Throws a {@link CardProblem} if it is no PNG. */
export function writePngCard (picture: Buffer, cards: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [PNG_SIGNATURE]
  if (!picture.subarray(0, 8).equals(PNG_SIGNATURE)) throw new CardProblem('The file is not a PNG.')
  for (let offset = 8; offset + 12 <= picture.length;) {
    const length = picture.readUInt32BE(offset)
    const type = picture.toString('latin1', offset + 4, offset + 8)
    const whole = picture.subarray(offset, offset + 12 + length)
    const isCard = /^[tzi]TXt$/i.test(type) && KEYWORDS.includes(whole.toString('latin1', 8, Math.max(8, whole.indexOf(0, 8))).toLowerCase())
    if (type === 'IEND') parts.push(...Object.entries(cards).map(([keyword, json]) => textChunk(keyword, Buffer.from(json).toString('base64'))))
    if (!isCard) parts.push(whole)
    offset += 12 + length
  }
  return Buffer.concat(parts)
}

function textChunk (keyword: string, text: string): Buffer {
  return pngChunk('tEXt', Buffer.from(`${keyword}\0${text}`, 'latin1'))
}

export function pngChunk (type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(data.length, 0)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

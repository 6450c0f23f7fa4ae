/** Character cards of every version and container, and what can be wrong with them. */
import { crc32, deflateRawSync, deflateSync } from 'node:zlib'

type Json = Record<string, unknown>

/** Every field of a V2 card, each with words of its own. */
export function cardFields (name: string, more: Json = {}): Json {
  return {
    name,
    description: `${name} keeps a lighthouse with {{user}}.`,
    personality: 'patient',
    scenario: 'A storm is near.',
    first_mes: `I am ${name}.`,
    mes_example: '<START>\n{{user}}: Is it late?\n{{char}}: Late enough.\n',
    creator_notes: 'Made for a test.',
    system_prompt: 'Be {{char}}. {{original}}',
    post_history_instructions: 'Never leave the tower.',
    alternate_greetings: ['Who is there?', 'Mind the stairs.'],
    tags: ['sea', 'night'],
    creator: 'somebody',
    character_version: '1.1',
    extensions: { other: { kept: true }, dramatis: { language: 'en', voice: { source: 'file', path: `voices/${name}`, engines: { local: 'amy' } } } },
    character_book: { entries: [{ keys: ['lamp'], content: 'The lamp burns whale oil.', enabled: true, insertion_order: 1, extensions: {} }], extensions: {} },
    ...more
  }
}

export const v1 = (name: string, more: Json = {}): Json => {
  const { description, personality, scenario, first_mes: first, mes_example: example } = cardFields(name)
  return { name, description, personality, scenario, first_mes: first, mes_example: example, ...more }
}
export const v2 = (name: string, more: Json = {}): Json => ({ spec: 'chara_card_v2', spec_version: '2.0', data: cardFields(name, more) })
export const v3 = (name: string, more: Json = {}): Json => ({ spec: 'chara_card_v3', spec_version: '3.0', data: cardFields(name, { group_only_greetings: [], ...more }) })
export const eliza = (name: string, more: Json = {}): Json => ({
  name,
  system: 'Be a keeper.',
  bio: [`${name} keeps a lighthouse.`, 'It is old.'],
  lore: ['Once met a whale.'],
  adjectives: ['patient', 'dry'],
  topics: ['tides', 'lamps'],
  style: { all: ['short words'], chat: ['ask back'], post: ['never'] },
  messageExamples: [[{ user: '{{user1}}', content: { text: 'Is it late?' } }, { user: name, content: { text: 'Late enough.' } }]],
  settings: { secrets: { KEY: 'hidden' } },
  ...more
})

const base64 = (card: Json | string): string => Buffer.from(typeof card === 'string' ? card : JSON.stringify(card)).toString('base64')
const IHDR = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0])

export function chunk (type: string, data: Buffer | string, { length = data.length, crc = 0 } = {}): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), Buffer.from(data as string, 'latin1')])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(length, 0)
  ends.writeUInt32BE((crc32(body) ^ crc) >>> 0, 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}

/** One transparent pixel, with these chunks between its header and its pixels. */
export function picture (...chunks: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', IHDR), ...chunks, chunk('IDAT', deflateSync(Buffer.alloc(5))), chunk('IEND', '')])
}

/** What a program may say of how it made a picture, or an asset that Risu puts into one: more than a card may have. */
export const otherText = (): Buffer => chunk('tEXt', `chara-ext-asset_:0\0${'A'.repeat(4_000_000)}`)

export const text = (card: Json | string, keyword = 'chara'): Buffer => chunk('tEXt', `${keyword}\0${base64(card)}`)
export const packedText = (card: Json | string, keyword = 'chara'): Buffer =>
  chunk('zTXt', Buffer.concat([Buffer.from(`${keyword}\0\0`), deflateSync(Buffer.from(base64(card)))]))
export const internationalText = (card: Json | string, keyword = 'chara', packed = false): Buffer => {
  const content = Buffer.from(base64(card))
  return chunk('iTXt', Buffer.concat([Buffer.from(`${keyword}\0${packed ? '\x01' : '\0'}\0en\0\0`), packed ? deflateSync(content) : content]))
}

export interface Member { name: string, data: Buffer | string, stored?: boolean, flags?: number, size?: number, mode?: number }

/** A zip archive; `size` is what it says of a member, if that is to be a lie. */
export function archive (...members: Member[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, stored = false, flags = 0, size, mode = 0 } of members) {
    const raw = Buffer.from(data as string)
    const packed = stored ? raw : deflateRawSync(raw)
    const head = Buffer.alloc(26)
    head.writeUInt16LE(20, 0)
    head.writeUInt16LE(flags, 2)
    head.writeUInt16LE(stored ? 0 : 8, 4)
    head.writeUInt32LE(crc32(raw), 10)
    head.writeUInt32LE(packed.length, 14)
    head.writeUInt32LE(size ?? raw.length, 18)
    head.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), head, Buffer.from(name), packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE((mode << 16) >>> 0, 6)
    tail.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), head, tail, Buffer.from(name)]))
    parts.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(members.length, 4)
  end.writeUInt16LE(members.length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, central, Buffer.from('PK\x05\x06'), end])
}

export const charx = (card: Json | string, ...more: Member[]): Buffer =>
  archive({ name: 'card.json', data: typeof card === 'string' ? card : JSON.stringify(card) }, ...more)

export type Container = 'json' | 'png' | 'png-packed' | 'png-international' | 'png-international-packed' | 'charx'

/** A whole card in a file, and the extension of that file. */
export function contain (card: Json, container: Container, keyword = 'chara'): { extension: string, bytes: Buffer | string } {
  switch (container) {
    case 'json': return { extension: 'json', bytes: JSON.stringify(card, null, 2) }
    case 'png': return { extension: 'png', bytes: picture(text(card, keyword)) }
    case 'png-packed': return { extension: 'png', bytes: picture(packedText(card, keyword)) }
    case 'png-international': return { extension: 'png', bytes: picture(internationalText(card, keyword)) }
    case 'png-international-packed': return { extension: 'png', bytes: picture(internationalText(card, keyword, true)) }
    case 'charx': return { extension: 'charx', bytes: charx(card) }
  }
}

const many = (count: number, make: (index: number) => unknown): unknown[] => Array.from({ length: count }, (none, index) => make(index))
const entry = (keys: unknown, more: Json = {}): Json => ({ keys, content: 'x', enabled: true, insertion_order: 1, extensions: {}, ...more })
const book = (...entries: unknown[]): Json => ({ character_book: { entries, extensions: {} } })

/** What can be wrong with a file, by what is told of it. */
export const damages: readonly { what: string, file: string, bytes: () => Buffer | string, message: RegExp, line?: number }[] = [
  { what: 'cut off', file: 'a.json', bytes: () => JSON.stringify(v2('A'), null, 2).slice(0, 300), message: /JSON cannot be read/, line: 10 },
  { what: 'a comma too many', file: 'a.json', bytes: () => '{\n  "name": "A",\n  "description": "x",\n}', message: /JSON cannot be read/, line: 4 },
  { what: 'empty', file: 'a.json', bytes: () => '', message: /JSON cannot be read/ },
  { what: 'a list', file: 'a.json', bytes: () => '[]', message: /is a JSON object/, line: 1 },
  { what: 'a number', file: 'a.json', bytes: () => '1', message: /is a JSON object/ },
  { what: 'other JSON', file: 'a.json', bytes: () => '{"tides":[1,2]}', message: /no character card/ },
  { what: 'no UTF-8', file: 'a.json', bytes: () => Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('","description":"x"}')]), message: /not UTF-8/ },
  { what: 'too large', file: 'a.json', bytes: () => JSON.stringify(v1('A', { description: 'x'.repeat(3_000_000) })), message: /larger than 2097152 bytes/ },
  { what: 'nested too deep', file: 'a.json', bytes: () => `{"name":"A","description":"x","extensions":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, message: /nested deeper than 64/ },
  { what: 'no name', file: 'a.json', bytes: () => JSON.stringify(v2('')), message: /data\.name: the card has no name/ },
  { what: 'a name of another type', file: 'a.json', bytes: () => JSON.stringify(v2('A', { name: 7 }), null, 2), message: /data\.name: expected text, got a number/, line: 5 },
  { what: 'a name too long', file: 'a.json', bytes: () => JSON.stringify(v2('A'.repeat(201))), message: /data\.name: longer than 200/ },
  { what: 'another spec', file: 'a.json', bytes: () => JSON.stringify({ spec: 'lorebook_v3', data: {} }), message: /spec: expected chara_card_v2/ },
  { what: 'no data', file: 'a.json', bytes: () => JSON.stringify({ spec: 'chara_card_v2' }), message: /data: expected an object/ },
  { what: 'text of another type', file: 'a.json', bytes: () => JSON.stringify(v3('A', { description: ['x'] })), message: /data\.description: expected text, got a list/ },
  { what: 'a text too long', file: 'a.json', bytes: () => JSON.stringify(v2('A', { scenario: 'x'.repeat(256_001) })), message: /data\.scenario: longer than 256000/ },
  { what: 'greetings of another type', file: 'a.json', bytes: () => JSON.stringify(v2('A', { alternate_greetings: { a: 1 } })), message: /data\.alternate_greetings: expected a list/ },
  { what: 'a tag of another type', file: 'a.json', bytes: () => JSON.stringify(v2('A', { tags: ['x', 1] })), message: /data\.tags\[1\]: expected text, got a number/ },
  { what: 'a NUL', file: 'a.json', bytes: () => JSON.stringify(v2('A', { personality: 'a\0b' })), message: /data\.personality: has a NUL/ },
  { what: 'a voice that is none', file: 'a.json', bytes: () => JSON.stringify(v2('A', { extensions: { dramatis: { voice: { source: 'file' } } } })), message: /data\.extensions\.dramatis\.voice\.path/ },
  { what: 'a lorebook that is none', file: 'a.json', bytes: () => JSON.stringify(v2('A', { character_book: 'x' })), message: /data\.character_book: expected an object/ },
  { what: 'lorebook entries of another type', file: 'a.json', bytes: () => JSON.stringify(v2('A', { character_book: { entries: {} } })), message: /entries: expected a list/ },
  { what: 'too many lorebook entries', file: 'a.json', bytes: () => JSON.stringify(v2('A', book(...many(2001, index => entry([`k${index}`]))))), message: /2001 items/ },
  { what: 'too many keys', file: 'a.json', bytes: () => JSON.stringify(v2('A', book(entry(many(201, index => `k${index}`))))), message: /201 keys/ },
  { what: 'too many patterns', file: 'a.json', bytes: () => JSON.stringify(v2('A', book(entry(many(101, index => `/k${index}/`), { use_regex: true })))), message: /101 patterns, and may have 100/ },
  { what: 'a pattern too long', file: 'a.json', bytes: () => JSON.stringify(v2('A', book(entry([`/${'x'.repeat(2000)}/`], { use_regex: true })))), message: /pattern is longer than 2000/ },
  { what: 'a key too long', file: 'a.json', bytes: () => JSON.stringify(v2('A', book(entry(['x'.repeat(201)])))), message: /longer than 200/ },
  { what: 'an eliza example of another type', file: 'a.json', bytes: () => JSON.stringify(eliza('A', { messageExamples: [3] })), message: /messageExamples\[0\]: expected a list/ },
  { what: 'no PNG', file: 'a.png', bytes: () => 'GIF89a and more', message: /not a PNG/ },
  { what: 'a PNG cut off', file: 'a.png', bytes: () => picture(text(v2('A'))).subarray(0, -20), message: /cut off/ },
  { what: 'a PNG cut off at its card', file: 'a.png', bytes: () => picture(text(v2('A'))).subarray(0, 80), message: /cut off/ },
  { what: 'a chunk that lies about its length', file: 'a.png', bytes: () => picture(chunk('tEXt', 'chara\0x', { length: 0xfffffff0 })), message: /cut off: a tEXt chunk says/ },
  { what: 'a wrong checksum', file: 'a.png', bytes: () => picture(chunk('tEXt', `chara\0${base64(v2('A'))}`, { crc: 1 })), message: /checksum/ },
  { what: 'no header', file: 'a.png', bytes: () => Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IDAT', 'x'), chunk('IEND', '')]), message: /does not begin with a header/ },
  { what: 'no chunk', file: 'a.png', bytes: () => picture(Buffer.from('\0\0\0\x01\xff\xff\xff\xffxxxx\0', 'latin1')), message: /begins no chunk/ },
  { what: 'a picture without a card', file: 'a.png', bytes: () => picture(), message: /no character card in it/ },
  { what: 'wrong base64', file: 'a.png', bytes: () => picture(chunk('tEXt', 'chara\0<<<>>>')), message: /not base64/ },
  { what: 'base64 of something else', file: 'a.png', bytes: () => picture(text('hello')), message: /JSON cannot be read/ },
  { what: 'a text too large', file: 'a.png', bytes: () => picture(chunk('tEXt', `chara\0${'A'.repeat(3_000_000)}`)), message: /text of 3000006 bytes, more than it may/ },
  { what: 'a packed text that is none', file: 'a.png', bytes: () => picture(chunk('zTXt', 'chara\0\0garbage')), message: /cannot be unpacked/ },
  { what: 'a packed text that explodes', file: 'a.png', bytes: () => picture(chunk('zTXt', Buffer.concat([Buffer.from('chara\0\0'), deflateSync(Buffer.alloc(50_000_000))]))), message: /larger than/ },
  { what: 'an international text without text', file: 'a.png', bytes: () => picture(chunk('iTXt', 'chara\0\0\0en')), message: /has no text/ },
  { what: 'no archive', file: 'a.charx', bytes: () => 'not a zip', message: /archive is damaged/ },
  { what: 'an archive cut off', file: 'a.charx', bytes: () => charx(v3('A')).subarray(0, -30), message: /archive is damaged/ },
  { what: 'an archive without a card', file: 'a.charx', bytes: () => archive({ name: 'other.json', data: '{}' }), message: /no card\.json/ },
  { what: 'an encrypted archive', file: 'a.charx', bytes: () => archive({ name: 'card.json', data: '{}', flags: 1 }), message: /encrypted/ },
  { what: 'an archive that explodes', file: 'a.charx', bytes: () => archive({ name: 'card.json', data: Buffer.alloc(50_000_000) }), message: /larger than 2097152/ },
  { what: 'an archive that lies about its sizes', file: 'a.charx', bytes: () => archive({ name: 'card.json', data: Buffer.alloc(50_000_000), size: 100 }), message: /archive is damaged/ },
  { what: 'an archive with a wrong checksum', file: 'a.charx', bytes: () => Buffer.from(archive({ name: 'card.json', data: JSON.stringify(v3('Abc')), stored: true }).toString('latin1').replace('Abc', 'Abd'), 'latin1'), message: /checksum of "card\.json" is wrong/ },
  { what: 'an archive with damaged contents', file: 'a.charx', bytes: () => archive({ name: 'card.json', data: 'plain', flags: 0, stored: true, size: 500 }), message: /archive is damaged/ }
]

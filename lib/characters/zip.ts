/**
 * ZIP files, the two ways that a packed cast needs: written so that the same files make the same bytes anywhere
 * (not packed, in the order of their names, without times), and read with bounds on everything that a file can claim.
 */
import { crc32 } from 'node:zlib'
import type { Entry, ZipFile } from 'yauzl'

export interface PackedFile {
  /** Path from the cast's directory, with `/`. */
  readonly name: string
  readonly bytes: Buffer
}

/** What a packed cast may be at most. */
export const packLimits = Object.freeze({
  /** Bytes of the file. */
  fileBytes: 64 * 1024 * 1024,
  /** Bytes of all that is in it, unpacked. */
  bytes: 128 * 1024 * 1024,
  files: 4096,
  /** Characters of a path, and folders in it. */
  nameLength: 1024,
  depth: 32
})

/** What is wrong with a packed cast, worded for who made it. */
export class PackProblem extends Error {}

/** 1980-01-01, the first day that the format knows. */
const DAY = 0x21
const UTF8 = 0x0800

export function writeZip (files: readonly PackedFile[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, bytes } of [...files].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = Buffer.from(name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(UTF8, 2)
    common.writeUInt16LE(DAY, 8)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(bytes.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(path.length, 22)
    parts.push(signature(0x04034b50), common, path, bytes)
    const rest = Buffer.alloc(14)
    // A plain file that its owner may write and all may read
    rest.writeUInt32LE((0o100644 << 16) >>> 0, 6)
    rest.writeUInt32LE(offset, 10)
    directory.push(signature(0x02014b50), Buffer.from([20, 3]), common, rest, path)
    offset += 4 + common.length + path.length + bytes.length
  }
  const index = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(files.length, 4)
  end.writeUInt16LE(files.length, 6)
  end.writeUInt32LE(index.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, index, signature(0x06054b50), end])
}

function signature (number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}

/** Every file in it, one after another. Throws a {@link PackProblem}. */
export async function * readZip (packed: Buffer): AsyncGenerator<PackedFile> {
  // Whoever has no packs does not wait for it.
  const { fromBufferPromise } = await import('yauzl')
  let zip: ZipFile
  try {
    // With decoded strings, yauzl refuses names that are absolute or lead upwards
    zip = await fromBufferPromise(packed, { lazyEntries: true, decodeStrings: true, validateEntrySizes: true })
  } catch (error) {
    throw damaged(error)
  }
  if (zip.entryCount > packLimits.files) throw new PackProblem(`it has ${zip.entryCount} files, and may have ${packLimits.files}`)
  let total = 0
  const seen = new Set<string>()
  for (;;) {
    const entry = await nextEntry(zip)
    if (entry === undefined) return
    checkEntry(entry, seen)
    if (entry.fileName.endsWith('/')) continue
    const bytes = await unpack(zip, entry, packLimits.bytes - total).catch(error => { throw damaged(error) })
    if (bytes === undefined) throw new PackProblem(`unpacked it has more than ${packLimits.bytes} bytes`)
    total += bytes.length
    yield { name: entry.fileName, bytes }
  }
}

function nextEntry (zip: ZipFile): Promise<Entry | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      zip.removeAllListeners()
      // One that comes later is nobody's
      zip.on('error', () => {})
      act()
    }
    zip.once('error', error => settle(() => reject(damaged(error))))
    zip.once('end', () => settle(() => resolve(undefined)))
    zip.once('entry', (entry: Entry) => settle(() => resolve(entry)))
    zip.readEntry()
  })
}

function checkEntry ({ fileName, externalFileAttributes, generalPurposeBitFlag }: Entry, seen: Set<string>): void {
  const shown = JSON.stringify(fileName.slice(0, 100))
  const parts = fileName.replace(/\/$/, '').split('/')
  if (fileName.length > packLimits.nameLength || parts.length > packLimits.depth) throw new PackProblem(`the name ${shown} is too long`)
  if (parts.some(part => part === '' || part === '.' || part === '..' || /[\0\\:]/.test(part))) throw new PackProblem(`the name ${shown} is no path`)
  const type = (externalFileAttributes >>> 16) & 0o170000
  if (type !== 0 && type !== 0o100000 && type !== 0o040000) throw new PackProblem(`${shown} is neither a file nor a folder`)
  if ((generalPurposeBitFlag & 1) !== 0) throw new PackProblem(`${shown} is encrypted`)
  const key = parts.join('/').normalize('NFC').toLowerCase()
  if (seen.has(key)) throw new PackProblem(`${shown} is in it twice`)
  seen.add(key)
}

/** The bytes of an entry; undefined if there are more than the limit, whatever it says of itself. Rejects if they are not what was packed. */
export async function unpack (zip: ZipFile, entry: Entry, limit: number): Promise<Buffer | undefined> {
  if (entry.uncompressedSize > limit) return undefined
  const parts: Buffer[] = []
  let length = 0
  for await (const part of await zip.openReadStreamPromise(entry) as AsyncIterable<Buffer>) {
    length += part.length
    if (length > limit) return undefined
    parts.push(part)
  }
  const bytes = Buffer.concat(parts)
  if (crc32(bytes) !== entry.crc32) throw new Error(`the checksum of ${JSON.stringify(entry.fileName.slice(0, 100))} is wrong`)
  return bytes
}

function damaged (error: unknown): PackProblem {
  return new PackProblem((error as Error).message.replace(/\.$/, ''))
}

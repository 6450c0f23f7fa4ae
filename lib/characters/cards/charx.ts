/** A `.charx` file: a zip archive with `card.json` and the card's pictures. Only what is asked for is unpacked. */
import type { Entry, ZipFile } from 'yauzl'
import { unpack } from '../zip.js'
import { cardLimits, CardProblem } from './problem.js'

export const CARD_FILE = 'card.json'

/**
 * One file of the archive, or undefined if it has none of this name. The descriptor stays open. Rejects
 * with a {@link CardProblem}, also if the file is larger than the limit, whatever the archive says of it.
 */
export async function readFromCharx (descriptor: number, name: string, limit: number): Promise<Buffer | undefined> {
  // Whoever has no such cards does not wait for it.
  const { fromFdPromise } = await import('yauzl')
  let zip: ZipFile
  try {
    // Names are never used as paths: what yauzl refuses about them is no danger here.
    zip = await fromFdPromise(descriptor, { lazyEntries: true, autoClose: false, decodeStrings: true, validateEntrySizes: true })
  } catch (error) {
    throw damaged(error)
  }
  if (zip.entryCount > cardLimits.parts) throw new CardProblem(`The archive has ${zip.entryCount} files, and may have ${cardLimits.parts}.`)
  const entry = await findEntry(zip, name)
  if (entry === undefined) return undefined
  if ((entry.generalPurposeBitFlag & 1) !== 0) throw new CardProblem(`The archive is damaged: ${name} is encrypted.`)
  const bytes = await unpack(zip, entry, limit).catch(error => { throw damaged(error) })
  if (bytes === undefined) throw new CardProblem(`The archive's ${name} is larger than ${limit} bytes.`)
  return bytes
}

function findEntry (zip: ZipFile, name: string): Promise<Entry | undefined> {
  return new Promise((resolve, reject) => {
    zip.on('error', error => reject(damaged(error)))
    zip.on('end', () => resolve(undefined))
    zip.on('entry', (entry: Entry) => {
      if (entry.fileName === name) resolve(entry)
      else zip.readEntry()
    })
    zip.readEntry()
  })
}

function damaged (error: unknown): CardProblem {
  return new CardProblem(`The archive is damaged: ${(error as Error).message}.`.replace(/\.\.$/, '.'))
}

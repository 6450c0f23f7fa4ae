/**
 * Casts packed into one file. What is in it is unpacked into a folder of its own below the system's folder for such
 * things, and is a directory from then on; another content is another folder, so that nobody sees a mixture. The
 * folders of the last contents are kept, for sessions that still have them; all go with the library.
 */
import { closeSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { refuse, type Place } from './roots.js'
import { isUnchanged, openInside, type Stamp } from './source.js'
import { packLimits, PackProblem, readZip } from './zip.js'

interface Unpacked { stamp: Stamp, hash: string, directory: string, files: readonly string[] }

export class Packs {
  readonly #kept: number
  /** The last contents of each file, the newest last. */
  readonly #unpacked = new Map<string, Unpacked[]>()
  readonly #reading = new Map<string, Promise<Unpacked>>()
  #base: string | undefined

  /** @param kept contents of one file */
  constructor (kept: number) {
    this.#kept = kept
  }

  /** The directory that is meant. Rejects with `directory_not_readable` for a damaged file. */
  async open (place: Place): Promise<Place> {
    if (place.pack === undefined) return place
    const { file, below } = place.pack
    const begun = this.#reading.get(file)
    if (begun !== undefined) await begun.catch(() => {})
    const { directory } = this.#current(file) ?? await (this.#reading.get(file) ?? this.#read(file, place.root))
    const path = join(directory, ...below)
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw refuse('directory_not_found', 'The packed cast has no such directory.')
    return { ...place, path, root: directory }
  }

  close (): void {
    this.#unpacked.clear()
    if (this.#base !== undefined) rmSync(this.#base, { recursive: true, force: true })
    this.#base = undefined
  }

  #current (file: string): Unpacked | undefined {
    const last = this.#unpacked.get(file)?.at(-1)
    // Folders for such things are tidied up by systems that run for long
    return last !== undefined && isUnchanged(file, last.stamp) && last.files.every(path => statSync(path, { throwIfNoEntry: false }) !== undefined) ? last : undefined
  }

  #read (file: string, root: string): Promise<Unpacked> {
    const reading = this.#unpack(file, root).finally(() => this.#reading.delete(file))
    this.#reading.set(file, reading)
    return reading
  }

  async #unpack (file: string, root: string): Promise<Unpacked> {
    const opened = openInside(file, root)
    if (opened === undefined) throw refuse('directory_not_found', 'The directory does not exist.')
    const { descriptor, stamp } = opened
    try {
      if (stamp.size > packLimits.fileBytes) throw new PackProblem(`it is larger than ${packLimits.fileBytes} bytes`)
      const packed = readFileSync(descriptor)
      const hash = createHash('sha256').update(packed).digest('hex').slice(0, 32)
      const versions = this.#unpacked.get(file) ?? []
      const same = versions.find(one => one.hash === hash && one.files.every(path => statSync(path, { throwIfNoEntry: false }) !== undefined))
      const unpacked = same === undefined ? { stamp, hash, ...await this.#write(packed) } : { ...same, stamp }
      const all = [...versions.filter(one => one !== same), unpacked]
      for (const old of all.splice(0, Math.max(0, all.length - this.#kept))) rmSync(old.directory, { recursive: true, force: true })
      this.#unpacked.set(file, all)
      return unpacked
    } catch (error) {
      if (error instanceof PackProblem) throw refuse('directory_not_readable', `The packed cast cannot be used: ${error.message}.`)
      throw error
    } finally {
      closeSync(descriptor)
    }
  }

  async #write (packed: Buffer): Promise<{ directory: string, files: string[] }> {
    this.#base ??= realpathSync.native(mkdtempSync(join(tmpdir(), 'dramatis-casts-')))
    const beside = mkdtempSync(join(this.#base, 'new-'))
    const directory = beside.replace(/new-(?=[^/\\]*$)/, 'cast-')
    const names: string[] = []
    try {
      for await (const { name, bytes } of readZip(packed)) {
        const path = join(beside, name)
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 })
        names.push(name)
      }
      renameSync(beside, directory)
    } catch (error) {
      rmSync(beside, { recursive: true, force: true })
      const { code } = error as NodeJS.ErrnoException
      // A name that is a file and a folder at once
      throw code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR' ? new PackProblem('a name in it is a file and a folder') : error
    }
    return { directory, files: names.map(name => join(directory, name)) }
  }
}

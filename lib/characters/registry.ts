/**
 * A session's lookup of its characters. Reloading loads the new cast beside the old one, and swaps
 * them only when it has at least one character; reloads of a session run one after another.
 */
import { RealtimeError } from '../errors.js'
import type { Cast } from './cast.js'
import type { SessionFacts } from './character.js'
import type { FileError } from './fault.js'
import type { LoadedCharacter } from './loaded-character.js'

export interface ListedCharacter { name: string, good: boolean | null, comment: string | null }

/** What a load came to: the fields of `session.characters.reloaded`. */
export interface LoadReport {
  directory: string
  loaded_count: number
  error_count: number
  total_files: number
  duration_ms: number
  characters: ListedCharacter[]
  errors: FileError[]
}

/** Called in one go with the swap, so that nothing can begin with a cast that leaves. */
export interface ReloadHooks {
  /** The new cast is ready: the moment to cancel what the old one is doing. If it throws, the old one stays. */
  beforeSwap?: () => void
  /** The new cast is in place: the moment to select from it. */
  afterSwap?: () => void
}

/** A cast, and what loading it came to; the characters are listed when asked. */
export interface LoadedCast { cast: Cast, report: Omit<LoadReport, 'characters'> }

export interface RegistryOptions {
  session: SessionFacts
  loaded: LoadedCast
  load: (directory: unknown, session: SessionFacts, reload: boolean) => Promise<LoadedCast>
  /** Lets a cast go; the library waits for it when it closes. */
  release: (cast: Cast) => Promise<void>
  onPurge: (registry: CharacterRegistry) => void
}

export class CharacterRegistry {
  readonly session: SessionFacts
  readonly #options: RegistryOptions
  #cast: Cast | undefined
  #report: LoadedCast['report']
  #queue: Promise<unknown> = Promise.resolve()
  #reloading = 0
  /** Casts that were replaced and still have calls to end. */
  readonly #leaving = new Set<Promise<void>>()
  #purged: Promise<void> | undefined

  constructor (options: RegistryOptions) {
    this.#options = options
    this.session = options.session
    this.#cast = options.loaded.cast
    this.#report = options.loaded.report
  }

  /** Canonical name, such as `default` or `team/winter`. */
  get directory (): string { return this.#report.directory }
  get size (): number { return this.#characters.length }
  /** Reloads under way and waiting. */
  get reloading (): number { return this.#reloading }
  /** Of the last load that was swapped in. */
  get report (): LoadReport { return { ...this.#report, characters: this.list() } }

  /** All that can be selected, in the order of their files. */
  names (): string[] {
    return this.#characters.map(({ name }) => name)
  }

  list (): ListedCharacter[] {
    return this.#characters.map(({ name, metadata }) => ({ name, good: metadata?.good ?? null, comment: metadata?.comment ?? null }))
  }

  first (): LoadedCharacter | undefined {
    return this.#characters[0]
  }

  /** By name, or else by the path of its voice. */
  find (name: string): LoadedCharacter | undefined {
    return this.#characters.find(character => character.name === name) ??
      this.#characters.find(character => character.voice.path === name)
  }

  /** Replaces the cast. Rejects with a RealtimeError, the old cast in place, if that cannot be done. */
  reload (directory: unknown, hooks: ReloadHooks = {}): Promise<LoadReport> {
    this.#reloading++
    const result = this.#queue.then(() => this.#reload(directory, hooks)).finally(() => { this.#reloading-- })
    this.#queue = result.catch(() => {})
    return result
  }

  /** Lets go of everything; a load that is running is thrown away when it ends. Resolves when all is gone. */
  purge (): Promise<void> {
    this.#purged ??= this.#purge()
    return this.#purged
  }

  get #characters (): readonly LoadedCharacter[] { return this.#cast?.characters ?? [] }

  async #reload (directory: unknown, { beforeSwap, afterSwap }: ReloadHooks): Promise<LoadReport> {
    const { load } = this.#options
    if (this.#purged !== undefined) throw isOver()
    const { cast, report } = await load(directory, this.session, true)
    try {
      if (this.#over) throw isOver()
      if (cast.characters.length === 0) {
        throw new RealtimeError('no_valid_characters', {
          param: 'directory',
          message: `'${report.directory}' has no valid character: the session keeps what it had.`,
          details: report.errors
        })
      }
      beforeSwap?.()
      if (this.#over) throw isOver()
    } catch (error) {
      this.#release(cast)
      throw error
    }
    const old = this.#cast
    this.#cast = cast
    this.#report = report
    if (old !== undefined) this.#release(old)
    afterSwap?.()
    return this.report
  }

  #release (cast: Cast): void {
    const leaving = this.#options.release(cast).finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  get #over (): boolean { return this.#purged !== undefined }

  async #purge (): Promise<void> {
    const { onPurge } = this.#options
    const cast = this.#cast
    this.#cast = undefined
    if (cast !== undefined) this.#release(cast)
    await this.#queue
    await Promise.all(this.#leaving)
    onPurge(this)
  }
}

function isOver (): RealtimeError {
  return new RealtimeError('session_expired', { message: 'The session is over: its characters are gone.' })
}

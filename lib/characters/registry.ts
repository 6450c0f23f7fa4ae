/**
 * A session's lookup of its characters. Reloading loads the new cast beside the old one, and swaps
 * them only when it has at least one character; reloads of a session run one after another.
 */
import { RealtimeError } from '../errors.js'
import type { SessionFacts } from './character.js'
import type { FileError } from './fault.js'
import type { LoadedCharacter } from './loaded-character.js'
import { Sources } from './sources.js'
import type { SomeCast } from './some-cast.js'

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

/** What a session does about files that changed. */
export interface RefreshHooks extends ReloadHooks {
  /** Whether a turn is under way: until it is over nothing is swapped. */
  busy: () => boolean
  /** Resolves when something that was under way has ended. */
  idle: () => Promise<void>
}

/** A cast, and what loading it came to; the characters are listed when asked. */
export interface LoadedCast { cast: SomeCast, version: string, report: Omit<LoadReport, 'characters'> }

export interface RegistryOptions {
  /** Where the cast was loaded from. */
  directory: unknown
  session: SessionFacts
  loaded: LoadedCast
  load: (directory: unknown, session: SessionFacts, reload: boolean) => Promise<LoadedCast>
  /** Lets a cast go; the library waits for it when it closes. */
  release: (cast: SomeCast) => Promise<void>
  onPurge: (registry: CharacterRegistry) => void
}

export class CharacterRegistry {
  readonly session: SessionFacts
  readonly #options: RegistryOptions
  #cast: SomeCast | undefined
  #report: LoadedCast['report']
  #version: string
  #queue: Promise<unknown> = Promise.resolve()
  /** Where the cast is from, as it was asked for. */
  #wanted: unknown
  /** Ends the wait of a refresh for its turn. */
  #overtake: () => void = () => {}
  #follower: (() => void) | null = null
  /** A refresh that has not begun. */
  #refreshing: Promise<Refreshed> | null = null
  #reloading = 0
  /** Casts that were replaced and still have calls to end. */
  readonly #leaving = new Set<Promise<void>>()
  #purged: Promise<void> | undefined

  constructor (options: RegistryOptions) {
    this.#options = options
    this.session = options.session
    this.#cast = options.loaded.cast
    this.#wanted = options.directory
    this.#report = options.loaded.report
    this.#version = options.loaded.version
  }

  /** Canonical name, such as `default` or `team/winter`. */
  get directory (): string { return this.#report.directory }
  /** Where the cast is from, as it was asked for: a directory, or `Sources`. */
  get wanted (): unknown { return this.#wanted }
  /** Of the content of its files. */
  get version (): string { return this.#version }
  /** Its directory in this very version, whatever happens to the files: `team@1f2e3d4c5b6a`. */
  get pinned (): string { return /@[0-9a-f]{12}$/.test(this.directory) ? this.directory : `${this.directory}@${this.#version}` }
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
    this.#overtake()
    this.#reloading++
    const result = this.#queue.then(() => this.#reload(directory, hooks)).finally(() => { this.#reloading-- })
    this.#queue = result.catch(() => {})
    return result
  }

  /**
   * Files have changed: loads them, and swaps at the end of the turn. Null if nothing changed for this
   * cast, or something else came between; a file that is newly broken leaves everything as it was.
   */
  refresh (hooks: RefreshHooks): Promise<Refreshed> {
    // One that waits for its turn would swap in what is old already; one that has not begun reads what is new
    this.#overtake()
    if (this.#refreshing !== null) return this.#refreshing
    const result = this.#queue.then(() => {
      this.#refreshing = null
      return this.#refresh(hooks)
    })
    this.#refreshing = result
    this.#queue = result.catch(() => {})
    return result
  }

  /** Whom to tell that files may have changed. */
  follow (changed: () => void): void {
    this.#follower = changed
  }

  /** Files may have changed. */
  notify (): void {
    this.#follower?.()
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
    const loaded = await load(directory, this.session, true)
    const { cast, report } = loaded
    try {
      if (this.#over) throw isOver()
      if (cast.characters.length === 0) {
        throw new RealtimeError('no_valid_characters', {
          param: paramOf(directory),
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
    this.#wanted = directory
    this.#swap(loaded)
    afterSwap?.()
    return this.report
  }

  /** One step: whoever looks afterwards finds the new cast and nothing of the old. */
  #swap ({ cast, version, report }: LoadedCast): void {
    const old = this.#cast
    this.#cast = cast
    this.#version = version
    this.#report = report
    if (old !== undefined) this.#release(old)
  }

  async #refresh ({ busy, idle, beforeSwap, afterSwap }: RefreshHooks): Promise<Refreshed> {
    if (this.#over) return null
    const loaded = await this.#options.load(this.#wanted, this.session, true)
    const { cast, version, report } = loaded
    const known = new Set(this.#report.errors.map(({ file }) => file))
    const broken = report.errors.filter(({ file }) => !known.has(file))
    const overtaken = new Promise<true>(resolve => { this.#overtake = () => resolve(true) })
    try {
      const same = version === this.#version
      if (same || cast.characters.length === 0 || broken.length > 0) {
        this.#release(cast)
        return same ? null : { swapped: false, errors: broken.length > 0 ? broken : report.errors }
      }
      while (busy() || this.#over) {
        if (this.#over || await Promise.race([idle(), overtaken]) === true) {
          this.#release(cast)
          return null
        }
      }
      beforeSwap?.()
      this.#swap(loaded)
      afterSwap?.()
      return { swapped: true, report: this.report }
    } finally {
      this.#overtake = () => {}
    }
  }

  #release (cast: SomeCast): void {
    const leaving = this.#options.release(cast).finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  get #over (): boolean { return this.#purged !== undefined }

  async #purge (): Promise<void> {
    const { onPurge } = this.#options
    const cast = this.#cast
    this.#follower = null
    this.#overtake()
    this.#cast = undefined
    if (cast !== undefined) this.#release(cast)
    await this.#queue
    await Promise.all(this.#leaving)
    onPurge(this)
  }
}

export type Refreshed = null | { swapped: true, report: LoadReport } | { swapped: false, errors: readonly FileError[] }

/** The field of the event that says where from. */
function paramOf (wanted: unknown): string {
  return wanted instanceof Sources ? wanted.param : 'directory'
}

function isOver (): RealtimeError {
  return new RealtimeError('session_expired', { message: 'The session is over: its characters are gone.' })
}

/** Loads casts for sessions, within their bounds, and keeps an eye on each until all of it is gone. */
import { RealtimeError } from '../errors.js'
import { Cast } from './cast.js'
import type { SessionFacts } from './character.js'
import type { FairShare } from './fair-share.js'
import { createInlineCast } from './inline-cast.js'
import type { CharacterLimits, Quotas } from './limits.js'
import type { Logger } from './logger.js'
import type { Packs } from './packs.js'
import type { Plan } from './plan.js'
import type { Plans } from './plans.js'
import type { LoadedCast } from './registry.js'
import type { Reports } from './reports.js'
import { refuse, type Place, type Roots } from './roots.js'
import { layCasts, type SomeCast } from './some-cast.js'
import { Sources } from './sources.js'
import type { Watchdog } from './watchdog.js'
import type { Stall, WatchdogThread } from './watchdog-thread.js'

/** What one session may load. */
export interface Bounds {
  roots: Roots
  quotas: Quotas
  /** Nothing else of its directory is loaded. */
  file: string | undefined
}

export interface LoaderOptions {
  plans: Plans
  packs: Packs
  limits: CharacterLimits
  share: FairShare
  thread: WatchdogThread
  watchdog: Watchdog
  reports: Reports
  log: Logger
}

export class Loader {
  readonly #options: LoaderOptions
  readonly #casts = new Set<Cast>()
  /** What must be over before the library is closed. */
  readonly #ending = new Set<Promise<unknown>>()

  constructor (options: LoaderOptions) {
    this.#options = options
  }

  /** Casts of directories that are alive. */
  get live (): number {
    return this.#casts.size
  }

  /** Loads what a client wants, all of its sources or nothing. Rejects with a {@link RealtimeError}. */
  async load ({ roots, quotas, file }: Bounds, wanted: unknown, session: SessionFacts, reload: boolean): Promise<LoadedCast> {
    const started = performance.now()
    if (!(wanted instanceof Sources) && typeof wanted !== 'string') roots.resolve(wanted) // Refuses it
    const sources = wanted instanceof Sources ? wanted : new Sources([String(wanted)], 'directory')
    sources.check(quotas)
    const { watchdog, reports } = this.#options
    const loading = Promise.allSettled(sources.list.map(async source => typeof source === 'object'
      ? createInlineCast(source.characters, { session, guard: (ms, call) => { watchdog.run(ms, call) } })
      : await this.#loadDirectory(roots, source, session, { param: sources.param, file, castBytes: quotas.castBytes })))
    const letGo = (results: Awaited<typeof loading>) => Promise.all(results.map(async result => { if (result.status === 'fulfilled') await this.release(result.value, session) }))
    const results = await within(quotas.castMs, loading)
    if (results === undefined) {
      // It goes on where it cannot be stopped; what comes of it is let go. Its code has limits of its own
      this.#await(loading.then(letGo))
      throw new RealtimeError('load_timeout', { param: sources.param, message: `Loading the cast took longer than ${quotas.castMs} ms.` })
    }
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) {
      await letGo(results)
      throw failed.reason
    }
    const cast = layCasts(results.flatMap(result => result.status === 'fulfilled' ? [result.value] : []))
    const excess = findExcess(cast, quotas, sources.param)
    if (excess !== undefined) {
      await this.release(cast, session)
      throw excess
    }
    const { name, version, characters, errors, totalFiles } = cast
    const durationMs = Math.round((performance.now() - started) * 100) / 100
    reports.loaded(cast, session, durationMs, reload)
    return {
      cast,
      version,
      report: {
        directory: name,
        loaded_count: characters.length,
        error_count: errors.length,
        total_files: totalFiles,
        duration_ms: durationMs,
        errors: [...errors]
      }
    }
  }

  async release (cast: SomeCast, session: SessionFacts): Promise<void> {
    const { name } = cast
    await this.#await(cast.purge().finally(() => this.#options.reports.purged(name, session)))
  }

  /** Tells whose code held the event loop. */
  stalled ({ frames, ms }: Stall): void {
    for (const cast of this.#casts) {
      const who = cast.identify(frames)
      if (who !== undefined) return this.#options.reports.stuck(who, ms)
    }
  }

  /** Resolves when everything that was let go is gone, also what nobody waits for any more. */
  async settle (): Promise<void> {
    while (this.#ending.size > 0) await Promise.allSettled(this.#ending)
  }

  #await<T> (ending: Promise<T>): Promise<T> {
    this.#ending.add(ending)
    const over = () => { this.#ending.delete(ending) }
    ending.then(over, over)
    return ending
  }

  /** One cast from its files, in the version that the directory has or in the one that is named. */
  async #loadDirectory (roots: Roots, directory: string, session: SessionFacts, { param, file, castBytes }: { param: string, file: string | undefined, castBytes: number }): Promise<Cast> {
    const { plans, packs, limits, share, thread, watchdog, reports, log } = this.#options
    const [, base, version] = /^(.+)@([0-9a-f]{12})$/s.exec(directory) ?? [undefined, directory]
    let place: Place
    let plan: Plan | undefined
    try {
      place = await packs.open(roots.resolve(base))
      plan = version === undefined ? await plans.get(place) : await plans.getVersion(place, version)
      // An earlier content of a packed cast lies elsewhere
      place = { ...place, path: plan?.directory ?? place.path, root: plan?.root ?? place.root }
    } catch (error) {
      const told = isGone(error) ? refuse('directory_not_readable', 'The directory went away while it was read.') : error
      throw told instanceof RealtimeError && told.param === 'directory' ? new RealtimeError(told.code, { message: told.message, param }) : told
    }
    if (plan === undefined) throw new RealtimeError('version_not_found', { param, message: `'${place.name}' is not kept in the version ${version}.` })
    // Before any of it runs
    if (plan.bytes > castBytes) throw tooLarge(place.name, plan.bytes, castBytes, param)
    await thread.ready
    const cast: Cast = new Cast({
      plan,
      only: file,
      place,
      ...version === undefined ? {} : { name: `${place.name}@${version}` },
      session,
      share,
      limits,
      log,
      watchdog,
      onEnd: () => { if (this.#casts.delete(cast) && this.#casts.size === 0) thread.watch(false) },
      onFault: (fault, file, character) => reports.fault(fault, file, session, character)
    })
    if (this.#casts.add(cast).size === 1) thread.watch(true)
    try {
      await cast.load()
    } catch (error) {
      await this.release(cast, session)
      throw error
    }
    return cast
  }
}

/** The directory was there when it was checked, and then it was not. */
function isGone (error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function findExcess ({ name, characters, bytes }: SomeCast, quotas: Quotas, param: string): RealtimeError | undefined {
  if (bytes > quotas.castBytes) return tooLarge(name, bytes, quotas.castBytes, param)
  if (characters.length <= quotas.characters) return undefined
  return new RealtimeError('too_many_characters', { param, message: `'${name}' has ${characters.length} characters, and a session may have ${quotas.characters}.` })
}

function tooLarge (name: string, bytes: number, castBytes: number, param: string): RealtimeError {
  return new RealtimeError('cast_too_large', { param, message: `'${name}' has ${bytes} bytes, and a cast may have ${castBytes}.` })
}

/** Undefined if it takes longer. */
async function within<T> (ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>(resolve => { timer = setTimeout(resolve, ms, undefined) })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}

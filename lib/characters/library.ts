/**
 * Where sessions get their characters: the roots, and what all sessions share (sources, compiled
 * code, plans, the watchdog). One library a server.
 */
import { RealtimeError } from '../errors.js'
import { CardFiles } from './cards/files.js'
import { Cast } from './cast.js'
import type { SessionFacts } from './character.js'
import { Compiler } from './compiler.js'
import { claimCrashes } from './crashes.js'
import { holdCompiler } from './esbuild.js'
import { FairShare } from './fair-share.js'
import { Fault, type FaultCode } from './fault.js'
import { Flood } from './flood.js'
import { loadHelpers } from './helpers.js'
import { createInlineCast } from './inline-cast.js'
import { readLimits, type CharacterLimits, type Quotas } from './limits.js'
import type { LoadedCharacter } from './loaded-character.js'
import { silent, type Logger } from './logger.js'
import { Packs } from './packs.js'
import type { Plan } from './plan.js'
import { Plans } from './plans.js'
import { explain } from './positions.js'
import { CharacterRegistry, type LoadedCast } from './registry.js'
import { Sources as SourceFiles } from './resolver.js'
import { DEFAULT_ROOT, refuse, Roots, type Place } from './roots.js'
import { Purged } from './scope.js'
import { layCasts, type SomeCast } from './some-cast.js'
import { Sources } from './sources.js'
import { Units } from './unit.js'
import { Watchdog } from './watchdog.js'
import { Watcher } from './watcher.js'
import { WatchdogThread, type Stall } from './watchdog-thread.js'

export type { CharacterLimits } from './limits.js'
export type { Logger } from './logger.js'

/** What happens to casts, for metrics. */
export type CharacterEvent =
  /** A cast was loaded, at the start of a session or by a reload. */
  | { type: 'loaded', session: string, directory: string, count: number, errors: number, durationMs: number, reload: boolean }
  /** A file of a cast could not be loaded. */
  | { type: 'load_error', session: string, code: FaultCode }
  /** Prompt, tool, timer or dispose code failed. */
  | { type: 'fault', session: string, code: FaultCode }
  /** A session's cast is gone. */
  | { type: 'purged', session: string, directory: string }
  /** Character code held the event loop where it cannot be interrupted. */
  | { type: 'stuck', character: string, file: string, ms: number }

export interface CharacterLibraryOptions {
  /** The default cast: the root `default`. */
  directory: string
  /** Further roots: name to path. */
  roots?: Readonly<Record<string, string>>
  limits?: Partial<CharacterLimits>
  /** Tell sessions of changed files. Default false. */
  watch?: boolean
  /** Where faults of character code are told; default nowhere. */
  log?: Logger
  /** Called for each event; must not throw. */
  observe?: (event: CharacterEvent) => void
}

/** What one session may load. */
export interface Allowance {
  /** Names of the roots that it may load from, beside `default`; default: all. */
  roots?: readonly string[] | undefined
  /** In place of the library's own limits. */
  quotas?: Partial<Quotas> | undefined
  /** Name of a file: nothing else of its directory is loaded. */
  file?: string | undefined
}

export interface CharacterLibrary {
  /** The directory that a client means. Rejects with a RealtimeError of the directory codes, param `directory`. */
  resolve (directory: unknown): Promise<Place>
  /**
   * Instantiates a cast in a fresh namespace; default: the default cast. One without any valid character is an empty registry.
   *
   * @param allowance what the session may load; default: everything
   */
  open (session: SessionFacts, directory?: string | Sources, allowance?: Allowance): Promise<CharacterRegistry>
  /** Compiles a cast, so that the first session that names it does not wait; runs nothing of it. Resolves with its version. Rejects as {@link resolve} does. */
  prepare (directory: string): Promise<string>
  /** Resolves when changes of files will be told, if they are watched. */
  readonly watching: Promise<void>
  /** Namespaces alive. */
  readonly live: number
  /** Purges what is left, stops the compiler and the watchdog thread. */
  close (): Promise<void>
}

/** An allowance, settled. */
interface Bounds { roots: Roots, quotas: Quotas, file: string | undefined }

/** The directory was there when it was checked, and then it was not. */
function gone (error: unknown): boolean {
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

export function createCharacterLibrary (options: CharacterLibraryOptions): CharacterLibrary {
  const allRoots = new Roots(options.directory, options.roots)
  const limits = readLimits(options.limits)
  const log = options.log ?? silent
  const observe = options.observe ?? (() => {})

  const share = new FairShare()
  const workshop = { sources: new SourceFiles(limits.cacheBytes), cards: new CardFiles(limits.cacheBytes), compiler: new Compiler(limits.cacheBytes, share), units: new Units(limits.cacheBytes), share, hostMs: limits.asyncLoadMs }
  const plans = new Plans(workshop, limits.versions)
  const packs = new Packs(limits.versions)
  const thread = new WatchdogThread({ stallMs: limits.stallMs, onStall })
  const crashes = claimCrashes(onCrash)
  const watchdog = new Watchdog(thread, crashes.enter)
  const letCompilerGo = holdCompiler()
  const registries = new Set<CharacterRegistry>()
  const releasing = new Set<Promise<void>>()
  const casts = new Set<Cast>()
  const flood = new Flood()
  const watcher = options.watch === true
    ? new Watcher([options.directory, ...Object.values(options.roots ?? {})], () => { for (const registry of registries) registry.notify() }, log)
    : undefined
  let closed = false
  // Ready before the first session comes; if it fails, that session's load says so
  thread.start()
  loadHelpers().catch(() => {})

  function onStall ({ frames, ms }: Stall): void {
    for (const cast of casts) {
      const who = cast.identify(frames)
      if (who === undefined) continue
      observe({ type: 'stuck', character: who.character, file: who.file, ms })
      tell(`stuck ${who.file}:${who.line}`, { ...who, ms }, 'Character code held the event loop after an await, where it cannot be interrupted')
      return
    }
  }

  function onFault (fault: Fault, file: string, session: SessionFacts, character: LoadedCharacter | undefined): void {
    observe({ type: 'fault', session: session.id, code: fault.code })
    const { line, column } = fault.place
    tell(`${fault.code} ${file}:${line}`, { session: session.id, character: character?.name, file, line, column, code: fault.code }, fault.message)
  }

  /** It is a cast's if code of it stands in the stack, or if it was made while such code ran. */
  function onCrash (reason: unknown, how: 'rejected' | 'thrown', entered: boolean): boolean {
    if (reason instanceof Purged || (reason instanceof Error && reason.cause instanceof Purged)) return true
    const { place, message } = reason instanceof Fault ? reason : explain(reason, file => plans.find(file))
    if (place === undefined && !entered) return false
    const what = how === 'rejected' ? 'A promise was rejected and nobody awaits it' : 'It was thrown where nobody catches it'
    tell(`${how} ${place?.file}:${place?.line ?? message}`, { ...place, code: 'execution_error' }, `${what}: ${message}`)
    return true
  }

  function tell (key: string, fields: object, message: string): void {
    const again = flood.count(key)
    if (again !== undefined) log.warn(again === 0 ? fields : { ...fields, again }, message)
  }

  async function load ({ roots, quotas, file }: Bounds, wanted: unknown, session: SessionFacts, reload: boolean): Promise<LoadedCast> {
    if (closed) throw new Error('The character library is closed.')
    const started = performance.now()
    if (!(wanted instanceof Sources) && typeof wanted !== 'string') roots.resolve(wanted) // Refuses it
    const sources = wanted instanceof Sources ? wanted : new Sources([String(wanted)], 'directory')
    sources.check(quotas)
    const loading = Promise.allSettled(sources.list.map(async source => typeof source === 'object'
      ? createInlineCast(source.characters, { session, guard: (ms, call) => { watchdog.run(ms, call) } })
      : await loadDirectory(roots, source, session, { param: sources.param, file, castBytes: quotas.castBytes })))
    const letGo = (results: Awaited<typeof loading>) => Promise.all(results.map(async result => { if (result.status === 'fulfilled') await release(result.value, session) }))
    const results = await within(quotas.castMs, loading)
    if (results === undefined) {
      // It goes on where it cannot be stopped; what comes of it is let go. Its code has limits of its own
      late(loading.then(letGo))
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
      await release(cast, session)
      throw excess
    }
    const { name, version, characters, errors, totalFiles } = cast
    const durationMs = Math.round((performance.now() - started) * 100) / 100
    for (const { code, file, line, column, message } of errors) {
      observe({ type: 'load_error', session: session.id, code })
      tell(`${code} ${name} ${file}:${line}`, { session: session.id, directory: name, file, line, column, code }, message)
    }
    observe({ type: 'loaded', session: session.id, directory: name, count: characters.length, errors: errors.length, durationMs, reload })
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

  /** One cast from its files, in the version that the directory has or in the one that is named. */
  async function loadDirectory (roots: Roots, directory: string, session: SessionFacts, { param, file: only, castBytes }: { param: string, file: string | undefined, castBytes: number }): Promise<Cast> {
    const [, base, version] = /^(.+)@([0-9a-f]{12})$/s.exec(directory) ?? [undefined, directory]
    let place: Place
    let plan: Plan | undefined
    try {
      place = await packs.open(roots.resolve(base))
      plan = version === undefined ? await plans.get(place) : await plans.getVersion(place, version)
      // An earlier content of a packed cast lies elsewhere
      place = { ...place, path: plan?.directory ?? place.path, root: plan?.root ?? place.root }
    } catch (error) {
      const told = gone(error) ? refuse('directory_not_readable', 'The directory went away while it was read.') : error
      throw told instanceof RealtimeError && told.param === 'directory' ? new RealtimeError(told.code, { message: told.message, param }) : told
    }
    if (plan === undefined) throw new RealtimeError('version_not_found', { param, message: `'${place.name}' is not kept in the version ${version}.` })
    // Before any of it runs
    if (plan.bytes > castBytes) throw tooLarge(place.name, plan.bytes, castBytes, param)
    await thread.ready
    const cast: Cast = new Cast({
      plan,
      only,
      place,
      ...version === undefined ? {} : { name: `${place.name}@${version}` },
      session,
      share,
      limits,
      log,
      watchdog,
      onEnd: () => { if (casts.delete(cast) && casts.size === 0) thread.watch(false) },
      onFault: (fault, file, character) => onFault(fault, file, session, character)
    })
    if (casts.add(cast).size === 1) thread.watch(true)
    try {
      await cast.load()
    } catch (error) {
      await release(cast, session)
      throw error
    }
    return cast
  }

  /** Something that nobody waits for any more, and that must be over when the library closes. */
  function late (ending: Promise<unknown>): void {
    const over: Promise<void> = ending.then(() => {}, () => {}).finally(() => releasing.delete(over))
    releasing.add(over)
  }

  function release (cast: SomeCast, session: SessionFacts): Promise<void> {
    const { name } = cast
    const released = cast.purge().finally(() => {
      releasing.delete(released)
      observe({ type: 'purged', session: session.id, directory: name })
    })
    releasing.add(released)
    return released
  }

  return {
    async resolve (directory) {
      return await packs.open(allRoots.resolve(directory))
    },

    async open (session, directory = DEFAULT_ROOT, { roots: names, quotas, file } = {}) {
      if (closed) throw new Error('The character library is closed.')
      const bounds = { roots: names === undefined ? allRoots : allRoots.only(names), quotas: { ...limits, ...quotas }, file }
      const loaded = await load(bounds, directory, session, false)
      const registry = new CharacterRegistry({
        session,
        directory,
        loaded,
        load: (directory, session, reload) => load(bounds, directory, session, reload),
        release: cast => release(cast, session),
        onPurge: registry => registries.delete(registry)
      })
      registries.add(registry)
      if (closed) await registry.purge()
      return registry
    },

    async prepare (directory) {
      return (await plans.get(await packs.open(allRoots.resolve(directory)))).version
    },

    get watching () { return watcher?.ready ?? Promise.resolve() },

    get live () { return casts.size },

    async close () {
      closed = true
      await watcher?.close()
      await Promise.all([...registries].map(registry => registry.purge()))
      // What loads when nobody waits any more ends in a purge
      while (releasing.size > 0) await Promise.all(releasing)
      await Promise.all([thread.stop(), letCompilerGo()])
      watchdog.close()
      crashes.release()
      plans.clear()
      packs.close()
      workshop.sources.clear()
      workshop.cards.clear()
      workshop.compiler.clear()
      workshop.units.clear()
    }
  }
}

/**
 * Where sessions get their characters: the roots, and what all sessions share (sources, compiled
 * code, plans, the watchdog). One library a server.
 */
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
import { readLimits, type CharacterLimits } from './limits.js'
import type { LoadedCharacter } from './loaded-character.js'
import { silent, type Logger } from './logger.js'
import { Plans } from './plans.js'
import { explain } from './positions.js'
import { CharacterRegistry, type LoadedCast } from './registry.js'
import { Sources } from './resolver.js'
import { DEFAULT_ROOT, refuse, Roots, type Place } from './roots.js'
import { Purged } from './scope.js'
import { Units } from './unit.js'
import { Watchdog } from './watchdog.js'
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
  /** Where faults of character code are told; default nowhere. */
  log?: Logger
  /** Called for each event; must not throw. */
  observe?: (event: CharacterEvent) => void
}

export interface CharacterLibrary {
  /** The directory that a client means. Rejects with a RealtimeError of the directory codes, param `directory`. */
  resolve (directory: unknown): Promise<Place>
  /**
   * Instantiates a cast in a fresh namespace; default: the default cast. One without any valid character is an empty registry.
   *
   * @param roots names of those that the session may load from, beside `default`; default: all
   */
  open (session: SessionFacts, directory?: string, roots?: readonly string[]): Promise<CharacterRegistry>
  /** Namespaces alive. */
  readonly live: number
  /** Purges what is left, stops the compiler and the watchdog thread. */
  close (): Promise<void>
}

/** The directory was there when it was checked, and then it was not. */
function gone (error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

export function createCharacterLibrary (options: CharacterLibraryOptions): CharacterLibrary {
  const allRoots = new Roots(options.directory, options.roots)
  const limits = readLimits(options.limits)
  const log = options.log ?? silent
  const observe = options.observe ?? (() => {})

  const share = new FairShare()
  const workshop = { sources: new Sources(limits.cacheBytes), cards: new CardFiles(limits.cacheBytes), compiler: new Compiler(limits.cacheBytes, share), units: new Units(limits.cacheBytes), share, hostMs: limits.asyncLoadMs }
  const plans = new Plans(workshop)
  const thread = new WatchdogThread({ stallMs: limits.stallMs, onStall })
  const crashes = claimCrashes(onCrash)
  const watchdog = new Watchdog(thread, crashes.enter)
  const letCompilerGo = holdCompiler()
  const registries = new Set<CharacterRegistry>()
  const releasing = new Set<Promise<void>>()
  const casts = new Set<Cast>()
  const flood = new Flood()
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

  async function load (roots: Roots, directory: unknown, session: SessionFacts, reload: boolean): Promise<LoadedCast> {
    const started = performance.now()
    const place = roots.resolve(directory)
    const plan = await plans.get(place.path, place.root).catch((error: unknown) => {
      throw gone(error) ? refuse('directory_not_readable', 'The directory went away while it was read.') : error
    })
    await thread.ready
    const cast = new Cast({ plan, place, session, share, limits, log, watchdog, onFault: (fault, file, character) => onFault(fault, file, session, character) })
    if (casts.add(cast).size === 1) thread.watch(true)
    try {
      await cast.load()
    } catch (error) {
      await release(cast, session)
      throw error
    }
    const durationMs = Math.round((performance.now() - started) * 100) / 100
    for (const { code, file, line, column, message } of cast.errors) {
      observe({ type: 'load_error', session: session.id, code })
      tell(`${code} ${place.name} ${file}:${line}`, { session: session.id, directory: place.name, file, line, column, code }, message)
    }
    observe({ type: 'loaded', session: session.id, directory: place.name, count: cast.characters.length, errors: cast.errors.length, durationMs, reload })
    return {
      cast,
      report: {
        directory: place.name,
        loaded_count: cast.characters.length,
        error_count: cast.errors.length,
        total_files: cast.totalFiles,
        duration_ms: durationMs,
        errors: cast.errors
      }
    }
  }

  function release (cast: Cast, session: SessionFacts): Promise<void> {
    const released = cast.purge().finally(() => {
      if (casts.delete(cast) && casts.size === 0) thread.watch(false)
      releasing.delete(released)
      observe({ type: 'purged', session: session.id, directory: cast.place.name })
    })
    releasing.add(released)
    return released
  }

  return {
    async resolve (directory) {
      return allRoots.resolve(directory)
    },

    async open (session, directory = DEFAULT_ROOT, names) {
      if (closed) throw new Error('The character library is closed.')
      const roots = names === undefined ? allRoots : allRoots.only(names)
      const loaded = await load(roots, directory, session, false)
      const registry = new CharacterRegistry({
        session,
        loaded,
        load: (directory, session, reload) => load(roots, directory, session, reload),
        release: cast => release(cast, session),
        onPurge: registry => registries.delete(registry)
      })
      registries.add(registry)
      if (closed) await registry.purge()
      return registry
    },

    get live () { return casts.size },

    async close () {
      closed = true
      await Promise.all([...registries].map(registry => registry.purge()))
      await Promise.all(releasing)
      await Promise.all([thread.stop(), letCompilerGo()])
      crashes.release()
      plans.clear()
      workshop.sources.clear()
      workshop.cards.clear()
      workshop.compiler.clear()
      workshop.units.clear()
    }
  }
}

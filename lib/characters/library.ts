/**
 * Where sessions get their characters: the roots, and what all sessions share (sources, compiled
 * code, plans, the watchdog). One library a server.
 */
import { CardFiles } from './cards/files.js'
import type { SessionFacts } from './character.js'
import { Compiler } from './compiler.js'
import { claimCrashes } from './crashes.js'
import { holdCompiler } from './esbuild.js'
import { FairShare } from './fair-share.js'
import { loadHelpers } from './helpers.js'
import { readLimits, type CharacterLimits, type Quotas } from './limits.js'
import { Loader } from './loader.js'
import { silent, type Logger } from './logger.js'
import { Packs } from './packs.js'
import { Plans } from './plans.js'
import { CharacterRegistry } from './registry.js'
import { Reports, type CharacterEvent } from './reports.js'
import { Sources as SourceFiles } from './resolver.js'
import { DEFAULT_ROOT, Roots, type Place } from './roots.js'
import type { Sources } from './sources.js'
import { Units } from './unit.js'
import { Watchdog } from './watchdog.js'
import { WatchdogThread } from './watchdog-thread.js'
import { Watcher } from './watcher.js'

export type { CharacterEvent } from './reports.js'
export type { CharacterLimits } from './limits.js'
export type { Logger } from './logger.js'

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

export function createCharacterLibrary (options: CharacterLibraryOptions): CharacterLibrary {
  const allRoots = new Roots(options.directory, options.roots)
  const limits = readLimits(options.limits)
  const log = options.log ?? silent

  const share = new FairShare()
  const workshop = { sources: new SourceFiles(limits.cacheBytes), cards: new CardFiles(limits.cacheBytes), compiler: new Compiler(limits.cacheBytes, share), units: new Units(limits.cacheBytes), share, hostMs: limits.asyncLoadMs }
  const plans = new Plans(workshop, limits.versions)
  const packs = new Packs(limits.versions)
  const reports = new Reports(log, options.observe ?? (() => {}))
  const thread = new WatchdogThread({ stallMs: limits.stallMs, onStall: stall => loader.stalled(stall) })
  const crashes = claimCrashes((reason, how, entered) => reports.crash(reason, how, entered, file => plans.find(file)))
  const watchdog = new Watchdog(thread, crashes.enter)
  const loader = new Loader({ plans, packs, limits, share, thread, watchdog, reports, log })
  const letCompilerGo = holdCompiler()
  const registries = new Set<CharacterRegistry>()
  const watcher = options.watch === true
    ? new Watcher([options.directory, ...Object.values(options.roots ?? {})], () => { for (const registry of registries) registry.notify() }, log)
    : undefined
  let closed = false
  // Ready before the first session comes; if it fails, that session's load says so
  thread.start()
  loadHelpers().catch(() => {})

  return {
    async resolve (directory) {
      return await packs.open(allRoots.resolve(directory))
    },

    async open (session, directory = DEFAULT_ROOT, { roots: names, quotas, file } = {}) {
      const bounds = { roots: names === undefined ? allRoots : allRoots.only(names), quotas: { ...limits, ...quotas }, file }
      const load = async (directory: unknown, session: SessionFacts, reload: boolean) => {
        if (closed) throw new Error('The character library is closed.')
        return await loader.load(bounds, directory, session, reload)
      }
      const registry = new CharacterRegistry({
        session,
        directory,
        loaded: await load(directory, session, false),
        load,
        release: cast => loader.release(cast, session),
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

    get live () { return loader.live },

    async close () {
      closed = true
      await watcher?.close()
      await Promise.all([...registries].map(registry => registry.purge()))
      // What loads when nobody waits any more ends in a purge
      await loader.settle()
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

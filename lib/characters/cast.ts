/** The characters of one directory, instantiated for one session: loading them, and letting them go. */
import { relative, sep } from 'node:path'
import { readDefinitionOf } from './card-module.js'
import type { SessionFacts } from './character.js'
import { Calls } from './calls.js'
import type { FairShare } from './fair-share.js'
import { locateField } from './field-position.js'
import { Fault, type FileError } from './fault.js'
import { CardCharacter, type CardHost } from './cards/card-character.js'
import type { LoadedCharacter } from './loaded-character.js'
import type { Logger } from './logger.js'
import { ModuleCharacter } from './module-character.js'
import { Namespace, type NamespaceOptions } from './namespace.js'
import type { Entry } from './plan.js'
import type { Place } from './roots.js'
import type { SomeCast } from './some-cast.js'
import type { Problem } from './validation.js'

export interface CastOptions extends Omit<NamespaceOptions, 'onFault'> {
  place: Place
  /** What it is called in answers, if that is not the name of its place. */
  name?: string
  /** Name of the only file that is loaded; undefined: all are. */
  only?: string | undefined
  session: SessionFacts
  share: FairShare
  log: Logger
  /** All of it is gone. */
  onEnd: () => void
  /** A fault of running code. */
  onFault: (fault: Fault, file: string, character: LoadedCharacter | undefined) => void
}

export class Cast implements SomeCast {
  readonly place: Place
  readonly characters: LoadedCharacter[] = []
  readonly errors: FileError[] = []
  readonly #options: CastOptions
  readonly #namespace: Namespace
  readonly #calls: Calls
  readonly #host: CardHost
  #purged: Promise<void> | undefined

  constructor (options: CastOptions) {
    const { place, session, limits, log, onFault } = options
    this.#options = options
    this.place = place
    this.#namespace = new Namespace({ ...options, onFault: fault => onFault(fault, this.#fileName(fault.place.file), undefined) })
    this.#host = { session, guard: (ms, call) => options.watchdog.run(ms, call) }
    this.#calls = new Calls({
      namespace: this.#namespace,
      session,
      limits,
      log,
      fileName: path => this.#fileName(path),
      onFault: (fault, character) => onFault(fault, this.#fileName(fault.place.file), character)
    })
  }

  /** Whose code stands in a call stack: the character, or else the file. */
  identify (frames: Parameters<Namespace['locate']>[0]): { character: string, file: string, line: number | null } | undefined {
    const place = this.#namespace.locate(frames)
    if (place === undefined) return undefined
    const character = this.characters.find(({ file }) => frames.some(frame => frame.file === file))
    const file = this.#fileName(place.file)
    return { character: character?.name ?? file, file, line: place.line }
  }

  get name (): string { return this.#options.name ?? this.place.name }
  get bytes (): number { return this.#options.plan.bytes }
  get version (): string { return this.#options.plan.version }
  get totalFiles (): number { return this.#entries.length }
  get #entries (): readonly Entry[] {
    const { plan: { entries }, only } = this.#options
    return only === undefined ? entries : entries.filter(({ name }) => name === only)
  }

  /** Ends every call, disposes every character, closes what they opened, forgets them. Once. */
  purge (): Promise<void> {
    this.#purged ??= this.#end().finally(() => this.#options.onEnd())
    return this.#purged
  }

  /** Instantiates all that can be; the faults of the others are in `errors`. */
  async load (): Promise<void> {
    const entries = this.#entries
    const outcomes = new Map<Entry, LoadedCharacter | Fault>()
    const later: Promise<void>[] = []
    const queue: Entry[] = []
    for (const entry of entries) {
      if (entry.fault !== undefined) outcomes.set(entry, entry.fault)
      else if (entry.card !== null) outcomes.set(entry, new CardCharacter(entry.file, entry.card, entry.picture, this.#host))
      else if (entry.order === null) queue.push(entry)
      else later.push(this.#loadAwaiting(entry, entry.order, outcomes))
    }
    while (queue.length > 0) await this.#options.share.run(() => this.#loadBatch(queue, outcomes))
    await Promise.all(later)

    const names = new Map<string, string>()
    for (const entry of entries) {
      let outcome = outcomes.get(entry)!
      if (!(outcome instanceof Fault)) {
        const other = names.get(outcome.name)
        if (other !== undefined) outcome = this.#toFault(entry, { code: 'duplicate_name', message: `name: '${outcome.name}' is the name of ${other} too.`, path: ['name'] })
      }
      if (outcome instanceof Fault) this.errors.push(this.#toFileError(outcome, entry))
      else {
        names.set(outcome.name, entry.name)
        this.characters.push(outcome)
      }
    }
  }

  /** As many files as fit into one turn of the queue, under one watchdog. One that is interrupted ends the batch. */
  #loadBatch (queue: Entry[], outcomes: Map<Entry, LoadedCharacter | Fault>): void {
    const { share } = this.#options
    let current = queue[0]!
    try {
      this.#namespace.guard(() => {
        do {
          current = queue.shift()!
          outcomes.set(current, this.#instantiate(current, () => this.#namespace.evaluate(current.module!)))
        } while (queue.length > 0 && !share.spent)
      })
    } catch (error) {
      outcomes.set(current, error as Fault)
    }
  }

  async #loadAwaiting (entry: Entry, order: Entry['order'] & object, outcomes: Map<Entry, LoadedCharacter | Fault>): Promise<void> {
    try {
      const exports = await this.#namespace.evaluateInOrder(order)
      outcomes.set(entry, this.#namespace.guard(() => this.#instantiate(entry, () => exports)))
    } catch (error) {
      outcomes.set(entry, error as Fault)
    }
  }

  #instantiate (entry: Entry, evaluate: () => object): LoadedCharacter | Fault {
    try {
      const exports = evaluate()
      const value: unknown = 'default' in exports ? exports.default : undefined
      const read = 'default' in exports
        ? readDefinitionOf(value, entry.name)
        : { code: 'invalid_character' as const, message: 'The file has no default export: a character is expected.', path: [] }
      if ('code' in read) return this.#toFault(entry, read)
      const card = read.card === undefined ? undefined : new CardCharacter(entry.file, read.card, undefined, this.#host)
      return new ModuleCharacter(entry.file, read, this.#calls, { picture: entry.picture, card })
    } catch (error) {
      return this.#namespace.toFault(error, { file: entry.module!.source.file, line: null, column: null })
    }
  }

  #toFault (entry: Entry, { code, message, path }: Problem): Fault {
    const unit = entry.module?.unit ?? null
    const place = unit === null ? undefined : locateField(unit.code, path)
    return new Fault(code, message, { file: entry.file, line: place?.line ?? 1, column: place?.column ?? 1 })
  }

  /** A fault of a helper is told where it is, with the character that needs it. */
  #toFileError ({ code, message, place }: Fault, entry: Entry): FileError {
    const { line, column } = place
    const own = place.file === entry.file || entry.module === null
    return { file: own ? entry.name : this.#fileName(place.file), line, column, code, message: own ? message : `${message} (needed by ${entry.name})` }
  }

  #fileName (path: string): string {
    return relative(this.place.path, path).split(sep).join('/')
  }

  async #end (): Promise<void> {
    await this.#calls.retire()
    await this.#dispose()
    this.#namespace.purge()
    this.characters.length = 0
  }

  async #dispose (): Promise<void> {
    const waiting: Promise<unknown>[] = []
    for (const character of this.characters) {
      if (!character.disposable) continue
      const fail = (error: unknown) => {
        const fault = this.#namespace.toFault(error, { file: character.file, line: null, column: null })
        this.#options.onFault(fault, this.#fileName(fault.place.file), character)
      }
      try {
        const result = this.#namespace.call(() => character.dispose())
        if (result instanceof Promise) waiting.push(result.catch(fail))
      } catch (error) {
        fail(error)
      }
    }
    if (waiting.length === 0) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise(resolve => { timer = setTimeout(resolve, this.#options.limits.disposeMs) })
    await Promise.race([Promise.all(waiting), late])
    clearTimeout(timer)
  }
}

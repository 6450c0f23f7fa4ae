/**
 * The module graph of one cast, shared by all sessions: which files, in which order, linked to what.
 * Nothing of it runs here. A plan holds as long as the directory and every file in it stay as they
 * were, which costs one `stat` for each.
 */
import { readdirSync, statSync } from 'node:fs'
import { extname, join, parse, relative } from 'node:path'
import type { Compiler, Import } from './compiler.js'
import type { Card } from './cards/card.js'
import { isCardFile, type CardFile, type CardFiles } from './cards/files.js'
import { locatePicture, type Picture } from './cards/picture.js'
import type { FairShare } from './fair-share.js'
import { Fault, type FaultCode } from './fault.js'
import { missingNames } from './missing-names.js'
import { importHost } from './packages.js'
import type { LineColumn } from './positions.js'
import { ImportProblem, languages, readSpecifier, type SeenPaths, type Sources } from './resolver.js'
import { versionOf } from './some-cast.js'
import { isStill, isUnchanged, OutsideRoot, toStamp, type Source, type Stamp } from './source.js'
import type { Unit, Units } from './unit.js'
import * as provided from './character.js'

/** What a specifier is linked to: another module of the namespace, or one that the process shares. */
export type Link = { module: Module } | { host: object, specifier: string }

/** One file of the graph. */
export interface Module {
  readonly source: Source
  readonly unit: Unit | null
  /** Text of a JSON module. */
  readonly json: string | null
  readonly links: Map<string, Link>
  /** Its own fault. */
  fault: Fault | undefined
}

/** A character file. */
export interface Entry {
  /** Name of the file in the directory. */
  readonly name: string
  readonly module: Module | null
  /** What the file is, if it is a card: there is no code behind it. */
  readonly card: Card | null
  /** Real path. */
  readonly file: string
  /** The card's own, or one that lies beside the file and has its name. */
  readonly picture: Picture | undefined
  /** Its fault, or that of a file it needs: it cannot be loaded. */
  readonly fault: Fault | undefined
  /** Everything it needs and itself, imported ones first; only if something of it has top-level await. */
  readonly order: readonly Module[] | null
}

/** What plans are made with; one set a library. */
export interface Workshop {
  readonly sources: Sources
  readonly cards: CardFiles
  readonly compiler: Compiler
  readonly units: Units
  readonly share: FairShare
  /** Milliseconds that importing a package may take. */
  readonly hostMs: number
}

export class Plan {
  /** Real path. */
  readonly directory: string
  readonly root: string
  readonly entries: Entry[] = []
  /** Of the content of all its files. */
  version = ''
  readonly #workshop: Workshop
  readonly #modules = new Map<string, Module>()
  readonly #cards = new Map<string, CardFile>()
  /** Paths where a file would change what an import means. */
  readonly #absent = new Set<string>()
  #stamp: Stamp | undefined
  /** Something failed that may work the next time, though no file changes. */
  #fleeting = false

  private constructor (directory: string, root: string, workshop: Workshop) {
    this.directory = directory
    this.root = root
    this.#workshop = workshop
  }

  static async build (directory: string, root: string, workshop: Workshop): Promise<Plan> {
    const plan = new Plan(directory, root, workshop)
    plan.#stamp = toStamp(statSync(directory))
    const names = listCharacterFiles(directory)
    const found: { name: string, module: Module | null, fault?: Fault }[] = []
    await plan.#grow(names.modules.map(name => async () => {
      const entry = await plan.#loadEntry(name)
      if (entry !== undefined) found.push(entry)
      return entry?.module ?? undefined
    }))
    for (const { name, module, fault } of found) {
      const order = module === null ? [] : postOrder(module)
      plan.entries.push({
        name,
        module,
        card: null,
        file: module?.source.file ?? join(directory, name),
        picture: undefined,
        fault: fault ?? order.find(({ fault }) => fault !== undefined)?.fault,
        order: order.some(({ unit }) => unit?.code.async) ? order : null
      })
    }
    await plan.#addCards(names.cards)
    plan.entries.sort((a, b) => a.name < b.name ? -1 : 1)
    const contents = [...plan.#modules.values()].map(({ source }) => source)
    plan.version = versionOf([...contents, ...plan.#cards.values()].map(({ file, hash }) => `${relative(root, file)} ${hash}`).sort())
    return plan
  }

  /** Cards need no linking. A picture without a card is the portrait of the character whose file is called like it. */
  async #addCards (names: readonly string[]): Promise<void> {
    const { cards, share } = this.#workshop
    const portraits: { name: string, read: CardFile }[] = []
    for (const name of names) {
      try {
        const read = await share.run(() => cards.read(join(this.directory, name), this.root))
        // JSON that a character imports is no character
        if (read === undefined || this.#modules.has(read.file)) continue
        this.#cards.set(name, read)
        const { file, card, fault, isPicture } = read
        if (isPicture) portraits.push({ name, read })
        else this.entries.push({ name, module: null, card: card ?? null, file, picture: locatePicture(card?.picture, file, this.root), fault, order: null })
      } catch (error) {
        this.entries.push({ name, module: null, card: null, file: join(this.directory, name), picture: undefined, fault: this.#unreadable(name, error), order: null })
      }
    }
    for (const { name, read: { file, fault } } of portraits) {
      const stem = parse(name).name
      const owner = this.entries.findIndex(entry => parse(entry.name).name === stem)
      if (owner === -1) this.entries.push({ name, module: null, card: null, file, picture: undefined, fault, order: null })
      else this.entries[owner] = { ...this.entries[owner]!, picture: this.entries[owner]!.picture ?? { file, root: this.root } }
    }
  }

  #unreadable (name: string, error: unknown): Fault {
    this.#fleeting = true
    const message = error instanceof OutsideRoot ? 'The file lies outside of the root.' : `The file cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`
    return new Fault('import_error', message, { file: join(this.directory, name), line: null, column: null })
  }

  /** Bytes of all its sources and of the JSON of its cards. */
  get bytes (): number {
    let bytes = 0
    for (const { source } of this.#modules.values()) bytes += source.stamp.size
    for (const card of this.#cards.values()) bytes += card.bytes
    return bytes
  }

  /** Whether building it again would change nothing. */
  isCurrent (): boolean {
    return !this.#fleeting && this.#holds(isUnchanged)
  }

  /** Whether all of it was there at one moment: nothing changed while the rest was read. */
  isWhole (): boolean {
    return this.#holds(isStill)
  }

  #holds (holds: (path: string, stamp: Stamp) => boolean): boolean {
    if (!holds(this.directory, this.#stamp!)) return false
    for (const { source } of this.#modules.values()) {
      if (!holds(source.file, source.stamp)) return false
    }
    for (const [name, { stamp }] of this.#cards) {
      if (!holds(join(this.directory, name), stamp)) return false
    }
    for (const path of this.#absent) {
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) return false
    }
    return true
  }

  /** The module of a file, if the cast has it. */
  find (file: string): Module | undefined {
    return this.#modules.get(file)
  }

  /** The plan is dropped: compiled code that none of the others has is not kept for it. Sessions that have it keep it. */
  forget (others: readonly Plan[]): void {
    const { compiler, units } = this.#workshop
    for (const { source: { file, hash } } of this.#modules.values()) {
      if (others.some(other => other.find(file)?.source.hash === hash)) continue
      units.delete(file, hash)
      compiler.delete(languages[extname(file)] ?? 'js', hash)
    }
  }

  /** A module and all it needs, imported ones first. */
  order (module: Module): Module[] {
    return postOrder(module)
  }

  /** Real path of the first that exists. Throws an {@link ImportProblem}. */
  locate (specifier: string, paths: readonly string[]): string {
    return this.#workshop.sources.readFirst(specifier, paths, this.root, this.#absent).file
  }

  /** A module that is only imported when the code gets there. Throws a {@link Fault}, or an {@link ImportProblem}. */
  async importLater (specifier: string, from: string): Promise<Link> {
    const target = readSpecifier(specifier, from, this.root)
    if (target.kind === 'provided') return { host: provided, specifier }
    if (target.kind === 'host') return { host: await this.#importHost(specifier, from), specifier }
    const source = this.#workshop.sources.readFirst(specifier, target.paths, this.root, this.#absent)
    let module: Module | undefined
    await this.#grow([async () => { module = await this.#loadModule(source); return module }])
    const broken = postOrder(module!).find(({ fault }) => fault !== undefined)
    if (broken?.fault !== undefined) throw broken.fault
    return { module: module! }
  }

  /** Loads modules and, wave by wave, all that they import. */
  async #grow (wave: (() => Promise<Module | undefined>)[]): Promise<void> {
    const { share } = this.#workshop
    const all: Module[] = []
    const seen: SeenPaths = new Map()
    while (wave.length > 0) {
      const loaded = await Promise.all(wave.map(load => load()))
      const fresh = [...new Set(loaded)].filter(module => module !== undefined && !all.includes(module)) as Module[]
      all.push(...fresh)
      wave = (await Promise.all(fresh.map(module => share.run(() => this.#linkModule(module, seen))))).flat()
    }
    for (const module of all) await this.#checkNames(module)
  }

  async #loadEntry (name: string): Promise<{ name: string, module: Module | null, fault?: Fault } | undefined> {
    const path = join(this.directory, name)
    try {
      // In one step, as the compiler is handed a source at once, which costs as much as reading it
      const read = await this.#workshop.share.run(() => {
        const source = this.#workshop.sources.read(path, this.root)
        return source && { module: this.#loadModule(source) }
      })
      return read && { name, module: await read.module }
    } catch (error) {
      return { name, module: null, fault: this.#unreadable(name, error) }
    }
  }

  async #loadModule (source: Source): Promise<Module> {
    const known = this.#modules.get(source.file)
    if (known !== undefined) return known
    const { compiler, units, share } = this.#workshop
    const compiled = await compiler.compile(source.text, languages[extname(source.file)] ?? 'js', source.hash)
    return await share.run(() => {
      const meanwhile = this.#modules.get(source.file)
      if (meanwhile !== undefined) return meanwhile
      const module: { -readonly [K in keyof Module]: Module[K] } = { source, unit: null, json: null, links: new Map(), fault: undefined }
      const { file } = source
      if (compiled.kind === 'json') module.json = compiled.text
      else if (compiled.kind === 'fault') module.fault = new Fault('syntax_error', compiled.message, { file, line: compiled.line, column: compiled.column })
      else {
        try {
          module.unit = units.get(file, source.hash, compiled)
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          module.fault = error
        }
      }
      this.#modules.set(file, module)
      return module
    })
  }

  /** Resolves the imports of a module; returns what is still to load. */
  #linkModule (module: Module, seen: SeenPaths): (() => Promise<Module | undefined>)[] {
    const { file } = module.source
    const loads: (() => Promise<Module | undefined>)[] = []
    if (module.links.size > 0) return loads
    for (const item of module.unit?.code.imports ?? []) {
      const { specifier } = item
      const fail = (message: string, code: FaultCode = 'import_error') => { module.fault ??= new Fault(code, message, { file, ...placeOf(module, item) }) }
      try {
        const target = readSpecifier(specifier, file, this.root)
        if (target.kind === 'provided') module.links.set(specifier, { host: provided, specifier })
        else if (target.kind === 'file') {
          const source = this.#workshop.sources.readFirst(specifier, target.paths, this.root, this.#absent, seen)
          loads.push(async () => {
            const imported = await this.#loadModule(source)
            module.links.set(specifier, { module: imported })
            return imported
          })
        } else {
          loads.push(async () => {
            try {
              module.links.set(specifier, { host: await this.#importHost(specifier, file), specifier })
            } catch (error) {
              this.#fleeting = true
              fail(`'${specifier}' cannot be imported: ${(error as Error).message}`)
            }
            return undefined
          })
        }
      } catch (error) {
        if (!(error instanceof ImportProblem)) throw error
        fail(error.message)
      }
    }
    return loads
  }

  async #importHost (specifier: string, from: string): Promise<object> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it was not ready after ${this.#workshop.hostMs} ms`)), this.#workshop.hostMs)
    })
    try {
      return await Promise.race([importHost(specifier, from), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** As in any ES module, importing a name that the other does not export is an error before anything runs. */
  async #checkNames (module: Module): Promise<void> {
    const { unit, source } = module
    if (unit === null || module.fault !== undefined) return
    const missing = await missingNames(unit.code, module.links, source)
    if (missing === undefined) return
    const { item, name } = missing
    module.fault = new Fault('import_error', `'${item.specifier}' does not export '${name}'.`, { file: source.file, ...placeOf(module, item) })
  }
}

/** Where an import stands in the module's source. */
function placeOf (module: Module, { place, line, column }: Import): LineColumn {
  return place ?? module.unit?.code.positions.find(line, column) ?? { line: 1, column: 1 }
}

/** A module and all it needs, imported ones first. */
function postOrder (module: Module, seen = new Set<Module>(), order: Module[] = []): Module[] {
  if (seen.has(module)) return order
  seen.add(module)
  for (const { specifier } of module.unit?.code.imports ?? []) {
    const link = module.links.get(specifier)
    if (link !== undefined && 'module' in link) postOrder(link.module, seen, order)
  }
  order.push(module)
  return order
}

/** Names in the order of their code units, which no locale changes. */
function listCharacterFiles (directory: string): { modules: string[], cards: string[] } {
  const names = readdirSync(directory, { withFileTypes: true })
    .filter(entry => entry.isFile() || entry.isSymbolicLink())
    .map(({ name }) => name)
    .sort()
  return { modules: names.filter(isCharacterFile), cards: names.filter(isCardFile) }
}

function isCharacterFile (name: string): boolean {
  const language = languages[extname(name)]
  return (language === 'ts' || language === 'js') && !name.startsWith('.') && !name.endsWith('.d.ts') && !name.endsWith('.d.mts')
}

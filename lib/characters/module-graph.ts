/** Modules linked to what they import, each once; nothing of it runs here. */
import { extname } from 'node:path'
import type { Compiler, Import } from './compiler.js'
import type { FairShare } from './fair-share.js'
import { Fault, type FaultCode } from './fault.js'
import { missingNames } from './missing-names.js'
import { importHost } from './packages.js'
import type { LineColumn } from './positions.js'
import { ImportProblem, languages, readSpecifier, type SeenPaths, type Sources } from './resolver.js'
import type { Source } from './source.js'
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

/** The way to a module; to undefined, if there is none or none of the graph. */
type Load = () => Promise<Module | undefined>

/** What modules are made with; one set a library. */
export interface Workshop {
  readonly sources: Sources
  readonly compiler: Compiler
  readonly units: Units
  readonly share: FairShare
  /** Milliseconds that importing a package may take. */
  readonly hostMs: number
}

export class ModuleGraph {
  /** By their real paths. */
  readonly modules = new Map<string, Module>()
  /** Paths where a file would change what an import means. */
  readonly absent = new Set<string>()
  readonly #root: string
  readonly #workshop: Workshop
  #fleeting = false

  /** @param root real path, beyond which nothing is imported */
  constructor (root: string, workshop: Workshop) {
    this.#root = root
    this.#workshop = workshop
  }

  /** Something failed that may work the next time, though no file changes. */
  get fleeting (): boolean {
    return this.#fleeting
  }

  /** Real path of the first that exists. Throws an {@link ImportProblem}. */
  locate (specifier: string, paths: Iterable<string>): string {
    return this.#workshop.sources.readFirst(specifier, paths, this.#root, this.absent).file
  }

  /** A module that is only imported when the code gets there. Throws a {@link Fault}, or an {@link ImportProblem}. */
  async importLater (specifier: string, from: string): Promise<Link> {
    const target = readSpecifier(specifier, from, this.#root)
    if (target.kind === 'provided') return { host: provided, specifier }
    if (target.kind === 'host') return { host: await this.#importHost(specifier, from), specifier }
    const source = this.#workshop.sources.readFirst(specifier, target.paths, this.#root, this.absent)
    let module: Module | undefined
    await this.grow([async () => { module = await this.#loadModule(source); return module }])
    const broken = postOrder(module!).find(({ fault }) => fault !== undefined)
    if (broken?.fault !== undefined) throw broken.fault
    return { module: module! }
  }

  /** Loads modules and all that they import, each as soon as it is known. */
  async grow (loads: readonly Load[]): Promise<void> {
    const all = new Set<Module>()
    const seen: SeenPaths = new Map()
    const follow = async (load: Load): Promise<void> => {
      const module = await load()
      if (module === undefined || all.has(module)) return
      all.add(module)
      const imports = await this.#workshop.share.run(() => this.#linkModule(module, seen))
      await Promise.all(imports.map(follow))
    }
    await Promise.all(loads.map(follow))
    for (const module of all) await this.#checkNames(module)
  }

  /** The module of a file; undefined if there is none. Rejects with an OutsideRoot, or the system's error. */
  async load (path: string): Promise<Module | undefined> {
    // In one step, as the compiler is handed a source at once, which costs as much as reading it
    const read = await this.#workshop.share.run(() => {
      const source = this.#workshop.sources.read(path, this.#root)
      return source && { module: this.#loadModule(source) }
    })
    return await read?.module
  }

  async #loadModule (source: Source): Promise<Module> {
    const known = this.modules.get(source.file)
    if (known !== undefined) return known
    const { compiler, units, share } = this.#workshop
    const compiled = await compiler.compile(source.text, languages[extname(source.file)] ?? 'js', source.hash)
    return await share.run(() => {
      const meanwhile = this.modules.get(source.file)
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
      this.modules.set(file, module)
      return module
    })
  }

  /** Resolves the imports of a module; returns what is still to load. */
  #linkModule (module: Module, seen: SeenPaths): Load[] {
    const { file } = module.source
    const loads: Load[] = []
    if (module.links.size > 0) return loads
    for (const item of module.unit?.code.imports ?? []) {
      const { specifier } = item
      const fail = (message: string, code: FaultCode = 'import_error') => { module.fault ??= new Fault(code, message, { file, ...placeOf(module, item) }) }
      try {
        const target = readSpecifier(specifier, file, this.#root)
        if (target.kind === 'provided') module.links.set(specifier, { host: provided, specifier })
        else if (target.kind === 'file') {
          const source = this.#workshop.sources.readFirst(specifier, target.paths, this.#root, this.absent, seen)
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
export function postOrder (module: Module, seen = new Set<Module>(), order: Module[] = []): Module[] {
  if (seen.has(module)) return order
  seen.add(module)
  for (const { specifier } of module.unit?.code.imports ?? []) {
    const link = module.links.get(specifier)
    if (link !== undefined && 'module' in link) postOrder(link.module, seen, order)
  }
  order.push(module)
  return order
}

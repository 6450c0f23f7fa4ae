/**
 * What one cast is made of, shared by all sessions: its modules and its cards. Nothing of it runs here. A
 * plan holds as long as the directory and every file in it stay as they were, which costs one `stat` for
 * each.
 */
import { readdirSync, statSync } from 'node:fs'
import { extname, join, parse, relative } from 'node:path'
import type { Card } from './cards/card.js'
import { isCardFile, type CardFile, type CardFiles } from './cards/files.js'
import { locatePicture, type Picture } from './cards/picture.js'
import { Fault } from './fault.js'
import { ModuleGraph, postOrder, type Module, type Workshop } from './module-graph.js'
import { languages } from './resolver.js'
import { versionOf } from './some-cast.js'
import { isStill, isUnchanged, OutsideRoot, toStamp, type Stamp } from './source.js'

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
export interface PlanWorkshop extends Workshop {
  readonly cards: CardFiles
}

export class Plan {
  /** Real path. */
  readonly directory: string
  readonly root: string
  readonly graph: ModuleGraph
  readonly entries: Entry[] = []
  /** Of the content of all its files. */
  version = ''
  readonly #workshop: PlanWorkshop
  readonly #cards = new Map<string, CardFile>()
  #stamp: Stamp | undefined
  /** A file could not be read, and may be the next time, though it does not change. */
  #fleeting = false

  private constructor (directory: string, root: string, workshop: PlanWorkshop) {
    this.directory = directory
    this.root = root
    this.graph = new ModuleGraph(root, workshop)
    this.#workshop = workshop
  }

  static async build (directory: string, root: string, workshop: PlanWorkshop): Promise<Plan> {
    const plan = new Plan(directory, root, workshop)
    plan.#stamp = toStamp(statSync(directory))
    const names = listCharacterFiles(directory)
    const found: { name: string, module: Module | null, fault?: Fault }[] = []
    await plan.graph.grow(names.modules.map(name => async () => {
      try {
        const module = await plan.graph.load(join(directory, name))
        if (module !== undefined) found.push({ name, module })
        return module
      } catch (error) {
        found.push({ name, module: null, fault: plan.#unreadable(name, error) })
        return undefined
      }
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
    const contents = [...plan.graph.modules.values()].map(({ source }) => source)
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
        if (read === undefined || this.graph.modules.has(read.file)) continue
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
    for (const { source } of this.graph.modules.values()) bytes += source.stamp.size
    for (const card of this.#cards.values()) bytes += card.bytes
    return bytes
  }

  /** Whether building it again would change nothing. */
  isCurrent (): boolean {
    return !this.#fleeting && !this.graph.fleeting && this.#holds(isUnchanged)
  }

  /** Whether all of it was there at one moment: nothing changed while the rest was read. */
  isWhole (): boolean {
    return this.#holds(isStill)
  }

  #holds (holds: (path: string, stamp: Stamp) => boolean): boolean {
    if (!holds(this.directory, this.#stamp!)) return false
    for (const { source } of this.graph.modules.values()) {
      if (!holds(source.file, source.stamp)) return false
    }
    for (const [name, { stamp }] of this.#cards) {
      if (!holds(join(this.directory, name), stamp)) return false
    }
    for (const path of this.graph.absent) {
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) return false
    }
    return true
  }

  /** The module of a file, if the cast has it. */
  find (file: string): Module | undefined {
    return this.graph.modules.get(file)
  }

  /** The plan is dropped: compiled code that none of the others has is not kept for it. Sessions that have it keep it. */
  forget (others: readonly Plan[]): void {
    const { compiler, units } = this.#workshop
    for (const { source: { file, hash } } of this.graph.modules.values()) {
      if (others.some(other => other.find(file)?.source.hash === hash)) continue
      units.delete(file, hash)
      compiler.delete(languages[extname(file)] ?? 'js', hash)
    }
  }
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

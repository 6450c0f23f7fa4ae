/**
 * The private module graph of one session. A plan says which modules there are and how they are
 * linked; the namespace evaluates them: it calls the wrapper that all sessions share with exports, a
 * `require`, timers and an `import.meta` of this session. What a module keeps is found from here and
 * from nowhere else, so when the session drops its namespace, everything goes.
 */
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Fault, type Place } from './fault.js'
import { helperValue } from './helpers.js'
import { postOrder, type Link, type Module } from './module-graph.js'
import { isBuiltin, resolvePackage } from './packages.js'
import type { Plan } from './plan.js'
import { explain, type FindPositions } from './positions.js'
import { ImportProblem, readSpecifier } from './resolver.js'
import { Purged, Scope } from './scope.js'
import { Interrupted, type Watchdog } from './watchdog.js'
import type { CharacterLimits } from './limits.js'

/** An evaluated module. It is also what the module sees as `module`. */
interface Instance {
  exports: object
  fault: Fault | undefined
  /** Its top-level awaits. */
  pending: Promise<void> | undefined
  /** The last of them that it got to. */
  at: number
}

export interface NamespaceOptions {
  plan: Plan
  watchdog: Watchdog
  limits: CharacterLimits
  /** A fault of code that nobody waits for: a timer, an event listener. */
  onFault: (fault: Fault) => void
}

export class Namespace {
  readonly plan: Plan
  readonly scope: Scope
  readonly #instances = new Map<Module, Instance>()
  readonly #options: NamespaceOptions
  /** The modules that are being evaluated, innermost last. */
  #running: Module[] = []

  constructor (options: NamespaceOptions) {
    this.#options = options
    this.plan = options.plan
    this.scope = new Scope(call => (...args) => this.#callBack(() => call(...args)))
  }

  /** The exports of a module without top-level await. Throws a {@link Fault}; to be called guarded. */
  evaluate (module: Module): object {
    const known = this.#instances.get(module)
    if (known !== undefined) {
      if (known.fault !== undefined) throw known.fault
      return known.exports
    }
    if (module.fault !== undefined) throw module.fault
    const instance: Instance = { exports: {}, fault: undefined, pending: undefined, at: 0 }
    this.#instances.set(module, instance)
    if (module.json !== null) {
      instance.exports = { default: JSON.parse(module.json) as unknown }
      return instance.exports
    }
    this.#running.push(module)
    try {
      const { wrapper, code: { params } } = module.unit!
      const values: unknown[] = []
      for (const name of params) values.push(this.#argument(name, module, instance))
      wrapper(...values)
    } catch (error) {
      throw instance.fault = this.toFault(error, { file: module.source.file, line: null, column: null })
    }
    this.#running.pop()
    return instance.exports
  }

  /** Evaluates modules with top-level await among them, imported ones first. Rejects with a {@link Fault}. */
  async evaluateInOrder (order: readonly Module[]): Promise<object> {
    const { asyncLoadMs } = this.#options.limits
    const deadline = performance.now() + asyncLoadMs
    for (const module of order) {
      this.guard(() => this.evaluate(module))
      const { pending } = this.#instances.get(module)!
      if (pending !== undefined) await this.#settle(module, pending, deadline - performance.now())
    }
    return this.#instances.get(order.at(-1)!)!.exports
  }

  async #settle (module: Module, pending: Promise<void>, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>(resolve => { timer = setTimeout(resolve, ms, 'late') })
    try {
      if (await Promise.race([pending, late]) === undefined) return
    } finally {
      clearTimeout(timer)
    }
    const instance = this.#instances.get(module)!
    instance.fault ??= new Fault('timeout', `The top-level await did not settle within ${this.#options.limits.asyncLoadMs} ms.`,
      { file: module.source.file, line: null, column: null, ...module.unit!.code.awaits[instance.at] })
    throw instance.fault
  }

  /** Runs code of the top level, interrupted if it holds the loop. Throws a {@link Fault}. */
  guard<T> (call: () => T): T {
    this.#running = []
    try {
      return this.#options.watchdog.run(this.#options.limits.loadMs, call)
    } catch (error) {
      const innermost = this.#running.at(-1)
      const fault = this.toFault(error, { file: innermost?.source.file ?? this.plan.directory, line: null, column: null })
      // The interrupted ones are half done: nobody may get them
      for (const module of this.#running) this.#instances.get(module)!.fault ??= fault
      throw fault
    } finally {
      this.#running = []
    }
  }

  /** Runs code that is called later: a prompt, a tool. Throws what it throws, or {@link Interrupted}. */
  call<T> (call: () => T): T {
    return this.#options.watchdog.run(this.#options.limits.syncMs, call)
  }

  /** The same soon, at less cost. */
  callSoon<T> (call: () => T): Promise<{ result: T }> {
    return this.#options.watchdog.soon(this.#options.limits.syncMs, call)
  }

  toFault (error: unknown, fallback: Place): Fault {
    if (error instanceof Fault) return error
    if (error instanceof ImportProblem) return new Fault('import_error', error.message, fallback)
    if (error instanceof Interrupted) return new Fault('timeout', `The code ${error.message}.`, this.locate(error.frames) ?? fallback)
    const { message, place } = explain(error, this.#find)
    return new Fault('execution_error', message, place ?? fallback)
  }

  /** The innermost of the frames that is code of this namespace, in the source. */
  locate (frames: Interrupted['frames']): Place | undefined {
    for (const { file, line, column } of frames) {
      const place = this.#find(file)?.find(line, column)
      if (place !== undefined) return { file, ...place }
    }
    return undefined
  }

  /** Ends what was opened and forgets all modules. */
  purge (): void {
    this.scope.close()
    this.#instances.clear()
  }

  readonly #find: FindPositions = file => this.plan.find(file)?.unit?.code.positions

  #argument (name: string, module: Module, instance: Instance): unknown {
    switch (name) {
      case 'module': return instance
      case 'exports': return instance.exports
      case 'require': return (specifier: string) => this.#require(specifier, module)
      case '__load': return (specifier: unknown) => this.#load(String(specifier), module)
      case '__meta': return this.#meta(module)
      case '__run': return (body: (names: (getters: object) => void) => Promise<void>) => this.#run(body, instance, module)
      case '__at': return (number: number) => { instance.at = number }
    }
    return helperValue(name) ?? this.scope.get(name)
  }

  #require (specifier: string, module: Module): object {
    const link = module.links.get(specifier)
    if (link === undefined) throw new ReferenceError('require is not defined in an ES module: use import')
    return this.#follow(link)
  }

  #follow (link: Link): object {
    if ('module' in link) return this.evaluate(link.module)
    return isBuiltin(link.specifier) ? this.scope.builtin(link.specifier, link.host) : link.host
  }

  /** A module with top-level await: its body is an async function, which fills in the exports and begins at once. */
  #run (body: (names: (getters: object) => void) => Promise<void>, instance: Instance, module: Module): void {
    const define = helperValue('__export') as (target: object, getters: object) => void
    instance.pending = body(getters => define(instance.exports, getters)).catch((error: unknown) => {
      throw instance.fault = this.toFault(error, { file: module.source.file, line: null, column: null })
    })
    instance.pending.catch(() => {})
  }

  /** Dynamic import. */
  async #load (specifier: string, module: Module): Promise<object> {
    const here = new Error(specifier)
    await undefined // Never within the evaluation of the module that asks
    try {
      if (this.scope.closed) throw new Purged()
      const link = module.links.get(specifier) ?? await this.plan.graph.importLater(specifier, module.source.file)
      if (this.scope.closed) throw new Purged()
      if (!('module' in link)) return this.#follow(link)
      return await this.evaluateInOrder(postOrder(link.module))
    } catch (error) {
      if (error instanceof Fault || error instanceof Purged) throw error
      const { place } = explain(here, this.#find)
      const message = error instanceof ImportProblem ? error.message : `'${specifier}' cannot be imported: ${(error as Error).message}`
      throw new Fault('import_error', message, place ?? { file: module.source.file, line: null, column: null })
    }
  }

  #meta (module: Module): object {
    const { file } = module.source
    const { scope, plan } = this
    return {
      url: pathToFileURL(file).href,
      filename: file,
      dirname: dirname(file),
      get signal () { return scope.signal },
      resolve (specifier: string): string {
        const target = readSpecifier(String(specifier), file, plan.root)
        if (target.kind === 'file') return pathToFileURL(plan.graph.locate(specifier, target.paths)).href
        return isBuiltin(specifier) ? `node:${specifier.replace(/^node:/, '')}` : resolvePackage(specifier, file) ?? import.meta.resolve(specifier)
      }
    }
  }

  /** Code that was called by a timer or an event: nobody waits for it, so its fault ends here. */
  #callBack (call: () => unknown): unknown {
    if (this.scope.closed) return undefined
    const fail = (error: unknown) => {
      if (!this.scope.closed) this.#options.onFault(this.toFault(error, { file: this.plan.directory, line: null, column: null }))
    }
    try {
      const result = this.call(call)
      if (result instanceof Promise) result.catch(fail)
      return result
    } catch (error) {
      fail(error)
      return undefined
    }
  }
}

/**
 * What character code opens. A namespace has its own timers, `fetch`, sockets, `process` and
 * `globalThis`; they behave like the process's own, and all that was opened through them ends with
 * the namespace. A value is only made when some module of the namespace uses its name.
 */
import { builtinView } from './builtins.js'
import { timers } from './timers.js'
import { emitterView, overlay } from './views.js'

/** Calls back into character code from outside (a timer, an event), so that a throw or an endless loop ends there. */
export type Callback = <A extends unknown[]>(call: (...args: A) => unknown) => (...args: A) => unknown

export class Scope {
  readonly #open = new Set<() => void>()
  readonly #values = new Map<string, unknown>()
  readonly #protect: Callback
  readonly #lost = new FinalizationRegistry<() => void>(forget => forget())
  #controller: AbortController | undefined
  #closed = false

  constructor (protect: Callback) {
    this.#protect = protect
  }

  /** Aborts when the namespace is purged. */
  get signal (): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#closed) this.#controller.abort(new Purged())
    }
    return this.#controller.signal
  }

  get closed (): boolean { return this.#closed }

  /** How many things are open. */
  get size (): number { return this.#open.size }

  /** Remembers how to end what was opened; at once, if the namespace is gone. Returns how to forget it. */
  add (end: () => void): () => void {
    if (this.#closed) {
      attempt(end)
      return () => {}
    }
    this.#open.add(end)
    return () => { this.#open.delete(end) }
  }

  /** Remembers how to end an object, until that is forgotten or nobody has the object any more. */
  track<T extends object> (opened: T, end: (opened: T) => void): () => void {
    const weak = new WeakRef(opened)
    const forget = this.add(() => {
      const opened = weak.deref()
      if (opened !== undefined) end(opened)
    })
    this.#lost.register(opened, forget)
    return forget
  }

  protect: Callback = call => this.#protect(call)

  /** The namespace's own value of a global name. */
  get (name: string): unknown {
    if (this.#values.has(name)) return this.#values.get(name)
    const make = makers[name]
    const value = make === undefined ? (globalThis as Record<string, unknown>)[name] : make(this)
    this.#values.set(name, value)
    return value
  }

  /** The namespace's own view of a builtin module. */
  builtin (specifier: string, host: object): object {
    const key = `module ${specifier}`
    let view = this.#values.get(key) as object | undefined
    if (view === undefined) this.#values.set(key, view = builtinView(specifier, host, this))
    return view
  }

  close (): void {
    if (this.#closed) return
    // While callbacks still are: whoever listens to the signal is character code too
    if (this.#controller !== undefined) this.protect(() => this.#controller!.abort(new Purged()))()
    this.#closed = true
    for (const end of this.#open) attempt(end)
    this.#open.clear()
    this.#values.clear()
  }
}

/** What is told to code that outlived its namespace. */
export class Purged extends Error {
  constructor () {
    super('The character\'s namespace is purged.')
  }
}

function attempt (end: () => void): void {
  try { end() } catch {}
}

/** The namespace's own value of a global name. */
export type Make = (scope: Scope) => unknown

const makers: Record<string, Make | undefined> = {
  ...timers,
  fetch: scope => (input: RequestInfo, init?: RequestInit) => scopedFetch(scope, input, init),
  WebSocket: scope => closing(scope, 'WebSocket'),
  EventSource: scope => closing(scope, 'EventSource'),
  BroadcastChannel: scope => closing(scope, 'BroadcastChannel'),
  process: scope => processView(scope),
  global: scope => scope.get('globalThis'),
  globalThis: scope => globalView(scope)
}

type RequestInfo = Parameters<typeof fetch>[0]
type RequestInit = NonNullable<Parameters<typeof fetch>[1]>

/** Until the body is read, the fetch holds a connection: its signal stays the namespace's. */
function scopedFetch (scope: Scope, input: RequestInfo, init: RequestInit = {}): Promise<Response> {
  const own = new AbortController()
  const weak = new WeakRef(own)
  const forget = scope.add(() => weak.deref()?.abort(new Purged()))
  const given = init.signal ?? (input instanceof Request ? input.signal : undefined)
  const signal = given ? AbortSignal.any([given, own.signal]) : own.signal
  const result = fetch(input, { ...init, signal })
  result.then(response => bodies.register(response, forget), forget)
  // The signal must live as long as the response, or a purge could not reach it
  result.then(response => { controllers.set(response, own) }, () => {})
  return result
}

const bodies = new FinalizationRegistry<() => void>(forget => forget())
const controllers = new WeakMap<object, AbortController>()

/** A global class whose instances have a method that ends them. */
function closing (scope: Scope, name: string): unknown {
  const original = (globalThis as Record<string, unknown>)[name]
  if (typeof original !== 'function') return original
  return tracked(scope, original, (opened: EventTarget & { close: () => void }) => {
    opened.addEventListener('close', scope.track(opened, opened => opened.close()), { once: true })
  })
}

/** A class or function whose instances or results are remembered. */
export function tracked (scope: Scope, original: Function, remember: (opened: any) => void): Function {
  return new Proxy(original, {
    construct (target, args, newTarget) {
      if (scope.closed) throw new Purged()
      const opened = Reflect.construct(target, args, newTarget) as object
      remember(opened)
      return opened
    },
    apply (target, self, args) {
      if (scope.closed) throw new Purged()
      const opened = Reflect.apply(target, self, args) as unknown
      if (typeof opened === 'object' && opened !== null) remember(opened)
      return opened
    }
  })
}

/** `process` whose listeners leave with the namespace. */
function processView (scope: Scope): object {
  return emitterView(scope, process)
}

/** What is written to `globalThis` belongs to the session, like all state of its modules. */
function globalView (scope: Scope): object {
  const own: Record<string, unknown> = {}
  for (const name of Object.keys(makers)) {
    if (!(name in globalThis)) continue
    Object.defineProperty(own, name, {
      configurable: true,
      enumerable: true,
      get: () => scope.get(name),
      set: (value: unknown) => Object.defineProperty(own, name, { value, writable: true, configurable: true, enumerable: true })
    })
  }
  const view: object = overlay(globalThis, own)
  Object.defineProperty(own, 'globalThis', { value: view, writable: true, configurable: true })
  if ('global' in globalThis) Object.defineProperty(own, 'global', { value: view, writable: true, configurable: true })
  return view
}

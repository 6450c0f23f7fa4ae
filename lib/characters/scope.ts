/**
 * What character code opens. A namespace has its own timers, `fetch`, sockets, `process` and
 * `globalThis`; they behave like the process's own, and all that was opened through them ends with
 * the namespace. A value is only made when some module of the namespace uses its name.
 */
import { builtinView } from './builtins.js'

/** Calls back into character code from outside (a timer, an event), so that a throw or an endless loop ends there. */
export type Callback = <A extends unknown[]>(call: (...args: A) => unknown) => (...args: A) => unknown

export class Scope {
  readonly #open = new Set<() => void>()
  readonly #values = new Map<string, unknown>()
  readonly #protect: Callback
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
    this.#closed = true
    this.#controller?.abort(new Purged())
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

type Timers = Record<string, unknown>
type Make = (scope: Scope) => unknown

/** The namespace's version of a timer function, whose handles are remembered until they fire or are cleared. */
function timer (start: (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => object, clear: (handle: any) => void, repeats: boolean): Make {
  return scope => (callback: (...args: unknown[]) => unknown, ...rest: [number?, ...unknown[]]) => {
    if (typeof callback !== 'function') return start(callback, ...rest) // Node's own complaint
    const call = scope.protect(callback)
    const handle = start(repeats
      ? call
      : (...args) => {
          forgetters.get(handle)?.()
          call(...args)
        }, ...rest)
    forgetters.set(handle, scope.add(() => clear(handle)))
    return handle
  }
}

/** How to forget a timer that is cleared. */
const forgetters = new WeakMap<object, () => void>()

function clearer (clear: (handle: any) => void): Make {
  return () => (handle: unknown) => {
    clear(handle)
    if (typeof handle === 'object' && handle !== null) forgetters.get(handle)?.()
  }
}

const makers: Record<string, Make | undefined> = {
  setTimeout: timer(setTimeout, clearTimeout, false),
  setInterval: timer(setInterval, clearInterval, true),
  setImmediate: timer((callback, ...args) => setImmediate(callback, ...args), clearImmediate, false),
  clearTimeout: clearer(clearTimeout),
  clearInterval: clearer(clearInterval),
  clearImmediate: clearer(clearImmediate),
  fetch: scope => (input: RequestInfo, init?: RequestInit) => scopedFetch(scope, input, init),
  WebSocket: scope => closing(scope, 'WebSocket', 'close'),
  EventSource: scope => closing(scope, 'EventSource', 'close'),
  BroadcastChannel: scope => closing(scope, 'BroadcastChannel', 'close'),
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
function closing (scope: Scope, name: string, method: string): unknown {
  const original = (globalThis as Record<string, unknown>)[name]
  if (typeof original !== 'function') return original
  return tracked(scope, original, instance => { (instance as Record<string, () => void>)[method]!() })
}

/** A class or function whose instances or results end with the scope. */
export function tracked (scope: Scope, original: Function, end: (instance: object) => void, begin: (instance: object) => void = () => {}): Function {
  return new Proxy(original, {
    construct (target, args, newTarget) {
      if (scope.closed) throw new Purged()
      const instance = Reflect.construct(target, args, newTarget) as object
      begin(instance)
      const weak = new WeakRef(instance)
      scope.add(() => { const instance = weak.deref(); if (instance !== undefined) end(instance) })
      return instance
    },
    apply (target, self, args) {
      if (scope.closed) throw new Purged()
      const instance = Reflect.apply(target, self, args) as unknown
      if (typeof instance === 'object' && instance !== null) {
        begin(instance)
        scope.add(() => end(instance))
      }
      return instance
    }
  })
}

/** `process` whose listeners leave with the namespace. */
function processView (scope: Scope): object {
  return emitterView(scope, process)
}

const ADDERS = ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'] as const

/** An emitter that the whole process shares, as a namespace sees it: what it listens to, it stops listening to. */
export function emitterView (scope: Scope, emitter: NodeJS.EventEmitter): object {
  const wrappers = new WeakMap<Function, (...args: unknown[]) => void>()
  const own: Record<string, unknown> = {}
  for (const name of ADDERS) {
    own[name] = (event: string, listener: (...args: unknown[]) => unknown) => {
      const wrapped = scope.protect(listener)
      wrappers.set(listener, wrapped)
      if (!scope.closed) emitter[name](event, wrapped)
      scope.add(() => emitter.off(event, wrapped))
      return view
    }
  }
  own['off'] = own['removeListener'] = (event: string, listener: Function) => {
    emitter.off(event, (wrappers.get(listener) ?? listener) as () => void)
    return view
  }
  const view: object = overlay(emitter, own)
  return view
}

/**
 * Another object as seen through own values: reads fall through, writes stay here. Functions are
 * called on the original, which may insist on being itself.
 */
export function overlay (original: object, own: Record<string | symbol, unknown>): object {
  const bound = new Map<unknown, unknown>()
  return new Proxy(own, {
    get (own, key) {
      if (Object.hasOwn(own, key)) return own[key]
      const value = Reflect.get(original, key, original) as unknown
      if (typeof value !== 'function' || isClass(value)) return value
      let call = bound.get(value)
      if (call === undefined) bound.set(value, call = value.bind(original))
      return call
    },
    has: (own, key) => key in own || key in original,
    ownKeys: own => [...new Set([...Reflect.ownKeys(own), ...Reflect.ownKeys(original)])],
    getOwnPropertyDescriptor (own, key) {
      const descriptor = Reflect.getOwnPropertyDescriptor(own, key) ?? Reflect.getOwnPropertyDescriptor(original, key)
      return descriptor && { ...descriptor, configurable: true }
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(original)
  })
}

function isClass (value: Function): boolean {
  return value.prototype !== undefined
}

/** What is written to `globalThis` belongs to the session, like all state of its modules. */
function globalView (scope: Scope): object {
  const own: Timers = {}
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

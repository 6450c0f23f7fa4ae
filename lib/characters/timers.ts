/** Timers of a namespace: callbacks are guarded, promises are aborted, and none outlives it. */
import promises from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Make, Scope } from './scope.js'
import { overlay } from './views.js'

type Start = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => object

/** How to forget a timer that is cleared. */
const forgetters = new WeakMap<object, () => void>()

/** The namespace's version of a timer function, whose handles are remembered until they fire or are cleared. */
function timer (start: Start, clear: (handle: any) => void, repeats: boolean, promised?: (scope: Scope) => Function): Make {
  return scope => {
    const view = (callback: (...args: unknown[]) => unknown, ...rest: [number?, ...unknown[]]) => {
      if (typeof callback !== 'function') return start(callback, ...rest) // Node's own complaint
      const call = scope.protect(callback)
      const handle = start(repeats
        ? call
        : (...args) => {
            forgetters.get(handle)?.()
            call(...args)
          }, ...rest)
      forgetters.set(handle, scope.track(handle, clear))
      return handle
    }
    return promised === undefined ? view : promisable(view, promised(scope))
  }
}

function clearer (clear: (handle: any) => void): Make {
  return () => (handle: unknown) => {
    clear(handle)
    if (typeof handle === 'object' && handle !== null) forgetters.get(handle)?.()
  }
}

const promisedTimeout = (scope: Scope) => withSignal(scope, promises.setTimeout, 2)
const promisedImmediate = (scope: Scope) => withSignal(scope, promises.setImmediate, 1)

export const timers: Readonly<Record<string, Make>> = {
  setTimeout: timer(setTimeout, clearTimeout, false, promisedTimeout),
  setInterval: timer(setInterval, clearInterval, true),
  setImmediate: timer((callback, ...args) => setImmediate(callback, ...args), clearImmediate, false, promisedImmediate),
  clearTimeout: clearer(clearTimeout),
  clearInterval: clearer(clearInterval),
  clearImmediate: clearer(clearImmediate)
}

/** What `node:timers/promises` exports, for a namespace. */
export function promisedTimers (scope: Scope): Record<string, unknown> {
  const setTimeout = promisedTimeout(scope)
  return {
    setTimeout,
    setImmediate: promisedImmediate(scope),
    setInterval: withSignal(scope, promises.setInterval, 2),
    scheduler: overlay(promises.scheduler, {
      wait: (ms: number, options?: object) => setTimeout(ms, undefined, options)
    })
  }
}

/** A function whose options take a signal: it gets the namespace's as well. */
export function withSignal (scope: Scope, original: Function, at: number): (...args: any[]) => unknown {
  return (...args) => {
    const options = (args[at] ?? {}) as { signal?: AbortSignal }
    const signal = options.signal === undefined ? scope.signal : AbortSignal.any([options.signal, scope.signal])
    const filled = Array.from({ length: Math.max(args.length, at + 1) }, (_, index) => args[index])
    filled[at] = { ...(typeof options === 'string' ? { encoding: options } : options), signal }
    const result = original(...filled) as unknown
    // Nobody may be waiting any more when the purge ends it
    if (result instanceof Promise) result.catch(() => {})
    return result
  }
}

/** A function of which `promisify` makes this one. */
export function promisable<F extends Function> (call: F, promised: Function): F {
  return Object.defineProperty(call, promisify.custom, { value: promised })
}

/**
 * Builtin modules that open things, as a namespace sees them: the same functions and classes, whose
 * results end with the namespace. Other builtins are handed out as they are.
 */
import type { ChildProcess } from 'node:child_process'
import { promisify } from 'node:util'
import { owned } from './crashes.js'
import { Purged, tracked, type Scope } from './scope.js'
import { promisable, promisedTimers, timers, withSignal } from './timers.js'
import { overlay } from './views.js'

type Ending = (opened: any) => void

const destroy: Ending = opened => opened.destroy()
const kill: Ending = opened => opened.kill()
const terminate: Ending = opened => opened.terminate()
const close: Ending = opened => {
  opened.closeAllConnections?.()
  opened.close()
}

/** What of which module opens something, and how it ends. */
const openers: Record<string, Record<string, Ending>> = {
  net: { Server: close, createServer: close, Socket: destroy, Stream: destroy, connect: destroy, createConnection: destroy },
  tls: { Server: close, createServer: close, TLSSocket: destroy, connect: destroy },
  http: { Server: close, createServer: close, request: destroy, get: destroy, ClientRequest: destroy, Agent: destroy },
  https: { Server: close, createServer: close, request: destroy, get: destroy, Agent: destroy },
  http2: { createServer: close, createSecureServer: close, connect: destroy },
  dgram: { createSocket: close, Socket: close },
  fs: { watch: close, createReadStream: destroy, createWriteStream: destroy, ReadStream: destroy, WriteStream: destroy },
  child_process: { spawn: kill, exec: kill, execFile: kill, fork: kill },
  worker_threads: { Worker: terminate, BroadcastChannel: close },
  readline: { createInterface: close }
}

/** Modules whose functions call back once, with the last of their arguments. */
const callers = new Set(['fs', 'dns', 'zlib', 'crypto'])

export function builtinView (specifier: string, host: object, scope: Scope): object {
  const name = specifier.startsWith('node:') ? specifier.slice(5) : specifier
  const original = host as Record<string, unknown>
  switch (name) {
    case 'process': return asModule(original, scope.get('process') as object)
    case 'timers': return withDefault(original, {
      ...Object.fromEntries(Object.keys(timers).map(timer => [timer, scope.get(timer)])),
      promises: overlay(original['promises'] as object, promisedTimers(scope))
    })
    case 'timers/promises': return withDefault(original, promisedTimers(scope))
    case 'fs/promises': return withDefault(original, { ...ownPromises(original), watch: withSignal(scope, original['watch'] as Function, 1) })
    case 'dns/promises':
    case 'stream/promises': return withDefault(original, ownPromises(original))
    case 'events': return withDefault(original, {})
  }
  const table = openers[name]
  if (table === undefined && !callers.has(name)) return host
  const own = callers.has(name) ? guardedCallers(original, scope) : {}
  for (const [key, end] of Object.entries(table ?? {})) {
    const value = original[key]
    if (typeof value === 'function') own[key] = tracked(scope, value, opened => remember(scope, opened, end))
  }
  if (name === 'fs') Object.assign(own, fileWatches(original, scope))
  if (name === 'dns') own['promises'] = overlay(original['promises'] as object, ownPromises(original['promises'] as object))
  if (name === 'child_process') Object.assign(own, promisableChildren(original, own, scope))
  return withDefault(original, own)
}

/** The functions of a module, whose callbacks end where a timer's would. What `promisify` knows of them stays. */
function guardedCallers (original: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  const guarded: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(original)) {
    if (typeof value !== 'function' || name.endsWith('Sync') || !/^[a-z]/.test(name)) continue
    guarded[name] = new Proxy(value, {
      apply (target, self, args) {
        const callback: unknown = args.at(-1)
        if (typeof callback === 'function') args[args.length - 1] = scope.protect(callback as (...args: unknown[]) => unknown)
        return Reflect.apply(target, self, args) as unknown
      }
    })
  }
  return guarded
}

/** The functions of a module, whose promises are the namespace's: so a forgotten one is told as its character's fault. */
function ownPromises (original: object): Record<string, unknown> {
  const own: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(original)) {
    if (typeof value !== 'function' || !/^[a-z]/.test(name)) continue
    own[name] = new Proxy(value, {
      apply (target, self, args) {
        const result = Reflect.apply(target, self, args) as unknown
        return result instanceof Promise ? owned(result) : result
      }
    })
  }
  return own
}

/** Methods by which what has ended could begin again. */
const BEGINNINGS = ['listen', 'connect', 'bind']

/** Events after which there is nothing left to end. */
const ENDS: unknown[] = ['close', 'exit']

/**
 * Remembers what was opened until it closes. A listener that throws or loops, or an error event that
 * nobody listens to, would end the process: it ends here.
 */
function remember (scope: Scope, opened: any, end: Ending): void {
  // Nothing but its owner holds a file's stream: it would be collected with the file open
  const track = () => 'fd' in opened ? scope.add(() => end(opened)) : scope.track(opened, end)
  let forget = track()
  const { emit } = opened as Partial<NodeJS.EventEmitter>
  if (emit === undefined) return
  const call = scope.protect((...event: Parameters<typeof emit>) => emit.apply(opened, event))
  define(opened, 'emit', (...event: Parameters<typeof emit>) => {
    if (ENDS.includes(event[0])) forget()
    return call(...event)
  })
  for (const name of BEGINNINGS) {
    const begin = opened[name] as unknown
    if (typeof begin !== 'function') continue
    define(opened, name, (...args: unknown[]) => {
      if (scope.closed) throw new Purged()
      forget()
      forget = track()
      return begin.apply(opened, args) as unknown
    })
  }
}

function define (object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, configurable: true })
}

/** A module namespace with replaced names, also on its default export. */
function withDefault (original: Record<string, unknown>, own: Record<string, unknown>): object {
  const inner = original['default']
  const view = typeof inner === 'object' && inner !== null ? overlay(inner, { ...own }) : inner
  return asModule(original, view as object, own)
}

function asModule (original: Record<string, unknown>, view: object, own?: Record<string, unknown>): object {
  const names = Object.keys(original).map(name => [name, own === undefined ? Reflect.get(view, name) : own[name] ?? original[name]])
  return Object.freeze({ ...Object.fromEntries(names), default: view })
}

/** `promisify` of these answers with a function that opens by itself: what it opens ends as well. */
function promisableChildren (original: Record<string, unknown>, own: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  return Object.fromEntries(['exec', 'execFile'].map(name => {
    const run = own[name] as (...args: unknown[]) => object
    const promised = (original[name] as Promisable)[promisify.custom]
    return [name, promisable((...args: unknown[]) => run(...args), (...args: unknown[]) => {
      if (scope.closed) throw new Purged()
      const result = promised(...args)
      const { child } = result
      remember(scope, child, kill)
      return Object.assign(owned(untilPurged(scope, result)), { child })
    })]
  }))
}

interface Promisable { [promisify.custom]: (...args: unknown[]) => Promise<unknown> & { child: ChildProcess } }

/** Whoever waits for it learns of the purge at once, not when what was ended has ended. */
function untilPurged<T> (scope: Scope, result: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = scope.add(() => reject(new Purged()))
    result.then(resolve, reject).finally(forget)
  })
}

function fileWatches (original: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  const { watchFile, unwatchFile, promises } = original as unknown as typeof import('node:fs')
  const watches = new Set<{ path: string, listener: unknown, stop: () => void }>()
  return {
    watchFile (path: string, ...rest: unknown[]) {
      const listener = rest.pop() as () => void
      const call = scope.protect(listener)
      const watcher = (watchFile as Function)(path, ...rest, call) as unknown
      const watch = { path: String(path), listener, stop }
      watches.add(watch)
      const forget = scope.add(stop)
      function stop (): void {
        unwatchFile(path, call)
        watches.delete(watch)
        forget()
      }
      return watcher
    },
    unwatchFile (path: string, listener?: unknown) {
      for (const watch of watches) if (watch.path === String(path) && (listener ?? watch.listener) === watch.listener) watch.stop()
    },
    promises: overlay(promises, { ...ownPromises(promises), watch: withSignal(scope, promises.watch, 1) })
  }
}

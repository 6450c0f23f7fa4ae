/**
 * Builtin modules that open things, as a namespace sees them: the same functions and classes, whose
 * results end with the namespace. Other builtins are handed out as they are.
 */
import { overlay, Purged, tracked, type Scope } from './scope.js'

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

const TIMERS = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate']

export function builtinView (specifier: string, host: object, scope: Scope): object {
  const name = specifier.startsWith('node:') ? specifier.slice(5) : specifier
  const original = host as Record<string, unknown>
  switch (name) {
    case 'process': return asModule(original, scope.get('process') as object)
    case 'timers': return withDefault(original, Object.fromEntries(TIMERS.map(timer => [timer, scope.get(timer)])))
    case 'timers/promises': return withDefault(original, promisedTimers(original, scope))
    case 'fs/promises': return withDefault(original, { watch: withSignal(scope, original['watch'] as Function, 1) })
    case 'events': return withDefault(original, {})
  }
  const table = openers[name]
  if (table === undefined) return host
  const own: Record<string, unknown> = {}
  for (const [key, end] of Object.entries(table)) {
    const value = original[key]
    if (typeof value === 'function') own[key] = track(scope, value, end)
  }
  if (name === 'fs') Object.assign(own, fileWatches(original, scope))
  return withDefault(original, own)
}

/** Methods by which what is ended could begin again. */
const BEGINNINGS = ['listen', 'connect', 'bind']

/** A listener that throws or loops, or an error event that nobody listens to, would end the process: it ends here. */
function track (scope: Scope, original: Function, end: Ending): Function {
  return tracked(scope, original, opened => {
    for (const name of BEGINNINGS) {
      if (name in opened) Object.defineProperty(opened, name, { value: () => { throw new Purged() } })
    }
    end(opened)
  }, opened => {
    const { emit } = opened as Partial<NodeJS.EventEmitter>
    if (emit === undefined) return
    Object.defineProperty(opened, 'emit', {
      value: scope.protect((...event: Parameters<typeof emit>) => emit.apply(opened as NodeJS.EventEmitter, event)),
      writable: true,
      configurable: true
    })
  })
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

function promisedTimers (original: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  const setTimeout = withSignal(scope, original['setTimeout'] as Function, 2)
  return {
    setTimeout,
    setImmediate: withSignal(scope, original['setImmediate'] as Function, 1),
    setInterval: withSignal(scope, original['setInterval'] as Function, 2),
    scheduler: overlay(original['scheduler'] as object, {
      wait: (ms: number, options?: object) => setTimeout(ms, undefined, options)
    })
  }
}

/** A function whose options take a signal: it gets the namespace's as well. */
function withSignal (scope: Scope, original: Function, at: number): (...args: any[]) => unknown {
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

function fileWatches (original: Record<string, unknown>, scope: Scope): Record<string, unknown> {
  const { watchFile, unwatchFile, promises } = original as unknown as typeof import('node:fs')
  return {
    watchFile (path: string, ...rest: unknown[]) {
      const listener = scope.protect(rest.pop() as () => void)
      const watcher = (watchFile as Function)(path, ...rest, listener) as unknown
      scope.add(() => unwatchFile(path, listener))
      return watcher
    },
    promises: overlay(promises, { watch: withSignal(scope, promises.watch, 1) })
  }
}

/** What the whole process shares, as one namespace sees it. */
import type { Scope } from './scope.js'

/** Which method of the emitter adds the listener, and whether only for the next event. */
const ADDERS = {
  on: ['on', false],
  once: ['on', true],
  addListener: ['on', false],
  prependListener: ['prependListener', false],
  prependOnceListener: ['prependListener', true]
} as const

interface Listening { event: string, listener: Function, stop: () => void }

/** An emitter that the whole process shares, as a namespace sees it: what it listens to, it stops listening to. */
export function emitterView (scope: Scope, emitter: NodeJS.EventEmitter): object {
  const listenings = new Set<Listening>()
  const own: Record<string, unknown> = {}
  for (const [name, [add, once]] of Object.entries(ADDERS)) {
    own[name] = (event: string, listener: (...args: unknown[]) => unknown) => {
      if (scope.closed) return view
      if (typeof listener !== 'function') emitter[add](event, listener) // Node's own complaint
      const call = scope.protect(listener)
      const wrapped = once
        ? (...args: unknown[]) => {
            listening.stop()
            return call(...args)
          }
        : call
      emitter[add](event, wrapped)
      const listening = { event, listener, stop }
      listenings.add(listening)
      const forget = scope.add(stop)
      function stop (): void {
        emitter.off(event, wrapped)
        listenings.delete(listening)
        forget()
      }
      return view
    }
  }
  own['off'] = own['removeListener'] = (event: string, listener: Function) => {
    const listening = [...listenings].findLast(listening => listening.event === event && listening.listener === listener)
    if (listening === undefined) emitter.off(event, listener as () => void)
    else listening.stop()
    return view
  }
  own['removeAllListeners'] = (event?: string) => {
    for (const listening of listenings) if ((event ?? listening.event) === listening.event) listening.stop()
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

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { MemoryStore } from './memory-store.js'
import { RedisStore } from './redis-store.js'
import type { Store } from './store.js'

export interface ClusterSettings {
  redisUrl?: string | undefined
  prefix: string
  node?: string | undefined
  store?: Store | undefined
}

/** The store that the options ask for: a given one, Redis, or the memory of this process. */
export function createStore ({ store, redisUrl, prefix }: ClusterSettings): Store {
  return store ?? (redisUrl === undefined ? new MemoryStore() : new RedisStore({ url: redisUrl, prefix }))
}

/** A name that no other server has: that of the machine, and some digits, as a machine may run several. */
export function nodeName ({ node }: { node?: string | undefined }): string {
  return node ?? `${hostname().replace(/[^\w.-]/g, '-').slice(0, 48)}-${randomBytes(3).toString('hex')}`
}

/** A URL as it may be shown. */
export function withoutPassword (url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//')
}

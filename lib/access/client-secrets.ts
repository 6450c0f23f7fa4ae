import { MemoryStore } from '../cluster/memory-store.js'
import { StoreError, type Fields, type Room, type Store } from '../cluster/store.js'
import { RealtimeError } from '../errors.js'
import { digest } from './api-keys.js'

const SPACE = 'secret'

/** What an ephemeral key brings to the session it opens. */
export interface ClientSecret<T = unknown> {
  /** Name of the API key it was made with, whose limits are its own; null where none was needed. */
  key: string | null
  configuration: T
  /** The cast that its sessions begin with, in the version that it had when the key was made: `team@1f2e3d4c5b6a`; null: whichever. */
  cast: string | null
}

/**
 * Ephemeral keys until they expire: made on one server of a fleet, good on all. They are kept as digests: neither the
 * store nor the memory of the server gives one away.
 */
export class ClientSecrets<T = unknown> {
  readonly #store: Store
  /** Those that were made here, for the time when the store of a fleet cannot be asked. */
  readonly #own: Store | null
  readonly #room: Room

  /** @param room keys valid at a time in the fleet, and bytes of what they bring */
  constructor (store: Store, room: Room) {
    this.#store = store
    this.#own = store instanceof MemoryStore ? null : new MemoryStore()
    this.#room = room
  }

  /**
   * Rejects with `rate_limit_exceeded` when there are as many as there may be.
   *
   * @param ttlMs bounds starting a session, not its length. Milliseconds
   */
  async add (key: string, secret: ClientSecret<T>, ttlMs: number): Promise<void> {
    const name = nameOf(key)
    const fields = { secret: JSON.stringify(secret) }
    const own = await this.#own?.put(SPACE, name, fields, ttlMs, this.#room)
    const kept = await this.#store.put(SPACE, name, fields, ttlMs, this.#room).catch(error => {
      // Then it is good here, and elsewhere not.
      if (error instanceof StoreError && own === 'kept') return own
      throw toRefusal(error)
    })
    if (kept === 'kept') return
    await this.#own?.delete(SPACE, name)
    throw new RealtimeError('rate_limit_exceeded', { message: 'There are as many ephemeral keys as there may be. Wait until some have expired.' })
  }

  /** Null for a key that is unknown or expired. A key may be used more than once. Rejects with `store_unavailable` where only another server could know it. */
  async find (key: string): Promise<ClientSecret<T> | null> {
    const name = nameOf(key)
    const fields: Fields | null = await this.#own?.get(SPACE, name) ??
      await this.#store.get(SPACE, name).catch(error => { throw toRefusal(error) })
    return fields === null ? null : JSON.parse(fields.secret!) as ClientSecret<T>
  }

  async end (): Promise<void> {
    await this.#own?.end()
  }
}

function toRefusal (error: unknown): unknown {
  return error instanceof StoreError ? new RealtimeError('store_unavailable', { cause: error }) : error
}

function nameOf (key: string): string {
  return digest(key).toString('base64url')
}

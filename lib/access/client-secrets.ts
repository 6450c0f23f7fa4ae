import { RealtimeError } from '../errors.js'
import { digest } from './api-keys.js'

/** What an ephemeral key brings to the session it opens. */
export interface ClientSecret<T = unknown> {
  /** Name of the API key it was made with, whose limits are its own; null where none was needed. */
  key: string | null
  configuration: T
  /** The cast that its sessions begin with, in the version that it had when the key was made: `team@1f2e3d4c5b6a`; null: whichever. */
  cast: string | null
}

/** Where ephemeral keys live until they expire. A fleet of servers shares one that is not in memory. */
export interface ClientSecretStore<T = unknown> {
  /**
   * Rejects with `rate_limit_exceeded` when there are as many as there may be.
   *
   * @param expiresAt unix seconds; bounds starting a session, not its length
   */
  add (key: string, secret: ClientSecret<T>, expiresAt: number): Promise<void>
  /** Null for a key that is unknown or expired. A key may be used more than once. */
  find (key: string): Promise<ClientSecret<T> | null>
}

/** Keys of this process. They are kept as digests: the memory of the server gives none of them away. */
export class MemorySecrets<T> implements ClientSecretStore<T> {
  readonly #limit: number
  readonly #maxBytes: number
  readonly #now: () => number
  readonly #secrets = new Map<string, { secret: ClientSecret<T>, expiresAt: number, bytes: number }>()
  #bytes = 0

  /**
   * @param limit keys valid at a time
   * @param maxBytes of their configurations together, as JSON
   * @param now unix seconds
   */
  constructor (limit: number, maxBytes: number, now: () => number = () => Date.now() / 1000) {
    this.#limit = limit
    this.#maxBytes = maxBytes
    this.#now = now
  }

  async add (key: string, secret: ClientSecret<T>, expiresAt: number): Promise<void> {
    const bytes = JSON.stringify(secret.configuration).length + (secret.cast?.length ?? 0)
    if (!this.#hasRoom(bytes)) this.#forgetExpired()
    if (!this.#hasRoom(bytes)) {
      throw new RealtimeError('rate_limit_exceeded', { message: `The server holds ${this.#secrets.size} ephemeral keys, as many as it may. Wait until some have expired.` })
    }
    this.#secrets.set(nameOf(key), { secret, expiresAt, bytes })
    this.#bytes += bytes
  }

  async find (key: string): Promise<ClientSecret<T> | null> {
    const found = this.#secrets.get(nameOf(key))
    return found === undefined || found.expiresAt <= this.#now() ? null : found.secret
  }

  #hasRoom (bytes: number): boolean {
    return this.#secrets.size < this.#limit && this.#bytes + bytes <= this.#maxBytes
  }

  #forgetExpired (): void {
    const now = this.#now()
    for (const [key, { expiresAt, bytes }] of this.#secrets) {
      if (expiresAt > now) continue
      this.#secrets.delete(key)
      this.#bytes -= bytes
    }
  }
}

function nameOf (key: string): string {
  return digest(key).toString('base64')
}

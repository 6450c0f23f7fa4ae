import { createHash } from 'node:crypto'
import { RealtimeError } from '../errors.js'

/** What an ephemeral key brings to the session it opens. */
export interface ClientSecret<T = unknown> {
  configuration: T
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
  readonly #now: () => number
  readonly #secrets = new Map<string, { secret: ClientSecret<T>, expiresAt: number }>()

  /**
   * @param limit keys valid at a time
   * @param now unix seconds
   */
  constructor (limit: number, now: () => number = () => Date.now() / 1000) {
    this.#limit = limit
    this.#now = now
  }

  async add (key: string, secret: ClientSecret<T>, expiresAt: number): Promise<void> {
    if (this.#secrets.size >= this.#limit) this.#forgetExpired()
    if (this.#secrets.size >= this.#limit) {
      throw new RealtimeError('rate_limit_exceeded', { message: `The server holds ${this.#limit} ephemeral keys, as many as it may. Wait until some have expired.` })
    }
    this.#secrets.set(digest(key), { secret, expiresAt })
  }

  async find (key: string): Promise<ClientSecret<T> | null> {
    const found = this.#secrets.get(digest(key))
    return found === undefined || found.expiresAt <= this.#now() ? null : found.secret
  }

  #forgetExpired (): void {
    const now = this.#now()
    for (const [key, { expiresAt }] of this.#secrets) if (expiresAt <= now) this.#secrets.delete(key)
  }
}

function digest (key: string): string {
  return createHash('sha256').update(key).digest('base64')
}

import { RealtimeError } from '../errors.js'
import { presentedKey, QUERY_KEY } from './api-keys.js'
import type { ClientSecret, ClientSecrets } from './client-secrets.js'
import type { Key, Keyring } from './keyring.js'
import { isOriginAllowed } from './origins.js'

export interface GateOptions<T> {
  keyring: Keyring
  secrets: ClientSecrets<T>
  /** Whether a key may stand in the query. */
  queryKeys: boolean
  /** As in {@link isOriginAllowed}. */
  allowedOrigins: readonly string[] | undefined
}

/** What tells of a request who sends it. */
export interface Caller {
  headers: Record<string, string | string[] | undefined> & { origin?: string | undefined }
  query: unknown
  /** The name that the server is called by, with its port. */
  host: string
}

/** Lets in who comes from an allowed origin and shows a key, where one is needed. */
export class Gate<T = unknown> {
  readonly #options: GateOptions<T>

  constructor (options: GateOptions<T>) {
    this.#options = options
  }

  /** By an API key alone; null where none is needed. Throws `origin_not_allowed` or `invalid_api_key`. */
  admit (caller: Caller): Key | null {
    return this.#checkKey(this.#options.keyring.find(this.#shown(caller)))
  }

  /** By an API key, or by an ephemeral one. Rejects as {@link Gate.admit} throws, or as `ClientSecrets.find` does. */
  async admitSession (caller: Caller): Promise<{ key: Key | null, secret: ClientSecret<T> | null }> {
    const { keyring, secrets } = this.#options
    const shown = this.#shown(caller)
    if (shown?.startsWith('ek_') !== true) return { key: this.#checkKey(keyring.find(shown)), secret: null }
    const secret = await secrets.find(shown)
    // Where everybody may connect, a key that is over must still not open a session without its settings.
    if (secret === null) throw new RealtimeError('invalid_api_key')
    // It counts as the key it was made with, and ends with it.
    return { key: this.#checkKey(secret.key === null ? null : keyring.named(secret.key)), secret }
  }

  #checkKey (key: Key | null): Key | null {
    if (key === null && !this.#options.keyring.open) throw new RealtimeError('invalid_api_key')
    return key
  }

  #shown ({ headers, query, host }: Caller): string | null {
    const { queryKeys, allowedOrigins } = this.#options
    if (!isOriginAllowed(headers.origin, host, allowedOrigins)) throw new RealtimeError('origin_not_allowed')
    const shown = presentedKey(headers)
    if (shown !== null || !queryKeys) return shown
    const inQuery = (query as Record<string, unknown>)[QUERY_KEY]
    return typeof inQuery === 'string' ? inQuery : null
  }
}

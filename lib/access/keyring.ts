import { timingSafeEqual } from 'node:crypto'
import { digest } from './api-keys.js'
import { Rate } from './rate.js'

/** What the sessions of one key may do, where that is less than what the server lets everybody do. */
export interface KeyLimits {
  /** Sessions at a time. */
  sessions?: number | undefined
  /** Connections, and ephemeral keys made, a minute. */
  connectionsPerMinute?: number | undefined
  /** Client events read a second, of each session. */
  eventsPerSecond?: number | undefined
  /** Reloads a minute, of all its sessions together. */
  reloadsPerMinute?: number | undefined
  /** Characters that each of its sessions may have. */
  characters?: number | undefined
  /** Bytes of the cast of each of its sessions. */
  castBytes?: number | undefined
  /** How long loading a cast may take. Seconds. */
  castSeconds?: number | undefined
  /** Characters that a client may bring in one event. */
  inlineCharacters?: number | undefined
  /** Bytes of them. */
  inlineBytes?: number | undefined
  /** Names of the roots that its sessions may load characters from; `default` always. */
  roots?: readonly string[] | undefined
}

export interface Key {
  /** Shown in the log; says nothing about the key itself. */
  readonly name: string
  readonly limits: KeyLimits
}

export interface KeyEntry extends Key {
  /** SHA-256 of the key. */
  readonly digest: Buffer
}

/** The API keys of a server: those of its options, and those of its file, which may change. */
export class Keyring {
  readonly #fixed: readonly KeyEntry[]
  /** Null: there is no file. One without any key lets nobody in. */
  #filed: readonly KeyEntry[] | null = null
  readonly #rates = new Map<string, Rate>()
  readonly #reloads = new Map<string, Rate>()

  /** @param keys in the clear; without any, and without a file, everybody may connect */
  constructor (keys: readonly string[]) {
    this.#fixed = keys.map((key, index) => ({ name: `#${index + 1}`, digest: digest(key), limits: {} }))
  }

  /** Whether no key is needed. */
  get open (): boolean {
    return this.#fixed.length === 0 && this.#filed === null
  }

  /** Takes the keys of the file as they are now; returns the names of those that are gone. */
  replace (entries: readonly KeyEntry[]): string[] {
    const gone = (this.#filed ?? []).map(({ name }) => name).filter(name => !entries.some(entry => entry.name === name))
    this.#filed = entries
    for (const rates of [this.#rates, this.#reloads]) for (const name of gone) rates.delete(name)
    return gone
  }

  /** Finds a key in a time that says nothing about the others: each is compared, whichever one fits. */
  find (presented: string | null): Key | null {
    if (presented === null) return null
    const given = digest(presented)
    let found: Key | null = null
    for (const entry of this.#fixed) if (timingSafeEqual(entry.digest, given)) found = entry
    for (const entry of this.#filed ?? []) if (timingSafeEqual(entry.digest, given)) found = entry
    return found
  }

  /** The key of a name as it is now. */
  named (name: string): Key | null {
    return this.#fixed.find(key => key.name === name) ?? this.#filed?.find(key => key.name === name) ?? null
  }

  /** Counts a reload of one of its sessions, by its limits of now; returns 0 if it may be, else the seconds after which the next may. */
  countReload (key: Key): number {
    const { name, limits: { reloadsPerMinute } } = this.named(key.name) ?? key
    return reloadsPerMinute === undefined ? 0 : take(this.#reloads, name, reloadsPerMinute)
  }

  /** Counts a connection to this server: seconds until the next may be, 0: this one may. */
  count ({ name, limits: { connectionsPerMinute } }: Key): number {
    return connectionsPerMinute === undefined ? 0 : take(this.#rates, name, connectionsPerMinute)
  }
}

function take (rates: Map<string, Rate>, name: string, perMinute: number): number {
  let rate = rates.get(name)
  if (rate === undefined) rates.set(name, rate = new Rate(perMinute))
  return rate.take(perMinute)
}

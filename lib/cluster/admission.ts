import type { Key, Keyring } from '../access/keyring.js'
import { RealtimeError } from '../errors.js'
import { tooMany, type Visitor as LocalVisitor } from '../realtime/live-sessions.js'
import { Refused, type Admission, type Fleet } from './fleet.js'
import type { Opened, Place, RateLimit } from './store.js'

/** Who asks for a session. */
export type Visitor = LocalVisitor & { key: Key | null }

/** What a visitor needs of the fleet, and what is said when it cannot have it. */
export class Admissions {
  readonly #fleet: Fleet
  readonly #keyring: Keyring
  readonly #addressLimit: number

  /** @param addressLimit sessions of one address; 0 is any number */
  constructor (fleet: Fleet, keyring: Keyring, addressLimit: number) {
    this.#fleet = fleet
    this.#keyring = keyring
    this.#addressLimit = addressLimit
  }

  /** A session's places and its connection, counted over the fleet. `ready` rejects with `rate_limit_exceeded`. */
  open (id: string, { address, key }: Visitor): Admission {
    const places: Place[] = []
    if (key !== null) places.push({ name: `key:${key.name}`, most: key.limits.sessions ?? null })
    if (this.#addressLimit > 0) places.push({ name: `address:${address}`, most: this.#addressLimit })
    // Counted here as well, for the time when the fleet cannot be asked.
    const here = key === null ? 0 : this.#keyring.count(key)
    const { ready, ...admission } = this.#fleet.open({ id, places, rate: rateOf(key) }, () => refuseRate(key, here))
    return { ...admission, ready: ready.catch(error => { throw error instanceof Refused ? toRefusal(error.answer, key) : error }) }
  }

  /** Counts a connection that opens no session. Rejects with `rate_limit_exceeded`. */
  async count (key: Key): Promise<void> {
    const rate = rateOf(key)
    if (rate === null) return
    const here = this.#keyring.count(key)
    refuseRate(key, await this.#fleet.count(rate) ?? here)
  }
}

function rateOf (key: Key | null): RateLimit | null {
  const perMinute = key?.limits.connectionsPerMinute
  return perMinute === undefined ? null : { name: `key:${key!.name}`, perMinute }
}

function toRefusal (answer: Exclude<Opened, { admitted: true }>, key: Key | null): RealtimeError {
  switch (answer.because) {
    case 'rate': return tooOften(key!, answer.seconds)
    case 'place': return tooMany(`${answer.place.startsWith('key:') ? 'This key' : 'Your address'} has ${answer.most} sessions`)
    case 'lease': return new RealtimeError('server_error')
  }
}

function refuseRate (key: Key | null, seconds: number): void {
  if (seconds > 0) throw tooOften(key!, seconds)
}

function tooOften ({ limits: { connectionsPerMinute } }: Key, seconds: number): RealtimeError {
  return new RealtimeError('rate_limit_exceeded', {
    message: `This key may connect ${connectionsPerMinute} times a minute. Try again in ${seconds} s.`, retryAfter: seconds
  })
}

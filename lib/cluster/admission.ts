import type { Key, Keyring } from '../access/keyring.js'
import { RealtimeError } from '../errors.js'
import { tooMany, type LiveSessions, type Visitor as LocalVisitor } from '../realtime/live-sessions.js'
import { Refused, type Admission, type Fleet } from './fleet.js'
import type { Opened, Place, RateLimit, Write, Written } from './store.js'

/** Who asks for a session. */
export type Visitor = LocalVisitor & { key: Key | null }

/** A session's place on this server and in the fleet. */
export interface SessionPlace {
  /** Rejects with the refusal of the fleet. */
  ready: Promise<void>
  /** Gives it back; that in the fleet not if it is kept. Idempotent. */
  release (): void
  /**
   * The place in the fleet goes from now on with the last that is written of the session: with what this returns. Null: there is nothing to
   * write.
   */
  keep (): (last: Write | null) => Promise<Written | null>
}

/** What a visitor needs of this server and of the fleet, and what is said when it cannot have it. */
export class Admissions {
  readonly #sessions: LiveSessions
  readonly #fleet: Fleet
  readonly #keyring: Keyring
  readonly #addressLimit: number

  /** @param addressLimit sessions of one address; 0 is any number */
  constructor (sessions: LiveSessions, fleet: Fleet, keyring: Keyring, addressLimit: number) {
    this.#sessions = sessions
    this.#fleet = fleet
    this.#keyring = keyring
    this.#addressLimit = addressLimit
  }

  /** Takes a place for a session, and counts its connection. Throws where this server has none. */
  open (id: string, visitor: Visitor): SessionPlace {
    const leave = this.#sessions.reserve(visitor)
    const { ready, release, end } = this.#admit(id, visitor)
    let held = true
    let kept = false
    return {
      ready,
      // Once: who is taken up here again has the same id.
      release () {
        if (!held) return
        held = false
        leave()
        if (!kept) release()
      },
      keep () {
        kept = true
        return async last => {
          if (last !== null) return await end(last)
          release()
          return null
        }
      }
    }
  }

  #admit (id: string, { address, key }: Visitor): Admission {
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

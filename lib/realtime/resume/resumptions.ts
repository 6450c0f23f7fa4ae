import { createHash } from 'node:crypto'
import type { Room, Store } from '../../cluster/store.js'
import { RealtimeError } from '../../errors.js'
import { createId } from '../ids.js'
import { Checkpoints, SPACE, type Kept } from './checkpoints.js'
import { holderField, readSnapshot, type Snapshot } from './snapshot.js'

export interface ResumptionsOptions {
  store: Store
  /** This server. */
  node: string
  /** How much all records together may take, where that is bounded. */
  room?: Room | undefined
  /** How long a session may be taken up after its connection is gone; 0: none can be. */
  seconds: number
  /** A session's length. */
  sessionSeconds: number
  /** Bytes of the items of a session that are kept. */
  maxBytes: number
  /** Has another server call {@link Resumptions.release}; resolves when it has, or may be dead. */
  tell? (node: string, key: string): Promise<void>
  observe? (outcome: 'written' | 'failed'): void
  /** A checkpoint could not be written. */
  fault? (error: unknown): void
}

/** How one connection's session can be taken up by another, and what it is taken up from itself. */
export interface Resumption {
  /** Tells the client how; it works once. */
  readonly token: string
  readonly seconds: number
  /** What to go on from; null for a session that is new. */
  readonly snapshot: Snapshot | null
  /** The connection was refused: the token it came with holds as before. */
  putBack (): Promise<void>
  /** Keeps a session from now on. */
  keep (session: Kept): Checkpoints
}

/**
 * The sessions of one server that may be taken up again, here or on another server with the same records. A
 * token is the only way to a record: what is stored is its digest.
 */
export class Resumptions {
  readonly #options: ResumptionsOptions
  /** Sessions of this server by the key of their record. */
  readonly #live = new Map<string, { session: Kept, checkpoints: Checkpoints }>()
  readonly #closing = new Set<Promise<void>>()
  #failing = false

  constructor (options: ResumptionsOptions) {
    this.#options = options
  }

  /** Of a session that begins; null if none can be taken up here. */
  begin (owner: string): Resumption | null {
    return this.#options.seconds === 0 ? null : this.#resumption(owner, null, async () => {})
  }

  /**
   * Takes up a session, and ends the connection that still seems to have it. Rejects with `resume_not_found` if
   * the token is unknown, expired, used, or of another owner, and with `resume_unavailable` if nobody can tell.
   */
  async takeUp (token: string, owner: string): Promise<Resumption> {
    const { store, node, seconds, tell, fault } = this.#options
    if (seconds === 0) throw notFound()
    const key = keyOf(token, owner)
    // What it has said until now is kept, if it can be.
    await this.#live.get(key)?.session.leave()
    const fields = await store.take(SPACE, key, holderField).catch(cause => { throw new RealtimeError('resume_unavailable', { param: 'resume', cause }) })
    const snapshot = fields === null ? null : readSnapshot(fields)
    if (snapshot === null) throw notFound()
    const { [holderField]: holder, ...kept } = fields!
    // It frees its place; of one that died the store tells no name.
    if (holder !== undefined && holder !== node) await tell?.(holder, key).catch(error => fault?.(error))
    return this.#resumption(owner, snapshot, async () => { await store.put(SPACE, key, kept, seconds * 1000) })
  }

  /** A session was taken up on another server: it ends here, if it is here. */
  release (key: string): boolean {
    const live = this.#live.get(key)
    live?.checkpoints.abandon()
    live?.session.leave().catch(error => this.#options.fault?.(error))
    return live !== undefined
  }

  /** Resolves when the last checkpoints of all sessions that have ended are written. */
  async settled (): Promise<void> {
    await Promise.all(this.#closing)
  }

  /** A session that is connected is kept until it would have ended, for it to be there when its server dies. */
  get #connectedMs (): number {
    return (this.#options.sessionSeconds + this.#options.seconds) * 1000
  }

  #resumption (owner: string, snapshot: Snapshot | null, putBack: () => Promise<void>): Resumption {
    const { store, node, room, seconds, maxBytes, observe, fault } = this.#options
    const token = createId('resume')
    return {
      token,
      seconds,
      snapshot,
      putBack,
      keep: session => {
        const key = keyOf(token, owner)
        const checkpoints = new Checkpoints(session, {
          store,
          node,
          room,
          key,
          connectedMs: this.#connectedMs,
          keptMs: seconds * 1000,
          maxBytes,
          observe: (outcome, error) => {
            observe?.(outcome)
            // One line for a store that is away, however many sessions there are.
            if (outcome === 'failed' && !this.#failing) fault?.(error)
            this.#failing = outcome === 'failed'
          },
          closing: written => {
            this.#live.delete(key)
            const closing = written.finally(() => this.#closing.delete(closing))
            this.#closing.add(closing)
          }
        })
        this.#live.set(key, { session, checkpoints })
        return checkpoints
      }
    }
  }
}

function notFound (): RealtimeError {
  return new RealtimeError('resume_not_found', { param: 'resume' })
}

/** The store learns neither the token nor whose it is. */
function keyOf (token: string, owner: string): string {
  return createHash('sha256').update(`${token} ${owner}`).digest('base64url')
}

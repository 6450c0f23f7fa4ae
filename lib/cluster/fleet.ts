import { randomUUID } from 'node:crypto'
import type { Logger } from '../characters/logger.js'
import { Messages } from './messages.js'
import { StoreError, writeTo, type Held, type Holder, type NodeState, type Opened, type Opening, type RateLimit, type Store, type Write, type Written } from './store.js'

/** How often a store is tried that cannot be reached. Milliseconds. */
const RETRY_MS = 1000

export interface FleetOptions {
  store: Store
  /** Name of this server in the fleet. */
  node: string
  /** How long it may be silent until the others count it as dead. Milliseconds. */
  leaseMs: number
  /** How it is now. */
  describe: () => Pick<NodeState, 'draining' | 'limit'>
  log: Logger
  /** A session was opened though the store could not be asked. */
  onFallback?: () => void
}

/** A place in the fleet that was asked for. */
export interface Admission {
  /** Rejects with the refusal. */
  ready: Promise<void>
  /** Gives it back, also while it is being asked for. Idempotent. */
  release: () => void
  /** The same, and writes what its session leaves: in one step, where the place was given by the store. */
  end: (last: Write) => Promise<Written>
}

/**
 * This server as a member of its fleet: its lease, and the sessions it has told the store of. While the store cannot
 * be reached it goes on by itself; when it can again, it tells what it has.
 */
export class Fleet {
  readonly node: string
  readonly store: Store
  readonly messages: Messages
  readonly #options: FleetOptions
  readonly #holder: Holder
  /** What the store is to know, by id of the session. */
  readonly #held = new Map<string, Held>()
  /** Openings that the store has been asked for. */
  readonly #opening = new Set<Promise<unknown>>()
  #up = false
  /** The store may not know what is here. */
  #stale = true
  #joining: Promise<void> | null = null
  #beating: Promise<void> | null = null
  #timer: NodeJS.Timeout | undefined
  #stopListening: (() => Promise<void>) | null = null
  /** It has joined once, and may be found out to have been replaced. */
  #joined = false
  #warned = false
  /** Another instance has its name. */
  #taken = false
  #over = false

  constructor (options: FleetOptions) {
    this.#options = options
    this.node = options.node
    this.store = options.store
    this.#holder = { node: options.node, instance: randomUUID() }
    this.messages = new Messages(this.node, this.store, error => this.#complain(error))
  }

  /** Whether the store answers. */
  get up (): boolean {
    return this.#up
  }

  /**
   * Joins the fleet.
   *
   * @param optional go on alone while the store cannot be reached; else that rejects with a {@link StoreError}
   */
  async start (optional: boolean): Promise<void> {
    try {
      await this.store.start?.()
      await this.#renew()
      this.#up = true
      this.#schedule()
    } catch (error) {
      if (!optional || !(error instanceof StoreError)) throw error
      this.#fall(error)
    }
  }

  /** Asks for a session's places; where the store cannot tell, `decideAlone` decides, by throwing or not. */
  open (opening: Opening, decideAlone: () => void): Admission {
    const held: Held = { id: opening.id, places: opening.places.map(({ name }) => name) }
    let released = false
    const admit = async (): Promise<void> => {
      const answer = await this.#ask(opening, held)
      if (answer === null) {
        decideAlone()
        this.#held.set(held.id, held)
        this.#stale = true
        this.#options.onFallback?.()
      } else if (!answer.admitted) throw new Refused(answer)
      if (released) this.#close(held)
    }
    return {
      ready: admit(),
      release: () => {
        released = true
        this.#close(held)
      },
      end: async last => {
        released = true
        return await this.#end(held, last)
      }
    }
  }

  /** Counts one over all nodes: seconds until the next may pass, 0: it may; null: the store cannot tell. */
  async count (rate: RateLimit): Promise<number | null> {
    return this.#up ? await this.store.count(rate).catch(error => this.#fallsBack(error)) : null
  }

  /** Tells the others at once how this one is, such as that it drains. */
  tell (): void {
    if (this.#up) this.#beat()
  }

  /** Leaves the fleet, and lets the store go. */
  async stop (): Promise<void> {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    await this.#beating
    if (this.#up) {
      await this.store.leave(this.#holder).catch(() => {})
      await this.#stopListening?.().catch(() => {})
    }
    this.#up = false
    await this.store.end()
  }

  /** Null: the store cannot tell. */
  async #ask (opening: Opening, held: Held): Promise<Opened | null> {
    // Twice: the lease may have run out while nothing was told, as when the process stood still.
    for (let attempt = 0; attempt < 2; attempt++) {
      while (this.#joining !== null) await this.#joining.catch(() => {})
      if (!this.#up) return null
      const asked = this.store.openSession(this.#holder, opening).then(answer => {
        if (answer.admitted) this.#held.set(held.id, held)
        return answer
      }).finally(() => this.#opening.delete(asked))
      this.#opening.add(asked)
      const answer = await asked.catch(error => this.#fallsBack(error))
      if (answer === null || answer.admitted || answer.because !== 'lease') return answer
      await this.#beat()
    }
    return null
  }

  #close (held: Held): void {
    const known = this.#held.get(held.id)
    if (known === undefined || this.#over) return
    if (known !== held) {
      // Its session has been taken up by another connection, under the same id: the store is told anew what is here.
      this.#stale = true
      return
    }
    this.#held.delete(held.id)
    if (this.#up) this.store.closeSession(this.#holder, held).catch(error => { this.#fallsBack(error) })
    else this.#stale = true
  }

  async #end (held: Held, last: Write): Promise<Written> {
    if (this.#held.get(held.id) !== held || !this.#up || this.#over) {
      this.#close(held)
      return await writeTo(this.store, last)
    }
    this.#held.delete(held.id)
    return await this.store.closeSession(this.#holder, held, last).catch(error => {
      this.#fallsBack(error)
      throw error
    }) as Written
  }

  /** Renews the lease, one at a time; never rejects. */
  #beat (): Promise<void> {
    clearTimeout(this.#timer)
    const beating = (this.#beating ?? Promise.resolve()).then(async () => {
      if (this.#over) return
      try {
        await this.#renew()
        this.#rise()
      } catch (error) {
        this.#fall(error)
      }
    }).finally(() => {
      if (this.#beating !== beating) return
      this.#beating = null
      this.#schedule()
    })
    this.#beating = beating
    return beating
  }

  async #renew (): Promise<void> {
    this.#stopListening ??= await this.store.listen(this.node, message => this.messages.hear(message))
    const state = this.#joined ? await this.store.beat(this.#state()) : 'lost'
    if (state === 'taken') {
      this.#taken = true
      this.#up = false
      this.#options.log.error({ node: this.node }, 'Another server has taken the name of this node: it is alone from now on. Give each its own name and start it again')
      return
    }
    if (state === 'lost' || this.#stale) await this.#join()
  }

  /** Tells the store exactly what is here. Openings wait for it, and it for those under way. */
  async #join (): Promise<void> {
    const join = async (): Promise<void> => {
      await Promise.allSettled(this.#opening)
      this.#stale = false
      try {
        await this.store.join(this.#state(), [...this.#held.values()])
        this.#joined = true
      } catch (error) {
        this.#stale = true
        throw error
      }
    }
    this.#joining = join().finally(() => { this.#joining = null })
    await this.#joining
  }

  #state (): NodeState {
    return { ...this.#holder, leaseMs: this.#options.leaseMs, ...this.#options.describe() }
  }

  #schedule (): void {
    clearTimeout(this.#timer)
    if (this.#over || this.#taken) return
    const third = this.#options.leaseMs / 3
    this.#timer = setTimeout(() => { this.#beat().catch(() => {}) }, this.#up ? third : Math.min(third, RETRY_MS)).unref()
  }

  #rise (): void {
    if (this.#up || this.#over || this.#taken) return
    this.#up = true
    this.#warned = false
    this.#options.log.info({ node: this.node }, 'The store of the fleet is there again')
  }

  #fall (error: unknown): void {
    if (this.#over) return
    if (!(error instanceof StoreError)) this.#complain(error)
    this.#up = false
    this.#stale = true
    if (!this.#warned) this.#options.log.warn({ node: this.node }, `The store of the fleet cannot be reached: ${(error as Error).message} Sessions go on, and the limits of this server alone hold until it is back`)
    this.#warned = true
    this.#schedule()
  }

  #fallsBack (error: unknown): null {
    this.#fall(error)
    return null
  }

  #complain (error: unknown): void {
    if (!this.#over && !(error instanceof StoreError)) this.#options.log.error({ err: error }, 'A message of the fleet failed')
  }
}

/** The store says no. */
export class Refused extends Error {
  readonly answer: Exclude<Opened, { admitted: true }>

  constructor (answer: Exclude<Opened, { admitted: true }>) {
    super(answer.because)
    this.answer = answer
  }
}

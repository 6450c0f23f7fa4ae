// What a fleet of servers shares. Every method is one step that nothing comes between, one round trip at most,
// and takes and gives JSON alone: a process may stand in for another. Time is the store's own, so no method
// takes a moment, only durations: the clocks of the servers may be apart by minutes.

/** Bytes, in UTF-8, of the fields of one value together, names included. */
export const VALUE_BYTES = 4 * 1024 * 1024
/** Bytes of one message as JSON; longer ones are not sent. */
export const MESSAGE_BYTES = 4 * 1024 * 1024

/** What is kept under a name: text by field. */
export type Fields = Record<string, string>

/** How much a space may hold in the whole fleet, where that is bounded. */
export interface Room {
  entries: number
  /** Of the values together. */
  bytes: number
}

/** Who acts: a server by its name, and which start of it. A restart under the same name is another instance. */
export interface Holder {
  /** `[A-Za-z0-9._-]{1,64}` */
  node: string
  instance: string
}

/** A server of the fleet, as it tells of itself. */
export interface NodeState extends Holder {
  /** How long it may be silent until it counts as dead: its sessions leave the directory and free what they hold. Milliseconds. */
  leaseMs: number
  /** It takes no new sessions. */
  draining: boolean
  /** Sessions it may have. */
  limit: number
}

/** One of so many places, such as those of a key; counted over all nodes. */
export interface Place {
  /** Such as `key:kiosk` or `address:10.0.0.7`. */
  name: string
  /** How many there are; null: any number, but count it. */
  most: number | null
}

/** So many a minute over all nodes, and as many at once after a quiet one. */
export interface RateLimit {
  name: string
  perMinute: number
}

/** What is done to a value, as by {@link Store.put}, `patch` or `delete`. */
export type Write = { space: string, name: string } & (
  | { put: Fields, ttlMs: number, room?: Room | undefined }
  | { patch: { set?: Fields, remove?: string[] }, ttlMs: number }
  | { delete: true }
)

/** What became of it; of a value that was to be deleted: whether it was there. */
export type Written = 'kept' | 'gone' | 'full'

/** A session as the directory knows it, with the names of the places it holds. */
export interface Held {
  id: string
  places: string[]
}

/** What opening a session asks for. */
export interface Opening {
  id: string
  places: Place[]
  /** Counted first, and also when there is no place then. */
  rate: RateLimit | null
}

export type Opened =
  | { admitted: true }
  /** Seconds after which it is worth trying again. */
  | { admitted: false, because: 'rate', seconds: number }
  | { admitted: false, because: 'place', place: string, most: number }
  /** The node's lease has run out, or another instance holds it: see {@link Store.beat}. Nothing was counted. */
  | { admitted: false, because: 'lease' }

/** `lost`: it has run out, join again. `taken`: another instance joined under this name since. */
export type LeaseState = 'held' | 'lost' | 'taken'

export interface NodeEntry {
  name: string
  draining: boolean
  limit: number
  /** Sessions it has. */
  sessions: number
  /** Milliseconds since it was last heard of. */
  silentMs: number
}

export interface DirectoryEntry {
  id: string
  node: string
  /** Milliseconds since it was opened or, after the store was lost, registered again. */
  ageMs: number
}

export interface Page<T> {
  data: T[]
  /** The `after` of the page that follows; null: this was the last. Opaque. */
  next: string | null
}

/** JSON that one node tells another. */
export type Message = Record<string, unknown> & { type: string }

/**
 * What the servers of a fleet share: in memory where there is one machine, Redis where there are several.
 * Every promise rejects with a {@link StoreError} while the store cannot be reached, and with nothing else; what
 * was asked may then have happened or not.
 */
export interface Store {
  /**
   * Servers that each have an equal part of what one machine may have, and meet here. What is bounded by a server's
   * sessions may be so many times as much. Default 1.
   */
  readonly share?: number
  /** Connects, where there is something to connect to: rejects if that fails now, and goes on trying. */
  start? (): Promise<void>
  /** Keeps a value, in place of another of that name. `full`: it is too long, or there is no room for it. */
  put (space: string, name: string, fields: Fields, ttlMs: number, room?: Room): Promise<'kept' | 'full'>
  /**
   * Changes fields of a value that is there, and lets it live for so long from now. `gone`: there is none, and none
   * is made, so that who is late cannot bring back what was taken. `full`: nothing was changed, as it would be too
   * long.
   */
  patch (space: string, name: string, change: { set?: Fields, remove?: string[] }, ttlMs: number): Promise<'kept' | 'gone' | 'full'>
  get (space: string, name: string): Promise<Fields | null>
  /**
   * Gets and deletes: of several who take a value at once, one gets it.
   *
   * @param holder a field with the name of a node: left out if nobody listens there, and nobody needs to be told
   */
  take (space: string, name: string, holder?: string): Promise<Fields | null>
  /** Whether it was there. */
  delete (space: string, name: string): Promise<boolean>

  /** Counts one; 0 if it may pass, else the seconds after which the next may. */
  count (rate: RateLimit): Promise<number>

  /** Begins the lease of a node, with exactly these sessions; whatever was known under its name is forgotten. */
  join (node: NodeState, sessions: Held[]): Promise<void>
  /** Renews a lease, and tells how the node is. To be called three times in `leaseMs`, and when something changes. */
  beat (node: NodeState): Promise<LeaseState>
  /** Ends a lease, and all that its sessions hold. Another instance's is left alone. */
  leave (holder: Holder): Promise<void>
  /** In the order of their names. */
  nodes (limit: number, after?: string): Promise<Page<NodeEntry>>

  /** Checks and takes rate and places, and enters the session into the directory: all of it or, but for the rate, nothing. */
  openSession (holder: Holder, opening: Opening): Promise<Opened>
  /**
   * Gives all of it back. Whoever is not in the directory gives nothing.
   *
   * @param last what the session leaves, in the same step: it is written in any case
   */
  closeSession (holder: Holder, session: Held, last?: Write): Promise<Written | null>
  /** Over all nodes in the order of their names, the sessions of each from the oldest on. */
  sessions (limit: number, after?: string): Promise<Page<DirectoryEntry>>
  /** The node that has a session. */
  locate (id: string): Promise<string | null>

  /** Tells one node, or all of them (null), the sender too; returns how many listen. Nothing is kept for who does not. */
  send (to: string | null, message: Message): Promise<number>
  /** Hears what is sent to a node, and to all. The returned function ends it. */
  listen (node: string, onMessage: (message: Message) => void): Promise<() => Promise<void>>

  /** Lets go of connections and timers. Nothing may be asked afterwards. */
  end (): Promise<void>
}

/** The store cannot be reached, or did not answer in time. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code = 'store_unavailable'
}

/** Writes by itself what {@link Store.closeSession} takes along. */
export async function writeTo (store: Store, write: Write): Promise<Written> {
  const { space, name } = write
  if ('put' in write) return await store.put(space, name, write.put, write.ttlMs, write.room)
  if ('patch' in write) return await store.patch(space, name, write.patch, write.ttlMs)
  return await store.delete(space, name) ? 'kept' : 'gone'
}

/** Length of fields as {@link VALUE_BYTES} counts it. */
export function bytesOf (fields: Fields): number {
  let bytes = 0
  for (const [name, text] of Object.entries(fields)) bytes += Buffer.byteLength(name) + Buffer.byteLength(text)
  return bytes
}

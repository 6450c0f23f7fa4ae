import type { Outgoing } from '../events/server.js'

/** An event of a dialect on its way out, without `event_id`. */
export type Spoken = { type: string } & Record<string, unknown>

/**
 * Another shape of the wire events than GA, which is all that the session knows. It stands between the
 * frames and the core: what comes in is translated before it is checked, what goes out just before it is
 * written. One object a session.
 */
export interface Dialect {
  /** The dialect's name of an event that has another name and nothing else: deltas are written by hand. */
  nameOf (type: string): string
  /** The sampling temperature that the client wants of the response being made; undefined if it never said. GA cannot say it. */
  readonly temperature: number | undefined
  /** What it wants of the whole session, for who takes that up; null if it never said. */
  sessionTemperature: number | null
  /**
   * A client's event in GA's words. What it does not understand it leaves as it is, for the schema to refuse; what
   * GA has no schema for it refuses itself, with a RealtimeError.
   */
  hear (event: Spoken): Spoken
  /** Passes on what the client is told instead of a GA event: one event, several, or none. */
  say (event: Outgoing, send: (event: Spoken) => void): void
}

/** Makes the dialect of a session, given the id of its conversation. */
export type DialectFactory = (conversationId: string) => Dialect

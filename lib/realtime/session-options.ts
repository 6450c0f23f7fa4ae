import type { CharacterRegistry } from '../characters/registry.js'
import type { SessionPlace } from '../cluster/admission.js'
import type { Engines } from '../engines/engine.js'
import type { DialectFactory } from './dialects/dialect.js'
import type { SessionUpdate } from './events/session-object.js'
import type { SessionObserver } from './observer.js'
import type { Connection, SessionSocket } from './outbox.js'
import type { Resumption } from './resume/resumptions.js'
import type { Settings } from './settings.js'

export interface SessionLimits {
  /** Seconds a session may last. Default 3600. */
  sessionSeconds: number
  /** Seconds without a client event after which a session is closed; 0 is never. Default 0. */
  idleSeconds: number
  /** Events a second that are read; see {@link Throttle}. */
  eventsPerSecond: number
  /** Bytes that may wait for a client that does not read. */
  sendBytes: number
  /** Seconds of sound that are made before they can have been played; 0 is any. */
  aheadSeconds: number
  /** Items of the conversation. */
  conversationItems: number
  /** Bytes of what the client puts into the conversation, recordings apart. */
  conversationBytes: number
  /** Responses under way at a time outside of the conversation. */
  outOfBandResponses: number
  /** Reloads of the cast that wait for the one under way. */
  waitingReloads: number
  /** Characters of instructions. */
  instructionsLength: number
  /** Characters of the client's tools as JSON. */
  toolsLength: number
  /** Seconds of audio that may wait uncommitted. Default 300. */
  uncommittedSeconds: number
  /** Seconds of audio that may wait for voice detection until the socket is no longer read. Default 30. */
  undetectedSeconds: number
  /** Seconds of recordings kept for `conversation.item.retrieve`. Default 300. */
  audioHistorySeconds: number
  /** Tokens of instructions, tools and items that the model is sent, estimated. Default 28672. */
  contextTokens: number
}

export interface SessionOptions {
  /** The TCP connection below the socket, for writing several frames at once. */
  connection: Connection
  socket: SessionSocket
  registry: CharacterRegistry
  engines: Engines
  /** What the client named at connect; shown, not used. */
  model: string
  /** Whether it answers, or only transcribes. Default `realtime`. */
  type?: Settings['type'] | undefined
  /** What the client's ephemeral key brings: applied before the session is announced. Checked when the key was made. */
  configuration?: SessionUpdate | undefined
  /** A character the client named at connect. */
  character?: string | undefined
  /** How it can be taken up again, and what it goes on from; absent if the client did not ask. */
  resumption?: Resumption | undefined
  /** What it has of the server's room: given back at once when it is taken up on another connection. */
  place?: Pick<SessionPlace, 'release' | 'keep'> | undefined
  /** Whether a client that takes it up is told of its items once more. Default false. */
  replay?: boolean | undefined
  /** Whether parameters that the protocol does not know are errors. Default false: clients run ahead of servers. */
  strict?: boolean | undefined
  /** The server's own choice: a name, null for nobody, undefined for the first of the cast. */
  defaultCharacter: string | null | undefined
  limits: SessionLimits
  observer: SessionObserver
  /** Counts a reload: 0 if it may be, else the seconds after which the next may. Default: any may. */
  countReload?: (() => number) | undefined
  /** What the client speaks, if it is not GA. */
  dialect?: DialectFactory | null
}

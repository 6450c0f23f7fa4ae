import type { ClientSecret, ClientSecrets } from '../lib/access/client-secrets.js'
import type { Key, Keyring } from '../lib/access/keyring.js'
import type { CharacterLibrary } from '../lib/characters/library.js'
import type { CharacterRegistry } from '../lib/characters/registry.js'
import type { Admissions } from '../lib/cluster/admission.js'
import type { Fleet } from '../lib/cluster/fleet.js'
import type { Engines } from '../lib/engines/engine.js'
import type { Health } from '../lib/engines/health.js'
import type { Guard } from '../lib/engines/guard/engines.js'
import type { SharedEngines } from '../lib/engines/local/engine-channel.js'
import type { Metrics } from '../lib/metrics.js'
import type { Overload } from '../lib/overload.js'
import type { Options } from '../lib/options.js'
import type { SessionUpdate } from '../lib/realtime/events/session-object.js'
import type { Heartbeat } from '../lib/realtime/heartbeat.js'
import type { LiveSessions } from '../lib/realtime/live-sessions.js'
import type { Resumption, Resumptions } from '../lib/realtime/resume/resumptions.js'
import type { Tracing } from '../lib/tracing/tracing.js'

// All additions to Fastify's types. app.ts imports this file, or embedders would not see them.

declare module 'fastify' {
  interface FastifyInstance {
    dramatisOptions: Options
    dramatisAdmit (request: FastifyRequest): Promise<void>
    dramatisAdmitSession (request: FastifyRequest): Promise<void>
    dramatisKeyring: Keyring
    /** Reads the keys file again, if there is one; a broken one is logged and changes nothing. */
    dramatisReloadKeys (): void
    dramatisSecrets: ClientSecrets<SessionUpdate>
    dramatisAdmissions: Admissions
    dramatisFleet: Fleet
    dramatisEngines: Engines
    /** Local engines that several processes share, where they do. */
    dramatisSharedEngines?: SharedEngines
    dramatisHealth (): Promise<Health>
    dramatisGuard: Guard
    dramatisLibrary: CharacterLibrary
    dramatisMetrics: Metrics
    dramatisOverload: Overload
    dramatisTracing: Tracing | null
    dramatisSessions: LiveSessions
    dramatisHeartbeat: Heartbeat
    dramatisResumptions: Resumptions
  }

  interface FastifyRequest {
    /** The session's own registry of characters; null outside of `GET /v1/realtime`. Purged when the socket closes. */
    characters: CharacterRegistry | null
    /** Of the session that it opens; empty outside of `GET /v1/realtime`. */
    sessionId: string
    /** What the ephemeral key brings that the client connects with, if it does. */
    clientSecret: ClientSecret<SessionUpdate> | null
    /** The API key that the client connects with, itself or by an ephemeral one; null where none is needed. */
    apiKey: Key | null
    /** How its session can be taken up again, and what it goes on from; null unless the client asked. */
    resumption: Resumption | null
  }
}

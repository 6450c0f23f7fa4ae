import type { ClientSecret, ClientSecretStore } from '../lib/access/client-secrets.js'
import type { CharacterLibrary } from '../lib/characters/library.js'
import type { CharacterRegistry } from '../lib/characters/registry.js'
import type { Engines } from '../lib/engines/engine.js'
import type { Health } from '../lib/engines/health.js'
import type { Guard } from '../lib/engines/guard/engines.js'
import type { Metrics } from '../lib/metrics.js'
import type { Options } from '../lib/options.js'
import type { SessionUpdate } from '../lib/realtime/events/session-object.js'
import type { LiveSessions } from '../lib/realtime/live-sessions.js'

// All additions to Fastify's types. app.ts imports this file, or embedders would not see them.

declare module 'fastify' {
  interface FastifyInstance {
    dramatisOptions: Options
    dramatisAdmit (request: FastifyRequest): Promise<void>
    dramatisAdmitSession (request: FastifyRequest): Promise<void>
    dramatisSecrets: ClientSecretStore<SessionUpdate>
    dramatisEngines: Engines
    dramatisHealth (): Promise<Health>
    dramatisGuard: Guard
    dramatisLibrary: CharacterLibrary
    dramatisMetrics: Metrics
    dramatisSessions: LiveSessions
  }

  interface FastifyRequest {
    /** The session's own registry of characters; null outside of `GET /v1/realtime`. Purged when the socket closes. */
    characters: CharacterRegistry | null
    /** What the ephemeral key brings that the client connects with, if it does. */
    clientSecret: ClientSecret<SessionUpdate> | null
  }
}

import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { CharacterRegistry } from '../characters/registry.js'
import type { Engines } from '../engines/engine.js'
import { RealtimeError } from '../errors.js'
import { Casting } from './casting.js'
import { describeSession } from './describe.js'
import { explain } from './events/explain.js'
import { OneOf } from './events/common.js'
import { findUnknown } from './events/strict.js'
import { SessionUpdate, type SessionObject } from './events/session-object.js'
import { startingSettings, updateSettings } from './settings.js'

/** Body of `POST /v1/realtime/client_secrets` (PROTOCOL section 2.2). */
const Request = Type.Object({
  expires_after: Type.Optional(Type.Object({
    anchor: Type.Optional(OneOf('created_at')),
    seconds: Type.Optional(Type.Integer({ minimum: 10, maximum: 7200, description: 'Default 600.' }))
  })),
  session: Type.Optional(Type.Object({
    ...SessionUpdate.properties,
    characters_directory: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, description: 'The cast that its sessions begin with, in the version that it has now or in one that is named.' }))
  }))
})
const compiled = TypeCompiler.Compile(Request)

/** How long a key may start sessions unless its maker says otherwise. */
const DEFAULT_SECONDS = 600

export interface SecretRequest {
  seconds: number
  configuration: Static<typeof SessionUpdate>
  /** The cast to pin; undefined: none. */
  directory: string | undefined
}

/** Reads a request for an ephemeral key. Throws the error that `session.update` would be answered with. */
export function readSecretRequest (body: unknown, strict: boolean): SecretRequest {
  const request: unknown = body ?? {}
  if (!compiled.Check(request)) throw explain(Request, request)
  const unknown = strict ? findUnknown(Request, request) : null
  if (unknown !== null) throw new RealtimeError('unknown_parameter', { param: unknown, message: `Unknown parameter: '${unknown}'.` })
  const { characters_directory: directory, ...configuration } = request.session ?? { type: 'realtime' as const }
  return { seconds: request.expires_after?.seconds ?? DEFAULT_SECONDS, configuration, directory }
}

/**
 * The whole session that a key will begin. Throws if there can be no such session.
 *
 * @param defaultCharacter as in {@link Casting}
 */
export function previewSession (configuration: Static<typeof SessionUpdate>, registry: CharacterRegistry, engines: Engines, defaultCharacter: string | null | undefined): SessionObject {
  const settings = updateSettings(startingSettings(configuration.type), configuration)
  const casting = new Casting(registry, engines.tts, defaultCharacter)
  casting.prepare(configuration)()
  return describeSession({ id: registry.session.id, model: configuration.model ?? engines.llm.model, expiresAt: 0, settings, casting, registry, engines })
}

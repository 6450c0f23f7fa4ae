import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { RealtimeError } from '../errors.js'
import { explain } from './events/explain.js'
import { OneOf } from './events/common.js'
import { findUnknown } from './events/strict.js'
import { SessionUpdate } from './events/session-object.js'

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

import { RealtimeError } from '../../errors.js'
import { betaError, gaSession } from './beta.js'

/** A beta client's request for an ephemeral key as GA has it: there the session's fields stand beside those of the key, whose lifetime has two names. */
export function gaSecretRequest (body: unknown, type: string): unknown {
  const flat = body ?? {}
  if (typeof flat !== 'object' || Array.isArray(flat)) return flat
  const { client_secret: secret, ...fields } = flat as { client_secret?: { expires_after?: unknown, expires_at?: unknown } }
  const lifetime = secret?.expires_after ?? secret?.expires_at
  return { ...lifetime === undefined ? {} : { expires_after: lifetime }, session: gaSession(fields, type) }
}

/** What was wrong with it, by the names that the client used. */
export function betaSecretError (error: unknown): unknown {
  if (!(error instanceof RealtimeError)) return error
  const { param, message } = betaError({ param: error.param, message: error.message })
  return new RealtimeError(error.code, { message, param: param?.replace(/^session\./, '') ?? null })
}

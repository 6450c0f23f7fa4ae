import { TypeCompiler } from '@sinclair/typebox/compiler'
import { RealtimeError } from '../../errors.js'
import type { Dialect, Spoken } from '../dialects/dialect.js'
import { clientEvents, type ClientEvent } from './client.js'
import { explain } from './explain.js'
import { findUnknown } from './strict.js'

const checks = new Map(clientEvents.map(schema => {
  const compiled = TypeCompiler.Compile(schema)
  return [schema.properties.type.const as string, { schema, passes: (value: unknown) => compiled.Check(value) }]
}))

/** A frame's event, or the one error to answer it with and the client's `event_id`, as far as it can be told. */
export type Parsed = { event: ClientEvent, error?: never } | { event?: never, error: RealtimeError, eventId: string | null }

/**
 * Reads one text frame (PROTOCOL section 5), in the client's dialect if it is not GA. Throws only what is the server's own fault.
 *
 * @param strict whether a parameter that no schema knows is an error, as it is at the hosted API
 */
export function parseClientEvent (frame: string, dialect: Dialect | null = null, strict = false): Parsed {
  let value: unknown
  try {
    value = JSON.parse(frame)
  } catch {
    return { error: new RealtimeError('invalid_json'), eventId: null }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { error: new RealtimeError('invalid_event'), eventId: null }
  }

  const { type, event_id: id } = value as { type?: unknown, event_id?: unknown }
  const eventId = typeof id === 'string' && id.length <= 512 ? id : null
  if (type === undefined) return { error: new RealtimeError('invalid_event', { param: 'type', message: 'The event has no \'type\'.' }), eventId }
  if (typeof type !== 'string') {
    return { error: new RealtimeError('invalid_type', { param: 'type', message: 'Invalid type for \'type\': expected string.' }), eventId }
  }

  try {
    if (dialect !== null) value = dialect.hear(value as Spoken)
  } catch (error) {
    if (error instanceof RealtimeError) return { error, eventId }
    throw error
  }
  const check = checks.get((value as Spoken).type)
  if (check === undefined) {
    const message = `Invalid value: '${type.slice(0, 64)}'. Supported values are: ${[...checks.keys()].map(name => `'${name}'`).join(', ')}.`
    return { error: new RealtimeError('invalid_value', { param: 'type', message }), eventId }
  }
  if (!check.passes(value)) return { error: explain(check.schema, value), eventId }
  const unknown = strict ? findUnknown(check.schema, value) : null
  if (unknown === null) return { event: value as ClientEvent }
  return { error: new RealtimeError('unknown_parameter', { param: unknown, message: `Unknown parameter: '${unknown}'.` }), eventId }
}

import { RealtimeError } from '../errors.js'
import type { ClientEvent } from './events/client.js'
import type { SessionUpdate } from './events/session-object.js'

export interface SizeLimits {
  /** Characters. */
  instructionsLength: number
  /** Characters of their JSON. */
  toolsLength: number
}

/** What the other fields of a session may take together, as JSON. Characters. */
const OTHER_FIELDS = 64 * 1024

/**
 * What a session keeps of a client's settings, and a response while it lasts, is bounded. Called for long
 * frames alone. Throws `string_above_max_length`.
 */
export function checkSizes (event: ClientEvent, limits: SizeLimits): void {
  if (event.type === 'session.update') checkConfiguration(event.session, limits)
  if (event.type === 'response.create' && event.response) checkParts(event.response, 'response', limits)
}

/** The same for a configuration that comes by another way, such as an ephemeral key's. */
export function checkConfiguration (session: SessionUpdate, limits: SizeLimits): void {
  checkParts(session, 'session', limits)
  const { instructions, tools, ...others } = session
  check(JSON.stringify(others).length, OTHER_FIELDS, 'session', 'fields other than instructions and tools')
}

function checkParts ({ instructions, tools }: Pick<SessionUpdate, 'instructions' | 'tools'>, path: string, limits: SizeLimits): void {
  if (instructions !== undefined) check(instructions.length, limits.instructionsLength, `${path}.instructions`, 'instructions')
  if (tools !== undefined) check(JSON.stringify(tools).length, limits.toolsLength, `${path}.tools`, 'tools')
}

function check (length: number, most: number, param: string, what: string): void {
  if (length <= most) return
  throw new RealtimeError('string_above_max_length', { param, message: `Invalid '${param}': ${what} of ${length} characters; at most ${most} are taken.` })
}

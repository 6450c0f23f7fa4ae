import type { Logger } from '../characters/logger.js'
import { RealtimeError } from '../errors.js'
import type { ReloadOutcome, SessionObserver } from './observer.js'
import type { RealtimeSession } from './session.js'

const MAX_MESSAGE = 500
const MAX_STACK = 4000

/**
 * The lines that a session leaves in the log (docs/logs.md): one when it opens, closes, reloads its characters or
 * fails at something, never one an event. What the user or a character said is in none of them.
 *
 * @param log whose lines name the session
 * @param session asked once there is something to say
 */
export function createSessionLog (log: Logger, session: () => RealtimeSession) {
  let errors = 0
  const character = (): string | null => session().casting.character?.name ?? null

  return {
    /** @param connection `key` is the name of an API key, if it has one */
    opened (connection: { address: string, key: string | null, model: string, dialect: 'ga' | 'beta', resumed: boolean }): void {
      const { registry, settings } = session()
      log.info({ character: character(), directory: registry.directory, type: settings.type, ...connection }, 'session opened')
    },
    /** @param code of the WebSocket's close */
    closed (code: number, seconds: number): void {
      const { responses, bytes, ending } = session()
      log.info({ character: character(), close_code: code, reason: ending, seconds, responses: responses.created, errors, bytes_in: bytes.in, bytes_out: bytes.out }, 'session closed')
    },
    /** The connection broke, or what came over it was no WebSocket frame. */
    broken (error: NodeJS.ErrnoException): void {
      log.warn({ code: error.code ?? null }, 'connection failed')
    },
    observer: {
      error: () => { errors++ },
      reload: outcome => { log.info({ character: character(), ...reloadFields(outcome) }, 'code' in outcome ? 'characters not reloaded' : 'characters reloaded') },
      fault: (message, error) => { log.warn({ character: character(), error: describe(error) }, message) }
    } satisfies SessionObserver
  }
}

function reloadFields (outcome: ReloadOutcome): object {
  if ('code' in outcome) return { code: outcome.code }
  const { directory, loaded_count: count, error_count: errors, duration_ms: ms } = outcome
  return { directory, count, errors, ms }
}

/** An error without what hangs on it: requests, responses, and in them what was said. */
function describe (error: unknown): { type: string, code: string | null, message: string, stack: string | null } {
  if (!(error instanceof Error)) return { type: typeof error, code: null, message: 'what was thrown is no error', stack: null }
  const { name, code = null, stack = '' } = error as NodeJS.ErrnoException
  // Of text that is no JSON the message has an excerpt: the words of a model, maybe of a user.
  const message = error instanceof SyntaxError ? 'the text cannot be parsed' : error.message.slice(0, MAX_MESSAGE)
  const frames = stack.split('\n').filter(line => /^\s+at /.test(line)).join('\n')
  // Stacks of errors that are meant to happen say nothing.
  return { type: name, code, message, stack: error instanceof RealtimeError || frames === '' ? null : frames.slice(0, MAX_STACK) }
}

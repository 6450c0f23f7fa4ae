import { RealtimeError } from '../../errors.js'
import { updateSettings } from '../settings.js'
import type { Handler } from './table.js'

/** `session.update`: all of it, or an error and nothing. */
export const updateSession: Handler<'session.update'> = (session, { session: update }) => {
  if (update.type !== 'realtime') {
    throw new RealtimeError('invalid_value', { param: 'session.type', message: `Invalid value: '${update.type}'. The type of a session cannot change.` })
  }
  const settings = updateSettings(session.settings, update)
  const select = session.casting.prepare(update)
  select()
  session.settings = settings
  session.outbox.send({ type: 'session.updated', session: session.toObject() })
}

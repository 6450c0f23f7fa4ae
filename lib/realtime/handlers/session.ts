import type { Handler } from './table.js'

/** `session.update`: all of it, or an error and nothing. */
export const updateSession: Handler<'session.update'> = (session, { session: update }) => {
  session.update(update)
  session.outbox.send({ type: 'session.updated', session: session.toObject() })
}

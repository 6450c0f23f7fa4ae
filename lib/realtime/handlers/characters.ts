import { RealtimeError } from '../../errors.js'
import type { Handler } from './table.js'

export const listCharacters: Handler<'session.characters.list'> = (session, event) => {
  const { registry } = session
  session.outbox.send({
    type: 'session.characters.listed',
    request_event_id: event.event_id ?? null,
    directory: registry.directory,
    character_count: registry.size,
    characters: registry.list()
  })
}

/** `session.characters.reload`: another cast, or the same from its files again; all or nothing. */
export const reloadCharacters: Handler<'session.characters.reload'> = async (session, event) => {
  const { registry, responses, casting, conversation, outbox, limits: { waitingReloads } } = session
  if (registry.reloading > waitingReloads) {
    throw new RealtimeError('rate_limit_exceeded', { message: `${waitingReloads} reloads wait already, as many as may. Wait for their answers.` })
  }
  const report = await registry.reload(event.directory, {
    beforeSwap: () => responses.cancelAll(),
    afterSwap: () => {
      if (session.closed) return
      casting.carryOver()
      if (event.conversation === 'reset') conversation.clear()
      session.refresh()
    }
  })
  if (session.closed) return
  outbox.send({ type: 'session.characters.reloaded', request_event_id: event.event_id ?? null, ...report })
  outbox.send({ type: 'session.updated', session: session.toObject() })
}

import { RealtimeError } from '../../errors.js'
import { Sources } from '../../characters/sources.js'
import type { ClientEventOf } from '../events/client.js'
import type { RealtimeSession } from '../session.js'
import type { Handler } from './table.js'

export const listCharacters: Handler<'session.characters.list'> = (session, event) => {
  const { registry } = session
  if (event.watch !== undefined) session.watching = event.watch
  session.outbox.send({
    type: 'session.characters.listed',
    request_event_id: event.event_id ?? null,
    directory: registry.directory,
    version: registry.version,
    character_count: registry.size,
    characters: registry.list()
  })
}

/** Where the event says that characters are from: in one of its fields. */
function readSources ({ directory, characters, sources }: ClientEventOf<'session.characters.reload'>): unknown {
  const given = Object.entries({ directory, characters, sources }).filter(([, value]) => value !== undefined)
  if (given.length > 1) {
    const names = given.map(([name]) => `'${name}'`)
    throw new RealtimeError('invalid_value', { param: given[1]![0], message: `Invalid value: ${names.join(' and ')} exclude each other. Use 'sources' for several.` })
  }
  if (characters !== undefined) return new Sources([{ characters }], 'characters')
  return sources === undefined ? directory : new Sources(sources, 'sources')
}

/** `session.characters.reload`: another cast, or the same from its files again; all or nothing. */
export const reloadCharacters: Handler<'session.characters.reload'> = async (session, event) => {
  const { registry, responses, casting, conversation, outbox, observer, limits: { waitingReloads } } = session
  if (registry.reloading > waitingReloads) {
    throw new RealtimeError('rate_limit_exceeded', { message: `${waitingReloads} reloads wait already, as many as may. Wait for their answers.` })
  }
  const sources = readSources(event)
  session.countReload()
  const report = await registry.reload(sources, {
    beforeSwap: () => responses.cancelAll(),
    afterSwap: () => {
      if (session.closed) return
      casting.carryOver()
      if (event.conversation === 'reset') conversation.clear()
      session.refresh()
    }
  }).catch(error => {
    if (!session.closed && error instanceof RealtimeError) observer.reload?.({ code: error.code })
    throw error
  })
  if (session.closed) return
  if (event.watch !== undefined) session.watching = event.watch
  observer.reload?.(report)
  outbox.send({ type: 'session.characters.reloaded', request_event_id: event.event_id ?? null, version: registry.version, ...report })
  outbox.send({ type: 'session.updated', session: session.toObject() })
}

/** Files have changed: the session goes on with them from its next turn. Tells those that asked to be told. */
export async function refreshCharacters (session: RealtimeSession): Promise<void> {
  const { registry, responses, casting, outbox } = session
  const refreshed = await registry.refresh({
    busy: () => responses.busy,
    idle: () => responses.ended(),
    afterSwap: () => {
      if (session.closed) return
      casting.carryOver()
      session.refresh()
    }
  }).catch(error => {
    if (error instanceof RealtimeError && session.watching && !session.closed) session.fail(error, null)
    throw error
  })
  if (refreshed === null || session.closed || !session.watching) return
  if (refreshed.swapped) {
    outbox.send({ type: 'session.characters.reloaded', request_event_id: null, reason: 'changed', version: registry.version, ...refreshed.report })
    outbox.send({ type: 'session.updated', session: session.toObject() })
    return
  }
  const { file, line, code, message } = refreshed.errors[0]!
  session.fail(new RealtimeError(code, { message: `${file}${line === null ? '' : `:${line}`}: ${message} The session keeps what it had.`, details: refreshed.errors }), null)
}

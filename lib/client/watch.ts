import type { Event, EventConnection } from './connection.js'
import type { WatchOptions } from './index.js'
import { createEventId, request } from './requests.js'
import type { FileError, Reloaded } from './types.js'

/** `session.characters.reloaded` without what belongs to the event. */
export function readReport ({ type, event_id: own, request_event_id: theirs, reason, ...report }: Event): Reloaded {
  return report as unknown as Reloaded
}

/** Watches for edits, any number of times: the server is told of the first and of the end of the last. */
export function createWatch (connection: EventConnection): (changed: (report: Reloaded) => void, options?: WatchOptions) => Promise<() => void> {
  let watching = 0

  function tell (watch: boolean): void {
    connection.send({ type: 'session.characters.list', event_id: createEventId(), watch })
  }

  return async (changed, { broken, ...options } = {}) => {
    let over = false
    const unsubscribe = connection.subscribe(event => {
      if (event.type === 'session.characters.reloaded' && event.reason === 'changed') changed(readReport(event))
      else if (event.type === 'error') {
        const errors = readBroken(event)
        if (errors !== null) broken?.(errors)
      }
    }, end)
    watching++

    function end (): void {
      if (over) return
      over = true
      watching--
      unsubscribe()
    }

    const id = createEventId()
    try {
      await request(connection, [{ type: 'session.characters.list', event_id: id, watch: true }], event =>
        event.type === 'session.characters.listed' && event.request_event_id === id ? true : undefined, options)
    } catch (error) {
      end()
      throw error
    }
    return () => {
      if (over) return
      end()
      if (watching > 0) return
      try {
        tell(false)
      } catch {
        // The connection is gone, and with it whoever told.
      }
    }
  }
}

/** Files that an edit broke: no request of a client's is answered so, which has files only in the details of its own codes. */
function readBroken ({ error }: Event): FileError[] | null {
  const { event_id: id, code, details } = error as { event_id?: unknown, code?: unknown, details?: unknown }
  if (id != null || !Array.isArray(details) || details.length === 0) return null
  const [first] = details as Partial<FileError>[]
  return first?.code === code && typeof first?.file === 'string' ? details as FileError[] : null
}

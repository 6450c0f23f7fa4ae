/**
 * `dramatis/client`: the characters of a session, over whatever connection an application already holds.
 * No dependency; for browsers and Node.
 */
import { toConnection, type Connection, type Event } from './connection.js'
import { createEventId, request, type RequestOptions } from './requests.js'
import type { CharacterList, Reloaded, SessionState } from './types.js'

export { CharacterRequestError } from './error.js'
export type { AgentsSessionLike, Connection, Event, EventConnection, OpenAiLike, SocketLike, TransportLike } from './connection.js'
export type { RequestOptions } from './requests.js'
export type { CharacterList, FileError, ListedCharacter, Reloaded, SessionState } from './types.js'

export interface ReloadOptions extends RequestOptions {
  /** What becomes of what was said so far; default `keep`. */
  conversation?: 'keep' | 'reset'
}

/** The characters of one session. Every method rejects with a `CharacterRequestError`. */
export interface Characters {
  /** The cast that the session has. */
  list (options?: RequestOptions): Promise<CharacterList>
  /** Loads a cast in place of this one: `default` (its files again), a root's name, a folder below one. */
  reload (directory?: string, options?: ReloadOptions): Promise<Reloaded>
  /** Who speaks from now on: a name, the path of a voice, or null for nobody. Resolves with the session. */
  select (character: string | null, options?: RequestOptions): Promise<SessionState>
}

/** @param connection a WebSocket, an `openai` realtime object, a session or transport of `@openai/agents-realtime`, once it is open */
export function createCharacters (connection: Connection): Characters {
  const events = toConnection(connection)

  return {
    list (options) {
      const id = createEventId()
      return request(events, [{ type: 'session.characters.list', event_id: id }], event => {
        if (event.type !== 'session.characters.listed' || event.request_event_id !== id) return undefined
        const { directory, characters } = event as Event & CharacterList
        return { directory, characters }
      }, options)
    },

    reload (directory = 'default', { conversation, ...options } = {}) {
      const id = createEventId()
      return request(events, [{ type: 'session.characters.reload', event_id: id, directory, ...conversation === undefined ? {} : { conversation } }], event => {
        if (event.type !== 'session.characters.reloaded' || event.request_event_id !== id) return undefined
        const { type, event_id: own, request_event_id: theirs, ...report } = event
        return report as unknown as Reloaded
      }, options)
    },

    select (character, options) {
      const [id, fence] = [createEventId(), createEventId()]
      let session: SessionState | undefined
      // `session.updated` names no request. The answer to what is sent after it does, and answers keep their order.
      return request(events, [
        { type: 'session.update', event_id: id, session: { type: 'realtime', character } },
        { type: 'session.characters.list', event_id: fence }
      ], event => {
        if (event.type === 'session.updated') session = event.session as SessionState
        return event.type === 'session.characters.listed' && event.request_event_id === fence ? session : undefined
      }, options)
    }
  }
}

/**
 * `dramatis/client`: the characters of a session, over whatever connection an application already holds.
 * No dependency; for browsers and Node.
 */
import { toConnection, type Connection, type Event } from './connection.js'
import { createEventId, request, type RequestOptions } from './requests.js'
import type { CharacterList, CharacterSource, FileError, Reloaded, SessionState } from './types.js'
import { createWatch, readReport } from './watch.js'

export { CharacterRequestError } from './error.js'
export type { AgentsSessionLike, Connection, Event, EventConnection, OpenAiLike, SocketLike, TransportLike } from './connection.js'
export type { RequestOptions } from './requests.js'
export type {
  CharacterCard, CharacterDefinition, CharacterList, CharacterSource, FileError, InlineCharacters, ListedCharacter, PlainCard, Reloaded, SessionState
} from './types.js'

export interface ReloadOptions extends RequestOptions {
  /** What becomes of what was said so far; default `keep`. */
  conversation?: 'keep' | 'reset'
}

export interface WatchOptions extends RequestOptions {
  /** An edit broke a file: the session keeps the cast it has, and this is what is wrong. */
  broken?: (errors: FileError[]) => void
}

/** The characters of one session. Every method rejects with a `CharacterRequestError`. */
export interface Characters {
  /** The cast that the session has. */
  list (options?: RequestOptions): Promise<CharacterList>
  /**
   * Loads a cast in place of this one: `default` (its files again), a root's name, a folder below one; characters of the
   * client's own (`{ characters }`); or a list of these, of which the later ones count where two have one name.
   */
  reload (from?: CharacterSource | readonly CharacterSource[], options?: ReloadOptions): Promise<Reloaded>
  /** Who speaks from now on: a name, the path of a voice, or null for nobody. Resolves with the session. */
  select (character: string | null, options?: RequestOptions): Promise<SessionState>
  /**
   * Calls back for each edit of files that reached the session, which needs a server that watches them. Resolves, once
   * the server knows, with how to stop; it ends with the connection too.
   */
  watch (changed: (report: Reloaded) => void, options?: WatchOptions): Promise<() => void>
}

/** @param connection a WebSocket, an `openai` realtime object, a session or transport of `@openai/agents-realtime`, once it is open */
export function createCharacters (connection: Connection): Characters {
  const events = toConnection(connection)
  const watch = createWatch(events)

  return {
    watch,

    list (options) {
      const id = createEventId()
      return request(events, [{ type: 'session.characters.list', event_id: id }], event => {
        if (event.type !== 'session.characters.listed' || event.request_event_id !== id) return undefined
        const { directory, version, characters } = event as Event & CharacterList
        return { directory, version, characters }
      }, options)
    },

    reload (from = 'default', { conversation, ...options } = {}) {
      const id = createEventId()
      const source = typeof from === 'string' ? { directory: from } : 'characters' in from ? { characters: from.characters } : { sources: from }
      return request(events, [{ type: 'session.characters.reload', event_id: id, ...source, ...conversation === undefined ? {} : { conversation } }], event => {
        if (event.type !== 'session.characters.reloaded' || event.request_event_id !== id) return undefined
        return readReport(event)
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

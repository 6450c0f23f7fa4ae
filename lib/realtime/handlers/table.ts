import type { ClientEvent, ClientEventOf, ClientEventType } from '../events/client.js'
import type { RealtimeSession } from '../session.js'
import { append, clear, commit } from './audio.js'
import { listCharacters, reloadCharacters } from './characters.js'
import { createItem, deleteItem, retrieveItem, truncateItem } from './items.js'
import { cancelResponse, createResponse } from './responses.js'
import { updateSession } from './session.js'

/** Throws, or rejects, with the `RealtimeError` that answers the event. */
export type Handler<T extends ClientEventType> = (session: RealtimeSession, event: ClientEventOf<T>) => void | Promise<void>

/** Every event a client can send, and who handles it. */
const handlers: { [T in ClientEventType]: Handler<T> } = {
  'session.update': updateSession,
  'input_audio_buffer.append': append,
  'input_audio_buffer.commit': commit,
  'input_audio_buffer.clear': clear,
  'conversation.item.create': createItem,
  'conversation.item.retrieve': retrieveItem,
  'conversation.item.delete': deleteItem,
  'conversation.item.truncate': truncateItem,
  'response.create': createResponse,
  'response.cancel': cancelResponse,
  'session.characters.list': listCharacters,
  'session.characters.reload': reloadCharacters
}

export function handle (session: RealtimeSession, event: ClientEvent): void | Promise<void> {
  return (handlers[event.type] as Handler<ClientEventType>)(session, event)
}

import type * as Realtime6 from 'openai/resources/realtime/realtime'
import type * as Realtime7 from 'openai-7/resources/realtime/realtime'
import type { ClientEvent, ServerEvent } from '../app.js'

// Checked by `npm run typecheck`, never run: who types an application with the `openai` package may hand
// its handlers our events, and us its own. The events of this server's extension have no type there.

type Extension = { type: `session.characters.${string}` }
type Standard<T extends { type: string }> = Exclude<T, Extension>

/** One line for every event whose shape differs, and the compiler names it. */
type Mismatch<Ours extends { type: string }, Theirs extends { type: string }> = {
  [T in Standard<Ours>['type']]: Extract<Ours, { type: T }> extends Extract<Theirs, { type: T }> ? never : T
}[Standard<Ours>['type']]

function none <T extends never> (): T[] { return [] }

none<Mismatch<ServerEvent, Realtime6.RealtimeServerEvent>>()
none<Mismatch<ServerEvent, Realtime7.RealtimeServerEvent>>()
none<Mismatch<ClientEvent, Realtime6.RealtimeClientEvent>>()
none<Mismatch<ClientEvent, Realtime7.RealtimeClientEvent>>()

declare const server: Standard<ServerEvent>
declare const client: Standard<ClientEvent>
export const events: [Realtime6.RealtimeServerEvent, Realtime7.RealtimeServerEvent] = [server, server]
export const answers: [Realtime6.RealtimeClientEvent, Realtime7.RealtimeClientEvent] = [client, client]

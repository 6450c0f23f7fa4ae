import type { OpenAIRealtimeWebSocket } from 'openai-7/realtime/websocket'
import type { RealtimeSession } from '@openai/agents-realtime'
import type { CharacterList, createCharacters, FileError, Reloaded, SessionState } from '../lib/client/index.js'
import type { ServerEvent } from '../app.js'

// Checked by `npm run typecheck`, never run: the helper's own types, which need no other package, are those
// of the events, and what people hold can be given to it.

type Of<T extends string> = Extract<ServerEvent, { type: T }>
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false

export const isSame: [
  Same<CharacterList, Pick<Of<'session.characters.listed'>, keyof CharacterList>>,
  Same<Reloaded, Pick<Of<'session.characters.reloaded'>, keyof Reloaded>>,
  Same<FileError, Of<'session.characters.reloaded'>['errors'][number]>
] = [true, true, true]

declare const session: Of<'session.updated'>['session']
export const state: SessionState = { ...session }

declare const create: typeof createCharacters
declare const held: { socket: WebSocket, openai: OpenAIRealtimeWebSocket, agents: RealtimeSession }
for (const connection of [held.socket, held.openai, held.agents, held.agents.transport]) create(connection)

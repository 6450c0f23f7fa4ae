import type { ServerEvent } from '../../lib/realtime/events/server.js'
import type { TestClient } from './client.js'

/** What a session's client was told at first. */
export function created (client: TestClient) {
  return (client.events.find(event => event.type === 'session.created') as Extract<ServerEvent, { type: 'session.created' }>).session
}

/** With which its session can be taken up. */
export const tokenOf = (client: TestClient): string => created(client).resume!.token

/** The network is gone: neither side says goodbye. */
export async function cut (client: TestClient): Promise<void> {
  client.socket.terminate()
  await client.closed
}

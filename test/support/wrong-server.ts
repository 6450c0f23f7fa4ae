import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'

type Event = Record<string, any>

const session = {
  type: 'realtime',
  object: 'realtime.session',
  id: 'sess_1',
  model: 'wrong',
  output_modalities: ['text', 'audio'],
  audio: { input: { format: 'pcm16' } }
}

/** What a server that somebody wrote from memory answers: each event is wrong in another way. */
const answers: Record<string, (event: Event) => Event[]> = {
  'session.update': () => [{ type: 'session.updated', session }],
  // The other way round, and with another id than the client's.
  'conversation.item.create': ({ item }) => ['done', 'added'].map(end => ({ type: `conversation.item.${end}`, previous_item_id: null, item: { ...item, id: 'item_1' } })),
  'conversation.item.delete': () => [{ type: 'conversation.item.removed' }],
  // No error.event_id.
  'conversation.item.retrieve': () => [{ type: 'error', error: { type: 'invalid_request_error', code: 'item_retrieve_invalid_item_id', message: 'No.', param: null } }],
  // No content part, another text than the deltas', and not ended.
  'response.create': () => [
    { type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [], conversation_id: null } },
    { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: { id: 'item_2', type: 'message', role: 'assistant', content: [] } },
    { type: 'response.output_text.delta', response_id: 'resp_1', item_id: 'item_2', output_index: 0, content_index: 0, delta: 'Good' },
    { type: 'response.output_text.done', response_id: 'resp_1', item_id: 'item_2', output_index: 0, content_index: 0, text: 'Good morning' },
    { type: 'response.done', response: { id: 'resp_1', status: 'completed', output: [{ id: 'item_2', type: 'message' }], conversation_id: null } }
  ],
  'response.cancel': () => []
}

/** The URL of a server that breaks the protocol wherever it can, closed with the test. */
export async function startWrongServer (t: Test): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: offered => [...offered].at(-1)! })
  server.on('connection', serve)
  await once(server, 'listening')
  t.teardown(() => new Promise<void>(resolve => {
    for (const client of server.clients) client.terminate()
    server.close(() => resolve())
  }))
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/realtime`
}

function serve (socket: WebSocket): void {
  // One id for all, and none for the first.
  const send = (event: Event) => socket.send(JSON.stringify({ event_id: 'event_1', ...event }))
  socket.send(JSON.stringify({ type: 'session.created', session }))
  socket.on('message', data => {
    let event: Event
    try {
      event = JSON.parse(String(data))
    } catch {
      socket.send(Buffer.from('?'))
      socket.send('[garbage')
      socket.send('null')
      return
    }
    const answer = answers[event?.type]
    if (answer === undefined) socket.close(1011)
    else for (const one of answer(event)) send(one)
  })
}

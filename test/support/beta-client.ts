import { once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { Inbox } from './inbox.js'
import type { TestServer } from './server.js'

type ClientEvent = { type: string } & Record<string, unknown>

/** Asks for the beta. */
export const betaHeaders: Record<string, string> = { 'OpenAI-Beta': 'realtime=v1' }

/** A client of the beta, gone with the test; what it reads is its own. */
export async function dialBeta (t: Test, server: TestServer, { query = '?model=m', protocols = [] as string[], headers = betaHeaders } = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/realtime${query}`, protocols, { headers })
  t.teardown(() => socket.terminate())
  const inbox = new Inbox()
  socket.on('message', data => inbox.push(JSON.parse(String(data))))
  await once(socket, 'open')
  const next = (type: string) => inbox.next(type)
  const send = (event: ClientEvent) => socket.send(JSON.stringify(event))
  /** Sends an event that fails, and returns the error. */
  const fail = async (event: ClientEvent) => {
    send(event)
    return (await next('error')).error
  }
  /** Sends `session.update`, and returns the session it made. */
  const update = async (session: object) => {
    send({ type: 'session.update', session })
    return (await next('session.updated')).session
  }
  return { inbox, socket, next, send, fail, update }
}

/** A client of the beta that has read how its session and its conversation begin. */
export async function connectBeta (t: Test, server: TestServer, query?: string) {
  const client = await dialBeta(t, server, query === undefined ? {} : { query })
  const { session } = await client.next('session.created')
  const { conversation } = await client.next('conversation.created')
  return { ...client, session, conversation }
}

import type { Event, EventConnection } from './connection.js'
import { CharacterRequestError } from './error.js'

export interface RequestOptions {
  /** How long to wait for the answer. Milliseconds, default 10 000. */
  timeoutMs?: number
  /** Gives up waiting; what the server does is not undone. */
  signal?: AbortSignal
}

/** Takes every event until it has what it waits for: anything but `undefined` is the answer. */
export type Collect<T> = (event: Event) => T | undefined

let requests = 0

/** An `event_id` that no other request of this process has. */
export function createEventId (): string {
  return `characters_${++requests}_${Math.random().toString(36).slice(2, 10)}`
}

/**
 * Sends events and waits for their answer. An `error` that names one of their ids rejects. It listens only
 * while it waits, so that nothing is left behind on an object that is somebody else's.
 */
export function request<T> (connection: EventConnection, events: (Event & { event_id: string })[], collect: Collect<T>, options: RequestOptions = {}): Promise<T> {
  const { timeoutMs = 10_000, signal } = options
  const ids = new Set<unknown>(events.map(event => event.event_id))
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted())
    const timer = setTimeout(() => fail(new CharacterRequestError('request_timeout', `No answer in ${timeoutMs / 1000} s.`)), timeoutMs)
    const onAbort = () => fail(aborted())
    signal?.addEventListener('abort', onAbort)
    const unsubscribe = connection.subscribe(take, () => fail(new CharacterRequestError('connection_closed', 'The connection closed before the answer came.')))
    try {
      for (const event of events) connection.send(event)
    } catch (error) {
      fail(error)
    }

    function take (event: Event): void {
      if (event.type === 'error') {
        const { code, message, param, details, event_id: id } = event.error as Record<string, any>
        if (ids.has(id)) fail(new CharacterRequestError(code, message, { param, details }))
        return
      }
      const answer = collect(event)
      if (answer !== undefined) finish(() => resolve(answer))
    }

    function fail (error: unknown): void {
      finish(() => reject(error))
    }

    function finish (settle: () => void): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      // A rejection that an object emits beside the event follows in the same turn: the listener for it stays until then.
      setTimeout(unsubscribe, 0)
      settle()
    }
  })
}

function aborted (): CharacterRequestError {
  return new CharacterRequestError('request_aborted', 'The request was aborted.')
}

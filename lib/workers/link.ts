import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { StoreCall, StoreReply } from '../cluster/remote-store.js'

/** What one process wants to know of the other. */
export type Question = 'metrics' | 'ready' | 'drained'

export type Message =
  /** To a worker: a connection, which comes along, is its own. */
  | { op: 'connection', id: number }
  /** To a worker: let answers finish, close all sessions, end. */
  | { op: 'drain' }
  /** To a worker: the same, but stay to say so. */
  | { op: 'refuse' }
  /** To a worker: read the keys file again. */
  | { op: 'keys' }
  /** It takes connections. */
  | { op: 'ready' }
  /** It cannot start: one line for the person who runs the server. */
  | { op: 'failed', message: string }
  /** A connection arrived. */
  | { op: 'taken', id: number }
  /** Sessions it has, and connections so far of which it is known what they are. */
  | { op: 'load', sessions: number, settled: number }
  /** Its last metrics, before it ends. */
  | { op: 'last', metrics: unknown }
  | { op: 'ask', id: number, what: Question }
  | { op: 'answer', id: number, value: unknown }
  /** It asks the store that this process has. */
  | { op: 'store', call: StoreCall }
  /** To a worker: what the store says. */
  | { op: 'stored', reply: StoreReply }

/** How long an answer may take. Milliseconds. */
const ANSWER_MS = 3000

/** The channel between the process that listens and one that has sessions: notices, and questions with answers. */
export class Link {
  readonly #channel: ChildProcess | NodeJS.Process
  readonly #answers: (what: Question) => Promise<unknown>
  readonly #asked = new Map<number, (value: unknown) => void>()
  #lastId = 0

  /**
   * @param onMessage called for every notice, with the connection that came along
   * @param answers answers the other's questions
   */
  constructor (channel: ChildProcess | NodeJS.Process, onMessage: (message: Message, socket: Socket | undefined) => void, answers: (what: Question) => Promise<unknown>) {
    this.#channel = channel
    this.#answers = answers
    channel.on('message', (message: Message, socket?: Socket) => {
      if (message.op === 'ask') this.#answer(message.id, message.what)
      else if (message.op === 'answer') this.#asked.get(message.id)?.(message.value)
      else onMessage(message, socket)
    })
  }

  /** Ignored when the other is gone. */
  send (message: Message, socket?: Socket): void {
    // The primary keeps its hold on the connection until it has arrived: a worker may die before.
    if (this.#channel.connected) this.#channel.send?.(message, socket, { keepOpen: true }, () => {})
  }

  /** Undefined if the other is gone, or does not answer in three seconds. */
  async ask (what: Question): Promise<unknown> {
    const id = ++this.#lastId
    const answer = new Promise<unknown>(resolve => {
      const timer = setTimeout(resolve, ANSWER_MS)
      const gone = (): void => settle(undefined)
      const settle = (value: unknown): void => {
        clearTimeout(timer)
        this.#channel.off('disconnect', gone)
        resolve(value)
      }
      this.#channel.on('disconnect', gone)
      this.#asked.set(id, settle)
      if (!this.#channel.connected) gone()
    })
    this.send({ op: 'ask', id, what })
    return await answer.finally(() => this.#asked.delete(id))
  }

  #answer (id: number, what: Question): void {
    this.#answers(what).catch(() => undefined).then(value => this.send({ op: 'answer', id, value }), () => {})
  }
}

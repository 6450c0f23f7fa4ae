import { StoreError, type Message, type Store } from './store.js'

/** How long the process that has the store may take to answer. Milliseconds. */
const ANSWER_MS = 1000

/** What is asked by message as it stands; listening needs more. */
export type StoreMethod = Exclude<keyof Store, 'start' | 'listen' | 'end' | 'share'>

/** What a process asks the one that has the store. To listen is to be told under the number of the call. */
export type StoreCall =
  | { id: number, method: StoreMethod, args: unknown[] }
  | { id: number, method: 'listen', node: string }
  | { id: number, method: 'unlisten', listener: number }

export type StoreReply =
  | { id: number, value: unknown }
  | { id: number, fault: string }
  | { listener: number, message: Message }

interface Waiting {
  resolve: (value: any) => void
  reject: (error: StoreError) => void
  timer: NodeJS.Timeout
}

/**
 * The store of another process of this machine, asked over a channel that loses nothing and keeps the order. A
 * process that does not answer is asked nothing more until it does: its answers, late as they are, tell when.
 */
export class RemoteStore implements Store {
  readonly share: number
  readonly #send: (call: StoreCall) => void
  readonly #waiting = new Map<number, Waiting>()
  readonly #listeners = new Map<number, (message: Message) => void>()
  #lastId = 0
  #silent = false
  /** Why nothing can be asked any more. */
  #over: string | null = null

  /**
   * @param send hands a call to the channel
   * @param share see {@link Store.share}
   */
  constructor (send: (call: StoreCall) => void, share: number) {
    this.#send = send
    this.share = share
  }

  put: Store['put'] = (...args) => this.#ask('put', args)
  patch: Store['patch'] = (...args) => this.#ask('patch', args)
  get: Store['get'] = (...args) => this.#ask('get', args)
  take: Store['take'] = (...args) => this.#ask('take', args)
  delete: Store['delete'] = (...args) => this.#ask('delete', args)
  count: Store['count'] = (...args) => this.#ask('count', args)
  join: Store['join'] = (...args) => this.#ask('join', args)
  beat: Store['beat'] = (...args) => this.#ask('beat', args)
  leave: Store['leave'] = (...args) => this.#ask('leave', args)
  nodes: Store['nodes'] = (...args) => this.#ask('nodes', args)
  openSession: Store['openSession'] = (...args) => this.#ask('openSession', args)
  closeSession: Store['closeSession'] = (...args) => this.#ask('closeSession', args)
  sessions: Store['sessions'] = (...args) => this.#ask('sessions', args)
  locate: Store['locate'] = (...args) => this.#ask('locate', args)
  send: Store['send'] = (...args) => this.#ask('send', args)

  async listen (node: string, onMessage: (message: Message) => void): Promise<() => Promise<void>> {
    const listener = ++this.#lastId
    this.#listeners.set(listener, onMessage)
    const stop = async (): Promise<void> => {
      if (!this.#listeners.delete(listener)) return
      const id = ++this.#lastId
      await this.#call({ id, method: 'unlisten', listener })
    }
    try {
      await this.#call({ id: listener, method: 'listen', node })
    } catch (error) {
      // It may still be heard, and would then be told everything twice. The channel keeps the order.
      this.#listeners.delete(listener)
      if (this.#over === null) this.#send({ id: ++this.#lastId, method: 'unlisten', listener })
      throw error
    }
    return stop
  }

  /** Takes what comes over the channel. */
  hear (reply: StoreReply): void {
    this.#silent = false
    if ('listener' in reply) {
      this.#listeners.get(reply.listener)?.(reply.message)
      return
    }
    const waiting = this.#settle(reply.id)
    if ('fault' in reply) waiting?.reject(new StoreError(reply.fault))
    else waiting?.resolve(reply.value)
  }

  /** The channel is closed. */
  lost (): void {
    this.#stop('The process that has the store is gone.')
  }

  async end (): Promise<void> {
    this.#stop('The store has ended.')
  }

  #ask<M extends StoreMethod> (method: M, args: Parameters<Store[M]>): ReturnType<Store[M]> {
    return this.#call({ id: ++this.#lastId, method, args }) as ReturnType<Store[M]>
  }

  async #call (call: StoreCall): Promise<unknown> {
    if (this.#over !== null) throw new StoreError(this.#over)
    if (this.#silent) throw late()
    return await new Promise((resolve, reject) => {
      // What came while this process itself was held up is read first.
      const timer = setTimeout(() => setImmediate(() => {
        if (this.#settle(call.id) === undefined) return
        this.#silent = true
        reject(late())
      }), ANSWER_MS)
      this.#waiting.set(call.id, { resolve, reject, timer })
      this.#send(call)
    })
  }

  #settle (id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    clearTimeout(waiting?.timer)
    this.#waiting.delete(id)
    return waiting
  }

  #stop (reason: string): void {
    this.#over ??= reason
    this.#listeners.clear()
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(new StoreError(this.#over))
  }
}

function late (): StoreError {
  return new StoreError(`The process that has the store did not answer within ${ANSWER_MS} ms.`)
}

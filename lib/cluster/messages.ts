import { randomUUID } from 'node:crypto'
import type { Message, Store } from './store.js'

/** How long another node may take to answer. Milliseconds. */
const ANSWER_MS = 1000

/** What a node does when another asks; what it returns is the answer, JSON. */
export type Answerer = (body: any) => unknown

export interface Answer<T> { node: string, body: T }

/** Questions between the nodes of a fleet, each answered once or, within a bounded time, not at all. */
export class Messages {
  readonly #node: string
  readonly #store: Store
  readonly #answerers = new Map<string, Answerer>()
  readonly #asked = new Map<string, (answer: Answer<any>) => void>()
  readonly #onError: (error: unknown) => void

  constructor (node: string, store: Store, onError: (error: unknown) => void) {
    this.#node = node
    this.#store = store
    this.#onError = onError
  }

  /** What this node does when it is asked for something. */
  answer (what: string, answerer: Answerer): void {
    this.#answerers.set(what, answerer)
  }

  /**
   * Asks a node, or all of them (null), this one too; resolves when all that listen have answered, or with the
   * answers that came in time. Rejects with a StoreError.
   */
  async ask<T> (to: string | null, what: string, body: unknown): Promise<Answer<T>[]> {
    const id = randomUUID()
    const answers: Answer<T>[] = []
    let timer: NodeJS.Timeout | undefined
    let expected = Infinity
    try {
      await new Promise<void>((resolve, reject) => {
        this.#asked.set(id, answer => {
          if (answers.push(answer) >= expected) resolve()
        })
        timer = setTimeout(resolve, ANSWER_MS)
        this.#store.send(to, { type: 'ask', id, from: this.#node, what, body }).then(heard => {
          expected = heard
          if (answers.length >= expected) resolve()
        }, reject)
      })
    } finally {
      clearTimeout(timer)
      this.#asked.delete(id)
    }
    return answers
  }

  /** Takes what the store delivers. */
  hear (message: Message): void {
    const { type, id, from, what, body } = message as unknown as { type: string, id: string, from: string, what: string, body: unknown }
    if (type === 'answer') this.#asked.get(id)?.({ node: from, body })
    else if (type === 'ask') this.#reply(id, from, what, body).catch(this.#onError)
  }

  /** What a newer server asks for, and this one does not know, stays without an answer. */
  async #reply (id: string, to: string, what: string, body: unknown): Promise<void> {
    const answerer = this.#answerers.get(what)
    if (answerer === undefined) return
    await this.#store.send(to, { type: 'answer', id, from: this.#node, body: await answerer(body) })
  }
}

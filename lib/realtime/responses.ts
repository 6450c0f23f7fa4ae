import { RealtimeError } from '../errors.js'
import type { HandOver } from './hand-over.js'
import { Response, type ResponsePlan, type ResponseScope } from './response.js'

/** Follows the conversation's responses; those outside of it are nobody's turn. */
export interface ResponsesWatcher {
  answering (): void
  answered (response: Response): void
  /** A response has let another character go on. Returns that one's response; null if there is none. */
  handedOver (to: string, handOver: HandOver): ResponsePlan | null
}

/**
 * The responses of a session: at most one at a time in the conversation, some more outside of it
 * (PROTOCOL sections 7.7 and 9).
 */
export class Responses {
  readonly #watcher: ResponsesWatcher
  readonly #scope: ResponseScope
  readonly #aside = new Set<Response>()
  readonly #maxAside: number
  #active: Response | null = null
  #created = 0
  #waiters: (() => void)[] = []
  /** A spoken turn that waits for the response under way, which it was not allowed to interrupt. */
  #waiting: (() => ResponsePlan) | null = null

  /** @param maxAside responses at a time outside of the conversation */
  constructor (scope: Omit<ResponseScope, 'onDone'>, watcher: ResponsesWatcher, maxAside: number) {
    this.#maxAside = maxAside
    this.#watcher = watcher
    this.#scope = { ...scope, onDone: response => this.#ended(response) }
  }

  /** Whether anything is being answered, in the conversation or outside of it. */
  get busy (): boolean {
    return this.#active !== null || this.#aside.size > 0
  }

  /** Resolves when a response has ended. */
  ended (): Promise<void> {
    return new Promise(resolve => { this.#waiters.push(resolve) })
  }

  /** The response in the conversation, if one is under way. */
  get activeId (): string | null {
    return this.#active?.id ?? null
  }

  /** How many there were in all. */
  get created (): number {
    return this.#created
  }

  create (plan: ResponsePlan): void {
    if (plan.inConversation && this.#active !== null) {
      throw new RealtimeError('conversation_already_has_active_response', {
        message: `Conversation already has an active response in progress: ${this.#active.id}. Wait until the response is finished before creating a new one.`
      })
    }
    if (!plan.inConversation && this.#aside.size >= this.#maxAside) {
      throw new RealtimeError('rate_limit_exceeded', { message: `${this.#maxAside} responses outside of the conversation are under way, as many as may be. Wait for one to finish.` })
    }
    const response = new Response(this.#scope, plan)
    this.#created++
    if (plan.inConversation) {
      this.#active = response
      this.#watcher.answering()
    } else this.#aside.add(response)
    response.start()
  }

  /** Answers a spoken turn, now or when the response under way is done. */
  answer (plan: () => ResponsePlan): void {
    if (this.#active === null) this.create(plan())
    else this.#waiting = plan
  }

  /** `response.cancel`. */
  cancel (id: string | null): void {
    const response = id === null ? this.#active : [this.#active, ...this.#aside].find(response => response?.id === id)
    if (response === null || response === undefined) throw new RealtimeError('response_cancel_not_active')
    if (response === this.#active) this.#waiting = null
    response.cancel('client_cancelled')
  }

  /** The user speaks: the answer in the conversation stops. Returns whether there was one. */
  interrupt (): boolean {
    this.#waiting = null
    if (this.#active === null) return false
    this.#active.cancel('turn_detected')
    return true
  }

  cancelAll (): void {
    this.#waiting = null
    this.#active?.cancel('client_cancelled')
    for (const response of this.#aside) response.cancel('client_cancelled')
  }

  #ended (response: Response): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
    this.#aside.delete(response)
    if (response !== this.#active) return
    this.#active = null
    const to = response.handsOverTo
    const next = to === null ? null : this.#watcher.handedOver(to, response.plan.handOver!)
    if (next !== null) {
      this.create(next)
      return
    }
    const waiting = this.#waiting
    this.#waiting = null
    if (waiting !== null) this.create(waiting())
    else this.#watcher.answered(response)
  }
}

import type { LoadedCharacter } from '../characters/loaded-character.js'
import { EngineError, type Engines, type LlmEffort, type LlmToolChoice } from '../engines/engine.js'
import { RealtimeError } from '../errors.js'
import { Answer, type AnswerScope } from './answer.js'
import type { Conversation, Entry } from './conversation.js'
import type { FunctionTool } from './events/session-object.js'
import type { Item } from './events/items.js'
import type { ResponseObject, StatusDetails } from './events/response-object.js'
import { createId } from './ids.js'
import type { HandOver } from './hand-over.js'
import type { SessionObserver } from './observer.js'
import type { Outbox } from './outbox.js'
import { AudioMessage, type AnyOutputItem } from './output-items.js'
import { textOf } from './prompt.js'
import { TokenCount } from './usage.js'

/** Everything a response was asked to be: the session's settings with what `response.create` overrides. */
export interface ResponsePlan {
  readonly modality: 'text' | 'audio'
  readonly instructions: string
  readonly tools: readonly FunctionTool[]
  readonly toolChoice: LlmToolChoice
  /** Undefined: the model's own way. */
  readonly parallelToolCalls: boolean | undefined
  readonly effort: LlmEffort | undefined
  readonly maxTokens: number | 'inf'
  /** What the client wants, over what its character does. */
  readonly temperature: number | undefined
  readonly metadata: Record<string, string> | null
  readonly format: ResponseObject['audio']['output']['format']
  /** As the client names it, and as the engine does, where anything is spoken. */
  readonly voice: string
  readonly engineVoice: string
  readonly speed: number
  readonly character: LoadedCharacter | null
  /** Who alone knows what it says and does; undefined: everybody. */
  readonly owner: Entry['owner']
  /** With which its character may let another go on. */
  readonly handOver: HandOver | null
  readonly showCharacterTools: boolean
  /** Which of the character's greetings to say instead of asking the model; null: the first, if nothing was said yet. */
  readonly greeting: number | null
  /** What the model reads: the conversation as it is when the words are all there, or the client's own choice. */
  readonly context: () => readonly Entry[]
  /** As much of it as the model is sent, given the tokens before it. Throws if it must be all and is too much. */
  readonly fit: (entries: readonly Entry[], instructions: number) => readonly Entry[]
  /** Whether nothing to read means that the conversation begins; a client's own choice may be empty on purpose. */
  readonly opens: boolean
  /** Whether it becomes part of the conversation. */
  readonly inConversation: boolean
  /** The spoken turn it answers, if silence started it: nothing is said to a turn without words. */
  readonly turn: { readonly entry: Entry, readonly endedAt: number } | null
}

export interface ResponseScope {
  readonly outbox: Outbox
  readonly conversation: Conversation
  readonly conversationId: string
  readonly engines: Pick<Engines, 'llm' | 'tts'>
  readonly observer: SessionObserver
  /** Milliseconds of sound that are made before they can have been played. */
  readonly aheadMs: number
  /** Called once, when `response.done` is out. */
  onDone (response: Response): void
}

/** Why a response's signal aborts. One for all: making an error costs more than the rest of the end. */
const over = new DOMException('The response is over.', 'AbortError')

type FinalStatus = 'completed' | 'cancelled' | 'incomplete' | 'failed'

/**
 * One answer of the model, from `response.created` to `response.done` (PROTOCOL sections 7 and 9). It can
 * end at any moment, by itself or by `cancel`: then what is open is closed in order, and work still under
 * way finds its signal aborted.
 */
export class Response {
  readonly id = createId('resp')
  readonly plan: ResponsePlan
  readonly #scope: ResponseScope
  readonly #abort = new AbortController()
  readonly #output: AnyOutputItem[] = []
  readonly #placed: Item[] = []
  readonly #tokens = new TokenCount()
  #status: 'in_progress' | FinalStatus = 'in_progress'
  #details: StatusDetails | null = null

  constructor (scope: ResponseScope, plan: ResponsePlan) {
    this.#scope = scope
    this.plan = plan
  }

  get active (): boolean {
    return this.#status === 'in_progress'
  }

  /** Whom it has let go on, when it is over. */
  get handsOverTo (): string | null {
    return this.#status === 'completed' ? this.plan.handOver?.to ?? null : null
  }

  /** How long its sound still lasts at the client, if it was played as it came and not cut off. Milliseconds. */
  get playoutMs (): number {
    if (this.#status === 'cancelled') return 0
    const spoken = this.#output.filter(item => item instanceof AudioMessage)
    const begun = spoken.find(message => message.soundedAt !== null)?.soundedAt ?? null
    if (begun === null) return 0
    const length = spoken.reduce((ms, { recording }) => ms + recording.durationMs, 0)
    return Math.max(0, begun + length - performance.now())
  }

  /** Announces the response and begins to work on it. */
  start (): void {
    const { id, plan: { character, turn } } = this
    this.#scope.observer.answering?.({ id, signal: this.#abort.signal, character: character?.name ?? null, voiced: turn !== null })
    this.#scope.outbox.send({ type: 'response.created', response: this.#toObject() })
    this.#run()
  }

  /** Ends it within the current tick; nothing of it is sent after. */
  cancel (reason: 'turn_detected' | 'client_cancelled'): void {
    this.#finish('cancelled', { type: 'cancelled', reason })
  }

  async #run (): Promise<void> {
    const { signal } = this.#abort
    try {
      if (!await this.#hasWords(signal)) {
        this.#finish('completed', null)
        return
      }
      const answer = new Answer(this.#answerScope(), this.plan)
      const end = await answer.run()
      if (end === 'length') this.#finish('incomplete', { type: 'incomplete', reason: 'max_output_tokens' })
      else if (end === 'content_filter') this.#finish('incomplete', { type: 'incomplete', reason: 'content_filter' })
      else this.#finish('completed', null)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Waits for the words of what was spoken; false if the turn that is to be answered had none. */
  async #hasWords (signal: AbortSignal): Promise<boolean> {
    const { context, turn } = this.plan
    const entries = context()
    const last = turn?.entry ?? entries.at(-1)
    const heard: Promise<void>[] = []
    for (const entry of entries) {
      if (entry.transcribed === undefined) continue
      // What could not be understood fails the answer to it, and none after.
      heard.push(entry === last ? entry.transcribed : entry.transcribed.catch(() => {}))
    }
    if (heard.length > 0) await abortable(Promise.all(heard), signal)
    if (turn === null) return true
    this.#scope.observer.stage?.('stt_final', (performance.now() - turn.endedAt) / 1000)
    return turn.entry.item.type !== 'message' || textOf(turn.entry.item) !== ''
  }

  #answerScope (): AnswerScope {
    const { outbox, conversation, engines, observer, aheadMs } = this.#scope
    return {
      output: {
        responseId: this.id,
        outbox,
        conversation: this.plan.inConversation ? conversation : null,
        owner: this.plan.owner,
        place: item => this.#placed.push(item) - 1
      },
      engines,
      observer,
      aheadMs,
      tokens: this.#tokens,
      signal: this.#abort.signal,
      opened: item => {
        this.#output.push(item)
        return item
      },
      fail: error => this.#fail(error)
    }
  }

  #fail (error: unknown): void {
    if (!this.active) return
    this.#scope.observer.fault?.('response failed', error)
    const told = error instanceof RealtimeError || error instanceof EngineError
    this.#finish('failed', {
      type: 'failed',
      error: {
        type: error instanceof RealtimeError ? error.type : 'server_error',
        code: told ? error.code : 'server_error',
        message: told ? error.message : 'The server had an error while answering.'
      }
    })
  }

  #finish (status: FinalStatus, details: StatusDetails | null): void {
    if (this.#status !== 'in_progress') return
    this.#status = status
    this.#details = details
    this.#abort.abort(over)
    for (const item of this.#output) item.end(status === 'completed' ? 'completed' : 'incomplete')
    this.#scope.outbox.send({ type: 'response.done', response: this.#toObject() })
    // There is no quota here; clients that read their allowance find one that never shrinks.
    this.#scope.outbox.send({
      type: 'rate_limits.updated', rate_limits: [{ name: 'tokens', limit: 1_000_000, remaining: 1_000_000, reset_seconds: 0 }]
    })
    this.#scope.observer.response?.(status, this.id)
    this.#scope.onDone(this)
  }

  #toObject (): ResponseObject {
    const { plan } = this
    return {
      object: 'realtime.response',
      id: this.id,
      status: this.#status,
      status_details: this.#details,
      output: this.#placed,
      conversation_id: plan.inConversation ? this.#scope.conversationId : null,
      output_modalities: [plan.modality],
      max_output_tokens: plan.maxTokens,
      audio: { output: { format: plan.format, voice: plan.voice } },
      usage: this.active ? null : this.#tokens.toUsage(),
      metadata: plan.metadata
    }
  }
}

/** Stops waiting when the signal aborts; what was waited for goes on without us. */
function abortable<T> (promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

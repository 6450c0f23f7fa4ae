import { EngineError, type TokenLogprob, type TranscriptChunk } from '../engines/engine.js'
import { RealtimeError } from '../errors.js'
import type { Entry } from './conversation.js'
import { continueAs, type HandOver } from './hand-over.js'
import { IdleWatch } from './idle-watch.js'
import { createId } from './ids.js'
import type { ListenerHooks } from './listener.js'
import { belonging } from './memory.js'
import type { Response, ResponsePlan } from './response.js'
import type { RealtimeSession } from './session.js'
import type { Utterance } from './utterance.js'

/** What the model reads in place of the words of a user who said none. */
const SILENCE_NOTE = 'The user has said nothing for a while. Ask whether they are still there, or go on with something that may help them.'

/**
 * What follows from what the listener hears, and from silence: events to the client, an item for each
 * utterance, its transcript, and the response to it (PROTOCOL sections 7.4 to 7.6 and 8).
 */
export class Turns implements ListenerHooks {
  readonly #session: RealtimeSession
  readonly #idle: IdleWatch

  constructor (session: RealtimeSession) {
    this.#session = session
    this.#idle = new IdleWatch(() => session.listener.positionMs, (startMs, endMs) => this.#idled(startMs, endMs))
  }

  speechStarted (startMs: number, itemId: string): void {
    const { outbox, responses, settings, observer } = this.#session
    this.#idle.disarm()
    outbox.send({ type: 'input_audio_buffer.speech_started', audio_start_ms: startMs, item_id: itemId })
    if (settings.input.turn_detection?.interrupt_response && responses.interrupt()) observer.interruption?.()
  }

  speechStopped (endMs: number, itemId: string): void {
    this.#session.outbox.send({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: endMs, item_id: itemId })
  }

  get logprobs (): boolean {
    const { transcribes, settings } = this.#session
    return transcribes && settings.include?.includes('item.input_audio_transcription.logprobs') === true
  }

  heard (itemId: string, { delta, logprobs }: TranscriptChunk): void {
    if (!this.#session.transcribes) return
    this.#session.outbox.send({ type: 'conversation.item.input_audio_transcription.delta', item_id: itemId, content_index: 0, delta, ...this.#asked(logprobs) })
  }

  committed (utterance: Utterance, byVoice: boolean): void {
    const session = this.#session
    this.#idle.disarm()
    try {
      session.conversation.admit()
    } catch (error) {
      utterance.drop()
      if (!byVoice) throw error
      session.fail(error, null)
      return
    }
    const entry = this.#addItem(utterance)
    this.#transcribe(utterance, entry)
    if (!byVoice || session.settings.type === 'transcription' || !session.settings.input.turn_detection?.create_response) return
    const endedAt = performance.now()
    session.responses.answer(() => session.plan({}, { entry, endedAt }))
  }

  failed (error: unknown): void {
    this.#session.observer.fault?.('voice detection failed', error)
    this.#session.fail(new RealtimeError('engine_failed', { message: messageOf(error) }), null)
  }

  /** A response of the conversation begins: nobody is idle. */
  answering (): void {
    this.#idle.disarm()
  }

  /** A response of the conversation is done; its sound may still be playing. */
  answered (response: Response): void {
    const { turn_detection: detection } = this.#session.settings.input
    if (detection?.type !== 'server_vad' || detection.idle_timeout_ms === null || this.#session.closed) return
    this.#idle.arm(response.playoutMs, detection.idle_timeout_ms)
  }

  handedOver (to: string, handOver: HandOver): ResponsePlan | null {
    try {
      return continueAs(this.#session, to, handOver)
    } catch (error) {
      this.#session.fail(error, null)
      return null
    }
  }

  /** Turn detection has changed, or the session is over. */
  reset (): void {
    this.#idle.disarm()
  }

  /** Nobody spoke: the model is told so, and asked to go on. */
  #idled (startMs: number, endMs: number): void {
    const { outbox, conversation, listener, responses } = this.#session
    if (conversation.full) return
    const utterance = listener.commitSilence()
    outbox.send({ type: 'input_audio_buffer.timeout_triggered', audio_start_ms: startMs, audio_end_ms: endMs, item_id: utterance.itemId })
    const note = belonging({
      item: { id: createId('item'), type: 'message', status: 'completed', role: 'system', content: [{ type: 'input_text', text: SILENCE_NOTE }] }
    }, this.#session.owner)
    const previous = conversation.add(note)
    conversation.finish(note)
    outbox.send({ type: 'conversation.item.added', previous_item_id: previous, item: note.item })
    outbox.send({ type: 'conversation.item.done', previous_item_id: previous, item: note.item })
    this.#transcribe(utterance, this.#addItem(utterance), 0)
    responses.answer(() => this.#session.plan({}))
  }

  #addItem (utterance: Utterance): Entry {
    const { outbox, conversation } = this.#session
    const { itemId } = utterance
    const entry = belonging({
      item: { id: itemId, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] },
      recording: utterance.recording
    }, this.#session.owner)
    const previous = conversation.add(entry)
    conversation.trimAudio()
    outbox.send({ type: 'input_audio_buffer.committed', previous_item_id: previous, item_id: itemId })
    outbox.send({ type: 'conversation.item.added', previous_item_id: previous, item: entry.item })
    outbox.send({ type: 'conversation.item.done', previous_item_id: previous, item: entry.item })
    return entry
  }

  /** Engines may say unasked how sure they are. */
  #asked (logprobs: TokenLogprob[] | undefined): { logprobs?: TokenLogprob[] } {
    return logprobs === undefined || !this.logprobs ? {} : { logprobs }
  }

  /** Brings the words to the item and to the client. */
  #transcribe (utterance: Utterance, entry: Entry, seconds = Math.ceil(utterance.recording.durationMs / 1000)): void {
    const session = this.#session
    const of = { item_id: utterance.itemId, content_index: 0 }
    const transcribed = utterance.transcript.then(transcript => {
      if (entry.item.type === 'message' && entry.item.role === 'user') entry.item.content = [{ type: 'input_audio', transcript }]
      delete entry.transcribed
      session.conversation.finish(entry)
      if (!session.transcribes) return
      session.outbox.send({ type: 'conversation.item.input_audio_transcription.completed', ...of, transcript, usage: { type: 'duration', seconds }, ...this.#asked(utterance.logprobs) })
    }, error => {
      if (!session.closed) {
        session.conversation.finish(entry)
        session.observer.fault?.('speech-to-text failed', error)
        if (session.transcribes) {
          session.outbox.send({
            type: 'conversation.item.input_audio_transcription.failed',
            ...of,
            error: { type: 'server_error', code: 'engine_failed', message: messageOf(error), param: null }
          })
        }
      }
      throw error
    })
    // A response waits for the words and reports the fault; without one, `failed` has told the client.
    transcribed.catch(() => {})
    entry.transcribed = transcribed
  }
}

/** Engines word their faults for people; anything else stays inside. */
function messageOf (error: unknown): string {
  return error instanceof EngineError ? error.message : 'The server had an error while listening.'
}

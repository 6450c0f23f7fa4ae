import { EngineError } from '../engines/engine.js'
import { RealtimeError } from '../errors.js'
import type { Entry } from './conversation.js'
import type { ListenerHooks, Utterance } from './listener.js'
import type { RealtimeSession } from './session.js'

/**
 * What follows from what the listener hears: events to the client, an item for each utterance, its
 * transcript, and the response to it (PROTOCOL sections 7.4, 7.5 and 8).
 */
export class Turns implements ListenerHooks {
  readonly #session: RealtimeSession

  constructor (session: RealtimeSession) {
    this.#session = session
  }

  speechStarted (startMs: number, itemId: string): void {
    const { outbox, responses, settings, observer } = this.#session
    outbox.send({ type: 'input_audio_buffer.speech_started', audio_start_ms: startMs, item_id: itemId })
    if (settings.input.turn_detection?.interrupt_response && responses.interrupt()) observer.interruption?.()
  }

  speechStopped (endMs: number, itemId: string): void {
    this.#session.outbox.send({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: endMs, item_id: itemId })
  }

  committed (utterance: Utterance, byVoice: boolean): void {
    const session = this.#session
    const { outbox, conversation } = session
    const entry: Entry = {
      item: { id: utterance.itemId, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] },
      recording: utterance.recording
    }
    const previous = conversation.add(entry)
    conversation.trimAudio()
    outbox.send({ type: 'input_audio_buffer.committed', previous_item_id: previous, item_id: utterance.itemId })
    outbox.send({ type: 'conversation.item.added', previous_item_id: previous, item: entry.item })
    outbox.send({ type: 'conversation.item.done', previous_item_id: previous, item: entry.item })

    entry.transcribed = this.#transcribe(utterance, entry)
    // A response waits for the words and reports the fault; without one, `failed` has told the client.
    entry.transcribed.catch(() => {})
    if (!byVoice || !session.settings.input.turn_detection?.create_response) return
    const endedAt = performance.now()
    session.responses.answer(() => session.plan({}, { entry, endedAt }))
  }

  failed (error: unknown): void {
    this.#session.observer.fault?.('voice detection failed', error)
    this.#session.fail(new RealtimeError('engine_failed', { message: messageOf(error) }), null)
  }

  async #transcribe (utterance: Utterance, entry: Entry): Promise<void> {
    const { outbox, settings, observer } = this.#session
    const of = { item_id: utterance.itemId, content_index: 0 }
    const wanted = settings.input.transcription !== null
    let transcript = ''
    try {
      for await (const delta of utterance.words) {
        transcript += delta
        if (wanted) outbox.send({ type: 'conversation.item.input_audio_transcription.delta', ...of, delta })
      }
    } catch (error) {
      if (!this.#session.closed) {
        observer.fault?.('speech-to-text failed', error)
        if (wanted) {
          outbox.send({
            type: 'conversation.item.input_audio_transcription.failed',
            ...of,
            error: { type: 'server_error', code: 'engine_failed', message: messageOf(error), param: null }
          })
        }
      }
      throw error
    }

    if (entry.item.type === 'message' && entry.item.role === 'user') entry.item.content = [{ type: 'input_audio', transcript }]
    if (!wanted) return
    outbox.send({
      type: 'conversation.item.input_audio_transcription.completed',
      ...of,
      transcript,
      usage: { type: 'duration', seconds: Math.ceil(utterance.recording.durationMs / 1000) }
    })
  }
}

/** Engines word their faults for people; anything else stays inside. */
function messageOf (error: unknown): string {
  return error instanceof EngineError ? error.message : 'The server had an error while listening.'
}

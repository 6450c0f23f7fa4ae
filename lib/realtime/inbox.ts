import { RealtimeError } from '../errors.js'
import type { Dialect } from './dialects/dialect.js'
import { appendedAudio, appendedLength, isPlainAppend } from './events/append-frame.js'
import { parseClientEvent } from './events/parse.js'
import { countGarbage, Haste } from './frame-garbage.js'
import { handle } from './handlers/table.js'
import type { RealtimeSession } from './session.js'
import { checkSizes } from './sizes.js'

/** Reads what the client sends, and hands it to who handles it. Whatever is wrong with a frame is answered by exactly one `error`. */
export class Inbox {
  readonly #session: RealtimeSession
  readonly #dialect: Dialect | null
  readonly #strict: boolean
  /** Bytes of a frame below which nothing in it can be too long. */
  readonly #sizesMatterFrom: number
  readonly #haste = new Haste()

  /**
   * @param dialect what the client speaks, if it is not GA
   * @param strict whether parameters that the protocol does not know are errors
   */
  constructor (session: RealtimeSession, dialect: Dialect | null, strict: boolean) {
    this.#session = session
    this.#dialect = dialect
    this.#strict = strict
    this.#sizesMatterFrom = Math.min(session.limits.instructionsLength, session.limits.toolsLength)
  }

  take (frame: Buffer, isBinary: boolean): void {
    const session = this.#session
    if (isBinary) {
      session.fail(new RealtimeError('invalid_event', { message: 'Binary frames are not part of the protocol: send JSON text.' }), null)
      return
    }
    if (this.#takeAudio(frame)) return
    let eventId: string | null = null
    try {
      const parsed = parseClientEvent(frame.toString(), this.#dialect, this.#strict)
      if (parsed.error !== undefined) {
        session.fail(parsed.error, parsed.eventId)
        return
      }
      eventId = parsed.event.event_id ?? null
      if (frame.length > this.#sizesMatterFrom) checkSizes(parsed.event, session.limits)
      handle(session, parsed.event)?.catch(error => session.fail(error, eventId))
    } catch (error) {
      session.fail(error, eventId)
    }
  }

  /** The short way for a frame of plain audio; false if it has to go the long way, to succeed or to be told its error. */
  #takeAudio (frame: Buffer): boolean {
    const length = appendedLength(frame)
    if (length === null) return false
    const { listener } = this.#session
    try {
      // What there is no room for is not even read: a client that goes on sending makes no garbage.
      listener.admit(length)
      const { positionMs } = listener
      listener.append(appendedAudio(frame))
      if (this.#haste.hear(listener.positionMs - positionMs)) countGarbage(frame.length)
      return true
    } catch (error) {
      if (!(error instanceof RealtimeError) || error.code !== 'input_audio_buffer_full' || !isPlainAppend(frame)) return false
      countGarbage(frame.length)
      this.#session.fail(error, null)
      return true
    }
  }
}

import type { CharacterRegistry } from '../characters/registry.js'
import type { Engines } from '../engines/engine.js'
import { RealtimeError } from '../errors.js'
import { Casting } from './casting.js'
import { Conversation } from './conversation.js'
import type { Dialect, DialectFactory } from './dialects/dialect.js'
import { parseClientEvent } from './events/parse.js'
import type { ResponseOptions } from './events/response-object.js'
import type { SessionObject } from './events/session-object.js'
import { handle } from './handlers/table.js'
import { createId } from './ids.js'
import { toSamples } from './input-audio.js'
import { Listener, type ListenerSettings } from './listener.js'
import type { SessionObserver } from './observer.js'
import { Outbox, type Corkable, type SessionSocket } from './outbox.js'
import { planResponse } from './plan.js'
import type { ResponsePlan } from './response.js'
import { Responses } from './responses.js'
import { defaultSettings, type Settings } from './settings.js'
import { Turns } from './turns.js'

export interface SessionLimits {
  /** Seconds a session may last. Default 3600. */
  sessionSeconds: number
  /** Seconds without a client event after which a session is closed; 0 is never. Default 0. */
  idleSeconds: number
  /** Seconds of audio that may wait uncommitted. Default 600. */
  uncommittedSeconds: number
  /** Seconds of recordings kept for `conversation.item.retrieve`. Default 300. */
  audioHistorySeconds: number
}

export interface SessionOptions {
  /** The TCP connection below the socket, for writing several frames at once. */
  connection: Corkable
  socket: SessionSocket
  registry: CharacterRegistry
  engines: Engines
  /** What the client named at connect; shown, not used. */
  model: string
  /** A character the client named at connect. */
  character?: string | undefined
  /** The server's own choice: a name, null for nobody, undefined for the first of the cast. */
  defaultCharacter: string | null | undefined
  limits: SessionLimits
  observer: SessionObserver
  /** What the client speaks, if it is not GA. */
  dialect?: DialectFactory | null
}

/**
 * One Realtime connection and all that it owns. The route feeds it frames and tells it when the socket
 * is gone; everything else follows from `lib/realtime/handlers`.
 */
export class RealtimeSession {
  readonly id: string
  readonly registry: CharacterRegistry
  readonly observer: SessionObserver
  readonly outbox: Outbox
  readonly conversation: Conversation
  readonly casting: Casting
  readonly listener: Listener
  readonly responses: Responses
  readonly #options: SessionOptions
  readonly #dialect: Dialect | null
  readonly #expiresAt: number
  readonly #expiry: NodeJS.Timeout
  #idle: NodeJS.Timeout | null = null
  #settings: Settings = defaultSettings
  #closed = false

  constructor (options: SessionOptions) {
    const { registry, engines, limits, observer } = options
    this.id = registry.session.id
    this.registry = registry
    this.observer = observer
    this.#options = options
    const conversationId = createId('conv')
    this.#dialect = options.dialect?.(conversationId) ?? null
    this.outbox = new Outbox(options.socket, options.connection, bytes => observer.bytes?.('out', bytes), this.#dialect)
    this.conversation = new Conversation(limits.audioHistorySeconds * toSamples(1000) * 2)
    this.casting = new Casting(registry, engines.tts, options.defaultCharacter)
    if (options.character !== undefined) this.casting.select(options.character)
    this.listener = new Listener(engines, this.#listening(), new Turns(this), limits.uncommittedSeconds)
    this.responses = new Responses({
      outbox: this.outbox, conversation: this.conversation, conversationId, engines, observer
    })
    this.#expiresAt = Math.floor(Date.now() / 1000) + limits.sessionSeconds
    this.#expiry = setTimeout(() => this.#expire(), limits.sessionSeconds * 1000).unref()
    this.#stayAwake()
  }

  get settings (): Settings {
    return this.#settings
  }

  /** New settings take effect for the audio that comes next and for the next response. */
  set settings (settings: Settings) {
    this.#settings = settings
    this.refresh()
  }

  get closed (): boolean {
    return this.#closed
  }

  /** Greets the client. */
  start (): void {
    this.refresh()
    this.outbox.send({ type: 'session.created', session: this.toObject() })
  }

  /** Takes one frame; whatever is wrong with it is answered by exactly one `error`. */
  receive (frame: Buffer, isBinary: boolean): void {
    if (this.#closed) return
    this.observer.bytes?.('in', frame.length)
    this.#stayAwake()
    if (isBinary) {
      this.fail(new RealtimeError('invalid_event', { message: 'Binary frames are not part of the protocol: send JSON text.' }), null)
      return
    }
    const parsed = parseClientEvent(frame.toString(), this.#dialect)
    if (parsed.error !== undefined) {
      this.fail(parsed.error, parsed.eventId)
      return
    }
    const eventId = parsed.event.event_id ?? null
    try {
      handle(this, parsed.event)?.catch(error => this.fail(error, eventId))
    } catch (error) {
      this.fail(error, eventId)
    }
  }

  /** Answers a client event with an error. What was not meant for clients goes to the log instead. */
  fail (error: unknown, eventId: string | null): void {
    if (this.#closed) return
    if (!(error instanceof RealtimeError)) {
      this.observer.fault?.('event failed', error)
      error = new RealtimeError('server_error')
    }
    const { type, code, message, param, details } = error as RealtimeError
    this.outbox.send({ type: 'error', error: { type, code, message, param, event_id: eventId, ...details === undefined ? {} : { details } } })
  }

  /** A response of this session, as it is now, with what a client overrides. */
  plan (options: ResponseOptions, turn: ResponsePlan['turn'] = null): ResponsePlan {
    return planResponse(this.#settings, this.casting, this.conversation, options, turn)
  }

  /** Brings what depends on settings and character up to date. */
  refresh (): void {
    const listening = this.#listening()
    this.registry.session.language = listening.language ?? listening.transcription?.language ?? null
    this.listener.configure(listening)
  }

  /** Ends the session from this side. */
  end (code: number, reason: string): void {
    this.close()
    this.#options.socket.close(code, reason)
  }

  /** Releases everything the session holds. Idempotent; the socket may be gone already. */
  close (): void {
    if (this.#closed) return
    clearTimeout(this.#expiry)
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.responses.cancelAll()
    this.#closed = true
    this.listener.close()
    this.conversation.clear()
  }

  /** The session as the client sees it (PROTOCOL section 3.1). */
  toObject (): SessionObject {
    const { input, output, ...settings } = this.#settings
    const { stt, llm, tts } = this.#options.engines
    return {
      type: 'realtime',
      object: 'realtime.session',
      id: this.id,
      model: this.#options.model,
      output_modalities: settings.output_modalities,
      instructions: settings.instructions,
      tools: settings.tools,
      tool_choice: settings.tool_choice,
      max_output_tokens: settings.max_output_tokens,
      tracing: settings.tracing,
      truncation: settings.truncation,
      prompt: settings.prompt,
      expires_at: this.#expiresAt,
      audio: { input, output: { format: output.format, voice: this.casting.voice, speed: output.speed } },
      include: settings.include,
      characters: this.registry.names(),
      character: this.casting.character?.name ?? null,
      character_tools: settings.character_tools,
      engines: { stt: stt.name, llm: llm.name, tts: tts.name }
    }
  }

  #listening (): ListenerSettings {
    const { turn_detection: turnDetection, transcription } = this.#settings.input
    return { turnDetection, transcription, language: this.casting.character?.instructions.language ?? null }
  }

  #stayAwake (): void {
    const { idleSeconds } = this.#options.limits
    if (idleSeconds === 0) return
    this.#idle ??= setTimeout(() => this.end(1000, 'idle timeout'), idleSeconds * 1000).unref()
    this.#idle.refresh()
  }

  #expire (): void {
    const minutes = Math.round(this.#options.limits.sessionSeconds / 60)
    this.fail(new RealtimeError('session_expired', { message: `Your session hit the maximum duration of ${minutes} minutes.` }), null)
    this.end(1000, 'session_expired')
  }
}

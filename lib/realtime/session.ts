import { setTimeout as sleep } from 'node:timers/promises'
import type { CharacterRegistry } from '../characters/registry.js'
import { saveCast } from '../characters/reopen.js'
import { RealtimeError } from '../errors.js'
import { Casting } from './casting.js'
import { clientEntry } from './client-entry.js'
import { ContextWindow } from './context-window.js'
import { Conversation, type Entry } from './conversation.js'
import { describeSession } from './describe.js'
import type { Dialect } from './dialects/dialect.js'
import type { ClientItem } from './events/items.js'
import type { ResponseOptions } from './events/response-object.js'
import type { SessionObject, SessionUpdate } from './events/session-object.js'
import { refreshCharacters } from './handlers/characters.js'
import { createId } from './ids.js'
import { Inbox } from './inbox.js'
import { toSamples } from './input-audio.js'
import { Lifetime } from './lifetime.js'
import { languageOf, Listener, type ListenerSettings } from './listener.js'
import type { SessionObserver } from './observer.js'
import { ownerOf } from './memory.js'
import { Outbox } from './outbox.js'
import { planResponse } from './plan.js'
import type { ResponsePlan } from './response.js'
import { Responses } from './responses.js'
import type { Checkpoints } from './resume/checkpoints.js'
import type { Resumption } from './resume/resumptions.js'
import { replay } from './resume/replay.js'
import { FORMAT, type SavedSession } from './resume/snapshot.js'
import type { SessionLimits, SessionOptions } from './session-options.js'
import { startingSettings, updateSettings, type Settings } from './settings.js'
import { Throttle } from './throttle.js'
import { Turns } from './turns.js'

/** How long the end of a session may wait until the last of it is kept. Milliseconds. */
const KEEP_MS = 2000

/**
 * One Realtime connection and all that it owns. The route feeds it frames and tells it when the socket
 * is gone; the inbox reads them, and everything else follows from `lib/realtime/handlers`.
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
  /** Bytes of frames so far. */
  readonly bytes = { in: 0, out: 0 }
  readonly #inbox: Inbox
  readonly #turns: Turns
  readonly #window: ContextWindow
  readonly #throttle: Throttle
  readonly #options: SessionOptions
  readonly #dialect: Dialect | null
  readonly #lifetime: Lifetime
  /** Whether the client asked to be told of changed files. */
  watching = false
  #settings: Settings
  readonly #conversationId: string
  readonly #checkpoints: Checkpoints | null
  #saved: { of: readonly unknown[], session: SavedSession } | null = null
  /** Settles when the last checkpoint is written. */
  #kept: Promise<void> = Promise.resolve()
  #closed = false
  #ending: string | null = null

  constructor (options: SessionOptions) {
    const { registry, engines, limits, observer } = options
    this.id = registry.session.id
    this.registry = registry
    this.observer = observer
    this.#options = options
    const snapshot = options.resumption?.snapshot ?? null
    const conversationId = this.#conversationId = snapshot?.conversationId ?? createId('conv')
    this.#dialect = options.dialect?.(conversationId) ?? null
    this.outbox = new Outbox(options.socket, options.connection, {
      sent: bytes => this.#count('out', bytes),
      overflowed: () => this.end(1013, 'client too slow')
    }, limits.sendBytes, this.#dialect)
    this.#throttle = new Throttle(options.socket, limits.eventsPerSecond, () => this.#slowed())
    this.conversation = new Conversation({
      audioBytes: limits.audioHistorySeconds * toSamples(1000) * 2, items: limits.conversationItems, bytes: limits.conversationBytes
    }, snapshot?.entries)
    this.#window = new ContextWindow(limits.contextTokens)
    this.casting = new Casting(registry, engines.tts, options.defaultCharacter)
    this.#settings = snapshot?.settings ?? startingSettings(options.type ?? 'realtime')
    if (snapshot !== null) {
      this.casting.restore(snapshot.selection)
      this.watching = snapshot.watching
      if (this.#dialect !== null) this.#dialect.sessionTemperature = snapshot.temperature
    }
    this.#inbox = new Inbox(this, this.#dialect, options.strict ?? false)
    this.#turns = new Turns(this)
    this.listener = new Listener(engines, this.#listening(), this.#turns, limits, this.#throttle)
    if (snapshot === null && options.configuration !== undefined) this.#configure(options.configuration)
    if (snapshot === null && options.character !== undefined) this.casting.select(options.character)
    this.responses = new Responses({
      outbox: this.outbox, conversation: this.conversation, conversationId, engines, observer, aheadMs: limits.aheadSeconds === 0 ? Infinity : limits.aheadSeconds * 1000
    }, this.#turns, limits.outOfBandResponses)
    this.#lifetime = new Lifetime({
      ...limits, isPaused: () => this.#throttle.paused, onExpired: () => this.#expire(), onIdle: () => this.end(1000, 'idle timeout')
    })
    registry.follow(() => { refreshCharacters(this).catch(error => observer.fault?.('changed files could not be loaded', error)) })
    this.#checkpoints = options.resumption?.keep({ conversation: this.conversation, save: () => this.#save(), leave: () => this.leave(), end: options.place?.keep() }) ?? null
    if (this.#checkpoints !== null) this.conversation.watch(this.#checkpoints)
  }

  get settings (): Settings {
    return this.#settings
  }

  /** New settings take effect for the audio that comes next and for the next response. */
  set settings (settings: Settings) {
    if (settings.input.turn_detection !== this.#settings.input.turn_detection) this.#turns.reset()
    this.#settings = settings
    this.refresh()
  }

  /** Whether the client reads what the user says. */
  get transcribes (): boolean {
    return this.#settings.type === 'transcription' || this.#settings.input.transcription !== null
  }

  get limits (): SessionLimits {
    return this.#options.limits
  }

  /** Counts a reload. Throws `too_many_reloads`. */
  countReload (): void {
    const seconds = this.#options.countReload?.() ?? 0
    if (seconds > 0) throw new RealtimeError('too_many_reloads', { message: `That is more reloads than there may be a minute. Try again in ${seconds} s.` })
  }

  get closed (): boolean {
    return this.#closed
  }

  /** Greets the client. */
  start (): void {
    const { resumption, replay: wanted } = this.#options
    this.refresh()
    this.#checkpoints?.begin()
    this.outbox.send({ type: 'session.created', session: resumption === undefined ? this.toObject() : { ...this.toObject(), resume: this.#describeResume(resumption) } })
    if (wanted === true && resumption?.snapshot != null) replay(this.conversation, this.outbox)
  }

  /** Takes one frame. */
  receive (frame: Buffer, isBinary: boolean): void {
    if (this.#closed) return
    this.#count('in', frame.length)
    this.#throttle.count(frame.length)
    this.#lifetime.touch()
    this.#inbox.take(frame, isBinary)
  }

  /** Answers a client event with an error. What was not meant for clients goes to the log instead. */
  fail (error: unknown, eventId: string | null): void {
    if (this.#closed) return
    if (!(error instanceof RealtimeError)) {
      this.observer.fault?.('event failed', error)
      error = new RealtimeError('server_error')
    }
    const { type, code, message, param, details } = error as RealtimeError
    this.observer.error?.(code)
    this.outbox.send({ type: 'error', error: { type, code, message, param, event_id: eventId, ...details === undefined ? {} : { details } } })
  }

  /** Who alone knows what is said now. */
  get owner (): Entry['owner'] {
    return ownerOf(this.#settings.memory, this.casting.character?.name ?? null)
  }

  /** A response of this session, as it is now, with what a client overrides. */
  plan (options: ResponseOptions, turn: ResponsePlan['turn'] = null, handOvers = 0): ResponsePlan {
    return planResponse({
      settings: this.#settings,
      casting: this.casting,
      conversation: this.conversation,
      window: this.#window,
      temperature: this.#dialect?.temperature,
      takeItem: (item, param) => this.takeItem(item, param)
    }, options, turn, handOvers)
  }

  /** An item as the client sends it, its audio in the session's input format. */
  takeItem (item: ClientItem, param: string): Entry {
    const { format: { type: format } } = this.#settings.input
    return clientEntry(item, { format, transcribe: samples => this.listener.transcribe(samples) }, param)
  }

  /** Brings what depends on settings and character up to date. */
  refresh (): void {
    const listening = this.#listening()
    this.registry.session.language = listening.language ?? languageOf(listening.transcription)
    const { user_name: userName } = this.#settings
    if (userName === null) delete this.registry.session.userName
    else this.registry.session.userName = userName
    this.listener.configure(listening)
  }

  /** Why it ended, if this side ended it. */
  get ending (): string | null {
    return this.#ending
  }

  /**
   * Ends the session from this side. Who may take it up is told of the end when the last of it is kept.
   *
   * @param keep whether it may be taken up again, if the client asked for that
   */
  end (code: number, reason: string, keep = true): void {
    if (this.#closed) return
    this.#ending = reason
    this.close(keep)
    const { socket } = this.#options
    if (this.#checkpoints === null) socket.close(code, reason)
    else Promise.race([this.#kept, sleep(KEEP_MS, undefined, { ref: false })]).finally(() => socket.close(code, reason))
  }

  /** It is taken up on another connection: this one ends. Resolves when the last of it is kept. */
  leave (): Promise<void> {
    this.end(1000, 'session resumed on another connection')
    // That the connection is gone may take long to be seen.
    this.#options.place?.release()
    return this.#kept
  }

  /**
   * Releases everything the session holds. Idempotent; the socket may be gone already.
   *
   * @param keep whether it may be taken up again, if the client asked for that
   */
  close (keep = true): void {
    if (this.#closed) return
    this.#lifetime.end()
    this.responses.cancelAll()
    this.#closed = true
    this.#turns.reset()
    this.#throttle.stop()
    this.listener.close()
    if (this.#checkpoints !== null) this.#kept = this.#checkpoints.close(keep)
    this.conversation.clear()
  }

  /** The session as the client sees it (PROTOCOL section 3). */
  toObject (): SessionObject {
    const { model, engines } = this.#options
    return describeSession({
      id: this.id, model, expiresAt: this.#lifetime.expiresAt, settings: this.#settings, casting: this.casting, registry: this.registry, engines
    })
  }

  /** Takes a whole configuration, or throws and takes none of it. */
  update (update: SessionUpdate): void {
    const settings = updateSettings(this.#settings, update)
    const select = this.casting.prepare(update)
    select()
    this.settings = settings
  }

  /** What there is to keep beside the conversation: the same object while all of it is the same. */
  #save (): SavedSession {
    const { registry, casting, watching } = this
    const temperature = this.#dialect?.sessionTemperature ?? this.#options.resumption?.snapshot?.temperature ?? null
    const of = [this.#settings, casting.selection, registry.wanted, registry.version, watching, temperature]
    if (this.#saved === null || of.some((value, index) => value !== this.#saved!.of[index])) {
      this.#saved = {
        of,
        session: {
          format: FORMAT,
          id: this.id,
          conversationId: this.#conversationId,
          model: this.#options.model,
          settings: this.#settings,
          selection: casting.save(),
          cast: saveCast(registry),
          watching,
          temperature
        }
      }
    }
    return this.#saved.session
  }

  #describeResume ({ token, seconds, snapshot }: Resumption): NonNullable<SessionObject['resume']> {
    return { token, expires_in_seconds: seconds, resumed: snapshot !== null, item_count: this.conversation.entries.filter(({ hidden }) => hidden !== true).length }
  }

  #configure (configuration: SessionUpdate): void {
    try {
      this.update(configuration)
    } catch (error) {
      // Checked against the default cast, but this client brought another one: then the rest still holds.
      this.observer.fault?.('the configuration of an ephemeral key does not fit', error)
    }
  }

  #slowed (): void {
    this.fail(new RealtimeError('rate_limit_exceeded', {
      message: `Your events are read more slowly from now on: no more than ${this.#options.limits.eventsPerSecond} a second. None is lost.`
    }), null)
  }

  #count (direction: 'in' | 'out', bytes: number): void {
    this.bytes[direction] += bytes
    this.observer.bytes?.(direction, bytes)
  }

  #listening (): ListenerSettings {
    const { type, input: { format, turn_detection: turnDetection, transcription } } = this.#settings
    return {
      format: format.type,
      turnDetection,
      transcription,
      language: this.casting.character?.instructions.language ?? null,
      live: type === 'transcription'
    }
  }

  #expire (): void {
    const minutes = Math.round(this.#options.limits.sessionSeconds / 60)
    this.fail(new RealtimeError('session_expired', { message: `Your session hit the maximum duration of ${minutes} minutes.` }), null)
    this.end(1000, 'session_expired')
  }
}

import { Channel } from '../channel.js'
import type { SttEngine, VadEngine } from '../engines/engine.js'
import type { InputTranscription, TurnDetection } from './events/session-object.js'
import { RealtimeError } from '../errors.js'
import { createId } from './ids.js'
import { InputAudio, toMilliseconds, toSamples } from './input-audio.js'
import { Recording } from './recording.js'
import { TurnDetector } from './turn-detector.js'

/** Audio that a session with voice detection keeps though nobody spoke, so that a client may still commit it. */
const KEPT_MS = 2000
const MIN_COMMIT_MS = 100

/** One stretch of user speech on its way from the microphone to its words. */
export interface Utterance {
  /** Id of the item it becomes: `speech_started` already names it. */
  readonly itemId: string
  readonly recording: Recording
  /** Words in the order recognised; ends with the transcript, rejects if recognition fails. */
  readonly words: AsyncIterable<string>
}

export interface ListenerHooks {
  speechStarted (startMs: number, itemId: string): void
  speechStopped (endMs: number, itemId: string): void
  /** The utterance is whole: it becomes an item. `byVoice` if silence ended it, not the client. */
  committed (utterance: Utterance, byVoice: boolean): void
  /** Voice detection broke; it is tried again with the next audio. */
  failed (error: unknown): void
}

export interface ListenerSettings {
  turnDetection: TurnDetection | null
  transcription: InputTranscription | null
  /** Language of the character, when the client names none. */
  language: string | null
}

interface OpenUtterance extends Utterance {
  audio: Channel<Int16Array>
  /** Position up to which its audio was handed on. */
  fed: number
  abort: AbortController
}

/** Voice detection under way. */
interface Detection {
  audio: Channel<Int16Array>
  abort: AbortController
  detector: TurnDetector
}

/**
 * The ears of a session: the input buffer, voice detection and turn taking, and speech-to-text of each
 * utterance while it is still being spoken (PROTOCOL sections 7.4, 7.5 and 8).
 */
export class Listener {
  readonly #engines: { vad: VadEngine, stt: SttEngine }
  readonly #hooks: ListenerHooks
  readonly #input: InputAudio
  #settings: ListenerSettings
  #vad: Detection | null = null
  #utterance: OpenUtterance | null = null
  /** Recognition under way, of utterances still open or already committed. */
  readonly #recognising = new Set<AbortController>()
  #closed = false

  constructor (engines: { vad: VadEngine, stt: SttEngine }, settings: ListenerSettings, hooks: ListenerHooks, maxSeconds: number) {
    this.#engines = engines
    this.#settings = settings
    this.#hooks = hooks
    this.#input = new InputAudio(maxSeconds)
  }

  /** Takes new settings; changed turn detection starts over, and speech under way is dropped with it. */
  configure (settings: ListenerSettings): void {
    const before = this.#settings.turnDetection
    this.#settings = settings
    if (before === settings.turnDetection || this.#vad === null) return
    this.#stopDetecting()
    this.#dropUtterance()
  }

  /** Takes an `input_audio_buffer.append`. Throws a `RealtimeError` for what is not audio. */
  append (base64: string): void {
    const position = this.#input.end
    const chunk = this.#input.append(base64)
    if (chunk.length === 0 || this.#settings.turnDetection === null) return
    const vad = this.#vad ??= this.#detect(this.#settings.turnDetection, position)
    vad.audio.push(chunk)
  }

  /** The client ends the utterance: all audio since the last commit is its own. */
  commit (): void {
    const ms = this.#input.uncommittedMs
    if (ms < MIN_COMMIT_MS) {
      throw new RealtimeError('input_audio_buffer_commit_empty', {
        message: `Error committing input audio buffer: buffer too small. Expected at least ${MIN_COMMIT_MS}ms of audio, but buffer only has ${ms.toFixed(2)}ms of audio.`
      })
    }
    this.#utterance ??= this.#begin(Math.max(this.#input.committed, this.#input.start))
    this.#finish(this.#input.end, false)
    this.#vad?.detector.reset(this.#input.end)
  }

  clear (): void {
    this.#dropUtterance()
    this.#input.clear()
    this.#vad?.detector.reset(this.#input.end)
  }

  close (): void {
    this.#closed = true
    this.#stopDetecting()
    this.#dropUtterance()
    for (const abort of this.#recognising) abort.abort()
  }

  #detect (settings: TurnDetection, position: number): Detection {
    const audio = new Channel<Int16Array>()
    const abort = new AbortController()
    const vad = { audio, abort, detector: new TurnDetector(settings, position) }
    this.#watch(vad, position)
    return vad
  }

  async #watch (vad: Detection, offset: number): Promise<void> {
    const { signal } = vad.abort
    try {
      for await (const { position, probability } of this.#engines.vad.detect(vad.audio, { signal })) {
        if (signal.aborted) return
        this.#hear(vad.detector, { position: offset + position, probability })
      }
    } catch (error) {
      if (signal.aborted || this.#closed) return
      this.#vad = null
      this.#dropUtterance()
      this.#hooks.failed(error)
    }
  }

  #hear (detector: TurnDetector, frame: { position: number, probability: number }): void {
    // Frames of audio that the client has committed or cleared meanwhile say nothing new.
    if (frame.position <= this.#input.committed) return
    const event = detector.next(frame)
    if (event?.type === 'started') {
      const start = Math.max(event.position, this.#input.committed, this.#input.start)
      this.#utterance = this.#begin(start)
      this.#hooks.speechStarted(toMilliseconds(start), this.#utterance.itemId)
    }
    if (this.#utterance !== null) this.#feed(this.#utterance, frame.position)
    if (event?.type === 'stopped' && this.#utterance !== null) {
      this.#hooks.speechStopped(toMilliseconds(event.position), this.#utterance.itemId)
      this.#finish(event.position, true)
    }
    this.#input.forget(Math.min(detector.needed, frame.position - toSamples(KEPT_MS)))
  }

  #begin (position: number): OpenUtterance {
    const audio = new Channel<Int16Array>()
    const abort = new AbortController()
    const { transcription, language } = this.#settings
    const chunks = this.#engines.stt.transcribe(audio, {
      signal: abort.signal,
      language: transcription?.language ?? language ?? undefined,
      prompt: transcription?.prompt ?? undefined,
      model: transcription?.model
    })
    return { itemId: createId('item'), recording: new Recording(), words: this.#recognise(chunks, abort), audio, fed: position, abort }
  }

  /** Starts recognition at once, not when the words are first asked for: by then the speaker is done. */
  #recognise (chunks: AsyncIterable<{ delta: string }>, abort: AbortController): AsyncIterable<string> {
    const words = new Channel<string>()
    this.#recognising.add(abort)
    const pass = async () => {
      for await (const { delta } of chunks) words.push(delta)
    }
    pass().then(() => words.end(), error => words.fail(error)).finally(() => this.#recognising.delete(abort))
    return words
  }

  #feed (utterance: OpenUtterance, to: number): void {
    if (to <= utterance.fed) return
    const audio = this.#input.slice(utterance.fed, to)
    utterance.recording.append(audio)
    utterance.audio.push(audio)
    utterance.fed = to
  }

  #finish (position: number, byVoice: boolean): void {
    const utterance = this.#utterance!
    this.#utterance = null
    this.#feed(utterance, position)
    utterance.audio.end()
    this.#input.commit(position)
    this.#hooks.committed(utterance, byVoice)
  }

  #stopDetecting (): void {
    this.#vad?.abort.abort()
    this.#vad?.audio.end()
    this.#vad = null
  }

  #dropUtterance (): void {
    this.#utterance?.abort.abort()
    this.#utterance?.audio.end()
    this.#utterance = null
  }
}

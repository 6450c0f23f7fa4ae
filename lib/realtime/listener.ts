import type { FormatName } from '../audio/formats.js'
import type { SttEngine, TranscriptChunk, VadEngine } from '../engines/engine.js'
import type { InputTranscription, TurnDetection } from './events/session-object.js'
import { RealtimeError } from '../errors.js'
import { InputAudio, toMilliseconds, toSamples } from './input-audio.js'
import { TurnDetector } from './turn-detector.js'
import { Utterance } from './utterance.js'
import { VoiceDetection, type AudioSource } from './voice-detection.js'

/** Audio that a session with voice detection keeps though nobody spoke, so that a client may still commit it. */
const KEPT_MS = 2000
const MIN_COMMIT_MS = 100

export interface ListenerHooks {
  /** Whether log probabilities are wanted of an utterance that begins now. */
  readonly logprobs: boolean
  speechStarted (startMs: number, itemId: string): void
  speechStopped (endMs: number, itemId: string): void
  /** Words of an utterance as they are recognised, maybe while it is still being spoken. */
  heard (itemId: string, chunk: TranscriptChunk): void
  /** The utterance is whole: it becomes an item. `byVoice` if silence ended it, not the client. */
  committed (utterance: Utterance, byVoice: boolean): void
  /** Voice detection broke; it is tried again with the next audio. */
  failed (error: unknown): void
}

export interface ListenerSettings {
  format: FormatName
  turnDetection: TurnDetection | null
  transcription: InputTranscription | null
  /** Language of the character, when the client names none. */
  language: string | null
  /** Whether recognition begins with the first audio though only the client ends an utterance: its words are wanted at once. */
  live: boolean
}

export interface ListenerLimits {
  /** Seconds of audio that may wait for voice detection. */
  undetectedSeconds: number
  /** Seconds of audio that may wait uncommitted, and that a turn may last. */
  uncommittedSeconds: number
  /** Seconds of an utterance's recording that are kept. */
  audioHistorySeconds: number
}

/** The language that the client expects to be spoken, if it is one. */
export function languageOf (transcription: InputTranscription | null): string | null {
  const { language, languages } = transcription ?? {}
  return language ?? (languages?.length === 1 ? languages[0]! : null)
}

/** Words to expect, as engines take them. */
function wordsOf (transcription: InputTranscription | null): string | undefined {
  const { prompt, keywords } = transcription ?? {}
  return [prompt ?? '', keywords?.join(', ') ?? ''].filter(words => words !== '').join('\n') || undefined
}

/**
 * The ears of a session: the input buffer, voice detection and turn taking, and speech-to-text of each
 * utterance while it is still being spoken (PROTOCOL sections 7.4, 7.5 and 8).
 */
export class Listener {
  readonly #stt: SttEngine
  readonly #hooks: ListenerHooks
  readonly #input: InputAudio
  readonly #vad: VoiceDetection
  /** Samples after which a turn is over, though somebody still speaks. */
  readonly #longest: number
  readonly #recordingBytes: number
  #settings: ListenerSettings
  #utterance: Utterance | null = null
  /** Recognition under way, of utterances still open or already whole. */
  readonly #recognising = new Set<Utterance>()
  #closed = false

  constructor (engines: { vad: VadEngine, stt: SttEngine }, settings: ListenerSettings, hooks: ListenerHooks, limits: ListenerLimits, source: AudioSource) {
    this.#stt = engines.stt
    this.#settings = settings
    this.#hooks = hooks
    this.#input = new InputAudio(limits.uncommittedSeconds)
    this.#longest = toSamples(limits.uncommittedSeconds * 1000)
    this.#recordingBytes = toSamples(limits.audioHistorySeconds * 1000) * 2
    this.#vad = new VoiceDetection({
      engine: engines.vad,
      input: this.#input,
      source,
      undetectedSeconds: limits.undetectedSeconds,
      heard: (detector, frame) => this.#hear(detector, frame),
      broke: () => this.#dropUtterance(),
      failed: error => hooks.failed(error)
    })
  }

  /** Where the next audio goes on the session's timeline. Milliseconds. */
  get positionMs (): number {
    return toMilliseconds(this.#input.end)
  }

  /** Takes new settings; changed turn detection starts over, and speech under way is dropped with it. */
  configure (settings: ListenerSettings): void {
    const before = this.#settings
    this.#take(() => this.#input.setFormat(settings.format))
    this.#settings = settings
    if (before.turnDetection === settings.turnDetection) return
    this.#stopSpeech()
    this.#vad.stop()
    this.#dropUtterance()
  }

  /** Throws `input_audio_buffer_full` if audio of this many characters of base64 finds no room. */
  admit (base64Length: number): void {
    // Two of them may be padding.
    this.#input.admit(Math.floor((base64Length - 2) * 3 / 4))
  }

  /** Takes an `input_audio_buffer.append`. Throws a `RealtimeError` for what is not audio. */
  append (base64: string): void {
    this.#take(() => this.#input.append(base64))
  }

  /** The client ends the utterance: all audio since the last commit is its own. */
  commit (): void {
    this.#take(() => this.#input.settle())
    const ms = this.#input.uncommittedMs
    if (ms < MIN_COMMIT_MS) {
      throw new RealtimeError('input_audio_buffer_commit_empty', {
        message: `Error committing input audio buffer: buffer too small. Expected at least ${MIN_COMMIT_MS}ms of audio, but buffer only has ${ms.toFixed(2)}ms of audio.`
      })
    }
    this.#utterance ??= this.#begin(Math.max(this.#input.committed, this.#input.start))
    this.#stopSpeech()
    this.#finish(this.#input.end, false)
  }

  /** Everything since the last commit was silence: takes it as an utterance that nobody needs to recognise. */
  commitSilence (): Utterance {
    this.#dropUtterance()
    const utterance = Utterance.silent(Math.max(this.#input.committed, this.#input.start), this.#recordingBytes)
    utterance.feed(this.#input, this.#input.end)
    this.#input.commit(this.#input.end)
    this.#vad.detector?.reset(this.#input.end)
    return utterance
  }

  clear (): void {
    this.#stopSpeech()
    this.#dropUtterance()
    this.#input.clear()
  }

  /** The words of a recording that did not come through the input buffer. Rejects if recognition fails. */
  transcribe (samples: Int16Array): Promise<string> {
    const utterance = this.#recognise(0, () => {})
    utterance.feed({ slice: () => samples }, samples.length)
    utterance.end()
    return utterance.transcript
  }

  close (): void {
    this.#closed = true
    this.#vad.stop()
    this.#dropUtterance()
    for (const utterance of this.#recognising) utterance.drop()
    this.#input.close()
  }

  /** New audio goes to whoever listens. */
  #take (append: () => void): void {
    const { turnDetection, transcription, language, live } = this.#settings
    const position = this.#input.end
    append()
    if (this.#input.end === position || this.#closed) return
    if (turnDetection !== null) {
      this.#vad.take(position, () => new TurnDetector(turnDetection, position, languageOf(transcription) ?? language))
    } else if (live) {
      this.#utterance ??= this.#begin(position)
      this.#utterance.feed(this.#input, this.#input.end)
    }
  }

  #hear (detector: TurnDetector, frame: { position: number, probability: number }): void {
    // Frames of audio that the client has committed or cleared meanwhile say nothing new.
    if (frame.position <= this.#input.committed) return
    const event = detector.next(frame, this.#utterance?.words, this.#utterance?.pause)
    if (event?.type === 'started') {
      const start = Math.max(event.position, this.#input.committed, this.#input.start)
      this.#utterance = this.#begin(start)
      this.#hooks.speechStarted(toMilliseconds(start), this.#utterance.itemId)
    }
    if (this.#utterance !== null) {
      this.#utterance.feed(this.#input, frame.position)
      if (!detector.pausing) this.#utterance.goOn()
      const stopped = event?.type === 'stopped'
      if (stopped || frame.position - this.#utterance.start > this.#longest) {
        if (!stopped) detector.reset(frame.position)
        this.#hooks.speechStopped(toMilliseconds(frame.position), this.#utterance.itemId)
        this.#finish(frame.position, true)
      }
    }
    this.#input.forget(Math.min(detector.needed, frame.position - toSamples(KEPT_MS)))
  }

  #begin (position: number): Utterance {
    return this.#recognise(position, (itemId, chunk) => this.#hooks.heard(itemId, chunk), this.#hooks.logprobs)
  }

  #recognise (position: number, heard: (itemId: string, chunk: TranscriptChunk) => void, logprobs = false): Utterance {
    const { transcription, language } = this.#settings
    const utterance = new Utterance(this.#stt, position, {
      language: languageOf(transcription) ?? language ?? undefined,
      prompt: wordsOf(transcription),
      model: transcription?.model,
      logprobs
    }, heard, this.#recordingBytes)
    this.#recognising.add(utterance)
    utterance.transcript.catch(() => {}).finally(() => this.#recognising.delete(utterance))
    return utterance
  }

  #finish (position: number, byVoice: boolean): void {
    const utterance = this.#utterance!
    this.#utterance = null
    utterance.feed(this.#input, position)
    utterance.end()
    this.#input.commit(position)
    this.#hooks.committed(utterance, byVoice)
  }

  /** The client ends what voice detection began: who was told of the start is told of the end. */
  #stopSpeech (): void {
    const { detector } = this.#vad
    if (detector?.speaking && this.#utterance !== null) this.#hooks.speechStopped(toMilliseconds(this.#input.end), this.#utterance.itemId)
    detector?.reset(this.#input.end)
  }

  #dropUtterance (): void {
    this.#utterance?.drop()
    this.#utterance = null
  }
}

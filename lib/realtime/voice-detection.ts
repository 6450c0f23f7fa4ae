import { Channel } from '../channel.js'
import type { SpeechFrame, VadEngine } from '../engines/engine.js'
import { toSamples, type InputAudio } from './input-audio.js'
import type { TurnDetector } from './turn-detector.js'

/** How long broken voice detection is left alone. Milliseconds. */
const DETECT_AGAIN_MS = 1000
/** How much a new stream of voice detection has to hear until the fault of the one before is forgotten. Samples. */
const WORKS_AGAIN = toSamples(500)

/** Where the audio comes from: nothing more does between the two. Both are idempotent. */
export interface AudioSource {
  hold (): void
  release (): void
}

export interface VoiceDetectionOptions {
  engine: VadEngine
  input: InputAudio
  source: AudioSource
  /** Seconds of audio that may wait for it until the source is held. */
  undetectedSeconds: number
  /** What was heard, on the session's timeline. */
  heard (detector: TurnDetector, frame: SpeechFrame): void
  /** It broke twice, and is tried again with later audio alone: the turn under way cannot go on. */
  broke (): void
  /** Told of one fault an outage, however much audio comes meanwhile. */
  failed (error: unknown): void
}

interface Stream {
  /** Position up to which there were frames. */
  heard: number
  audio: Channel<Int16Array>
  abort: AbortController
  detector: TurnDetector
}

/** The input audio on its way through the `vad` engine: one stream until it is stopped, or another where one breaks. */
export class VoiceDetection {
  readonly #options: VoiceDetectionOptions
  /** Samples. */
  readonly #mostUndetected: number
  #stream: Stream | null = null
  /** It broke and has not worked since, which may have been told; when it may be tried again. */
  #failing = false
  #told = false
  #againAt = 0

  constructor (options: VoiceDetectionOptions) {
    this.#options = options
    this.#mostUndetected = toSamples(options.undetectedSeconds * 1000)
  }

  /** Tells turns by what is heard; null while nothing is. */
  get detector (): TurnDetector | null {
    return this.#stream?.detector ?? null
  }

  /**
   * Takes the input audio from a position on.
   *
   * @param detect makes the detector, should it begin
   */
  take (position: number, detect: () => TurnDetector): void {
    const { input, source } = this.#options
    if (this.#stream !== null) this.#stream.audio.push(input.slice(position, input.end))
    else if (performance.now() >= this.#againAt) this.#begin(position, detect())
    if (this.#stream !== null && input.end - this.#stream.heard > this.#mostUndetected) source.hold()
  }

  /** Nothing more is heard, until it takes audio again. Idempotent. */
  stop (): void {
    this.#stream?.abort.abort()
    this.#stream?.audio.end()
    this.#stream = null
    this.#options.source.release()
  }

  /** Hears the input audio from a position on. */
  #begin (position: number, detector: TurnDetector): void {
    const { input } = this.#options
    const stream = { heard: position, audio: new Channel<Int16Array>(), abort: new AbortController(), detector }
    stream.audio.push(input.slice(position, input.end))
    this.#stream = stream
    this.#watch(stream, position)
  }

  async #watch (stream: Stream, offset: number): Promise<void> {
    const { engine, input, source, heard } = this.#options
    const { signal } = stream.abort
    try {
      for await (const { position, probability } of engine.detect(stream.audio, { signal })) {
        if (signal.aborted) return
        stream.heard = offset + position
        if (input.end - stream.heard <= this.#mostUndetected / 2) source.release()
        if (position >= WORKS_AGAIN) this.#failing = this.#told = false
        heard(stream.detector, { position: stream.heard, probability })
      }
      if (!signal.aborted) this.#lost(stream)
    } catch (error) {
      if (!signal.aborted) this.#lost(stream, error)
    }
  }

  /** It broke, or ended before the audio. The turn goes on with another stream, unless that breaks too. */
  #lost ({ heard, abort, detector }: Stream, error?: unknown): void {
    const { input, broke, failed } = this.#options
    abort.abort()
    if (!this.#failing) {
      this.#failing = true
      // What it did not hear is heard anew.
      this.#begin(Math.max(heard, input.start), detector)
      return
    }
    this.stop()
    broke()
    this.#againAt = performance.now() + DETECT_AGAIN_MS
    if (error !== undefined && !this.#told) failed(error)
    this.#told = true
  }
}

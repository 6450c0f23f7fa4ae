import type { SpeechFrame } from '../engines/engine.js'
import type { TurnDetection } from './events/session-object.js'
import { toSamples } from './input-audio.js'

/** How long speech must last to count: shorter bursts are clicks and coughs. Milliseconds. */
const MIN_SPEECH_MS = 96
/** Speech goes on until the probability falls this far below the threshold, so that it does not flicker. */
const HYSTERESIS = 0.15
/** How long a pause ends a turn, by eagerness (PROTOCOL section 8.1). Milliseconds. */
const SEMANTIC_SILENCE_MS = { low: 1600, medium: 900, auto: 900, high: 500 }

export type TurnEvent =
  /** `position` is where the audio of the turn begins, padding included. */
  | { type: 'started', position: number }
  | { type: 'stopped', position: number }

/**
 * Turns speech probabilities into turns: a state machine over the frames of one session. Positions
 * are samples on the session's timeline.
 */
export class TurnDetector {
  readonly #threshold: number
  readonly #padding: number
  readonly #silence: number
  #speaking = false
  /** Where the current run of speech (not speaking) or of silence (speaking) began. */
  #runStart: number | null = null
  #lastPosition: number

  /** @param position where the first frame will begin */
  constructor (settings: TurnDetection, position: number) {
    this.#threshold = settings.type === 'server_vad' ? settings.threshold : 0.5
    this.#padding = toSamples(settings.type === 'server_vad' ? settings.prefix_padding_ms : 300)
    this.#silence = toSamples(settings.type === 'server_vad' ? settings.silence_duration_ms : SEMANTIC_SILENCE_MS[settings.eagerness])
    this.#lastPosition = position
  }

  get speaking (): boolean {
    return this.#speaking
  }

  /** The audio that may still become part of a turn begins here. */
  get needed (): number {
    return (this.#speaking ? this.#lastPosition : this.#runStart ?? this.#lastPosition) - this.#padding
  }

  /** Takes the next frame; at most one thing happens at each. */
  next (frame: SpeechFrame): TurnEvent | null {
    const start = this.#lastPosition
    this.#lastPosition = frame.position
    if (!this.#speaking) {
      if (frame.probability < this.#threshold) {
        this.#runStart = null
        return null
      }
      this.#runStart ??= start
      if (frame.position - this.#runStart < toSamples(MIN_SPEECH_MS)) return null
      const position = this.#runStart - this.#padding
      this.#speaking = true
      this.#runStart = null
      return { type: 'started', position }
    }

    if (frame.probability >= this.#threshold - HYSTERESIS) {
      this.#runStart = null
      return null
    }
    this.#runStart ??= start
    if (frame.position - this.#runStart < this.#silence) return null
    this.reset(frame.position)
    return { type: 'stopped', position: frame.position }
  }

  /** Forgets the turn under way: what comes next starts from silence. */
  reset (position: number): void {
    this.#speaking = false
    this.#runStart = null
    this.#lastPosition = position
  }
}

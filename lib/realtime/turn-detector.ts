import type { SpeechFrame } from '../engines/engine.js'
import { patience, predictedEnd } from './end-of-turn.js'
import type { TurnDetection } from './events/session-object.js'
import { toSamples } from './input-audio.js'

/** How long speech must last to count: shorter bursts are clicks and coughs. Milliseconds. */
const MIN_SPEECH_MS = 96
/** A pause that the recogniser takes for the end only has to be one. Milliseconds. */
const PREDICTED_SILENCE_MS = 96
/** Speech goes on until the probability falls this far below the threshold, so that it does not flicker. */
const HYSTERESIS = 0.15

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
  /** How long a pause ends the turn, given its words so far and the engine's prediction. Samples. */
  readonly #silence: (words: string, pause: number | null) => number
  #speaking = false
  /** Where the current run of speech (not speaking) or of silence (speaking) began. */
  #runStart: number | null = null
  #lastPosition: number

  /**
   * @param position where the first frame will begin
   * @param language of the words that tell when a turn is over
   */
  constructor (settings: TurnDetection, position: number, language: string | null = null) {
    this.#threshold = settings.type === 'server_vad' ? settings.threshold : 0.5
    this.#padding = toSamples(settings.type === 'server_vad' ? settings.prefix_padding_ms : 300)
    this.#silence = (words, pause) => {
      const eagerness = settings.type === 'server_vad' ? 'auto' : settings.eagerness
      if (pause !== null && predictedEnd(eagerness, pause)) return toSamples(PREDICTED_SILENCE_MS)
      if (settings.type === 'server_vad') return toSamples(settings.silence_duration_ms)
      return toSamples(pause === null ? patience(eagerness, words, language) : patience(eagerness))
    }
    this.#lastPosition = position
  }

  get speaking (): boolean {
    return this.#speaking
  }

  /** Whether a turn is under way, but nothing is said at the moment. */
  get pausing (): boolean {
    return this.#speaking && this.#runStart !== null
  }

  /** The audio that may still become part of a turn begins here. */
  get needed (): number {
    return (this.#speaking ? this.#lastPosition : this.#runStart ?? this.#lastPosition) - this.#padding
  }

  /**
   * Takes the next frame; at most one thing happens at each.
   *
   * @param words of the turn so far, as far as they are recognised
   * @param pause how likely the speaker is done, if the recogniser can tell
   */
  next (frame: SpeechFrame, words = '', pause: number | null = null): TurnEvent | null {
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
    if (frame.position - this.#runStart < this.#silence(words, pause)) return null
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

/** 20 ms at 16 kHz. */
export const LOUDNESS_STEP = 320

/** Below this a frame is silence in any case: about -62 dB of full scale. */
const QUIET = 0.0008
/** How far above the noise floor, and how far below the loudest speech, a frame still is a pause. */
const ABOVE_FLOOR = 2
const BELOW_PEAK = 0.1

/**
 * Follows the loudness of one utterance to find pauses in which decoding is worth while. It need not
 * be exact: a missed pause costs time, and only what is far below the voice counts as one.
 */
export class Loudness {
  #peak = 0
  #floor = Infinity
  #last: number[] = []
  #rest = 0
  #sum = 0
  /** Samples since the last frame that was not a pause. */
  silent = 0
  /** Whether there was anything but silence. */
  heard = false

  push (audio: Float32Array): void {
    for (const sample of audio) {
      this.#sum += sample * sample
      if (++this.#rest < LOUDNESS_STEP) continue
      this.#frame(Math.sqrt(this.#sum / LOUDNESS_STEP))
      this.#rest = 0
      this.#sum = 0
    }
  }

  #frame (level: number): void {
    this.#last.push(level)
    if (this.#last.length > 5) this.#last.shift()
    // The floor is the quietest tenth of a second: a single frame may be quiet within a word.
    if (this.#last.length === 5) this.#floor = Math.min(this.#floor, this.#last.reduce((a, b) => a + b) / 5)
    this.#peak = Math.max(this.#peak, level)
    const limit = Math.max(QUIET, Math.min(this.#floor * ABOVE_FLOOR, this.#peak * BELOW_PEAK))
    if (level > limit) {
      this.heard = true
      this.silent = 0
    } else {
      this.silent += LOUDNESS_STEP
    }
  }
}

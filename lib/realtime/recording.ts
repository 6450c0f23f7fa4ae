import { SAMPLE_RATE } from '../engines/engine.js'

const SAMPLES_PER_MS = SAMPLE_RATE / 1000

/** What is kept of a recording where its samples are not. */
export interface SavedSound {
  samples: number
  /** Sample and words that begin with it. */
  words: [number, string][]
}

/**
 * The audio of one item, and which words were said when. The samples may be dropped to save memory;
 * length and words stay, since truncation needs them.
 */
export class Recording {
  readonly #maxBytes: number
  #chunks: Int16Array[] = []
  #samples = 0
  #bytes = 0
  #dropped = false
  #words: { at: number, text: string }[] = []
  #cut = false

  /** @param maxBytes of samples, over which they are dropped */
  constructor (maxBytes = Infinity) {
    this.#maxBytes = maxBytes
  }

  /** A recording without its samples, to which nothing is added. */
  static restore ({ samples, words }: SavedSound): Recording {
    const recording = new Recording()
    recording.#samples = samples
    recording.#words = words.map(([at, text]) => ({ at, text }))
    recording.#cut = true
    recording.drop()
    return recording
  }

  save (): SavedSound {
    return { samples: this.#samples, words: this.#words.map(({ at, text }) => [at, text]) }
  }

  /** Milliseconds, whether or not the samples are still there. */
  get durationMs (): number {
    return Math.floor(this.#samples / SAMPLES_PER_MS)
  }

  /** Bytes of samples that are still held. */
  get bytes (): number {
    return this.#bytes
  }

  /** The words of all the audio. */
  get text (): string {
    return this.#words.map(({ text }) => text).join('')
  }

  /** Adds audio and the words that begin with it; after `truncate` nothing is added any more. */
  append (audio: Int16Array, text = ''): void {
    if (this.#cut) return
    if (text !== '') this.#words.push({ at: this.#samples, text })
    this.#samples += audio.length
    if (this.#dropped || audio.length === 0) return
    this.#chunks.push(audio)
    this.#bytes += audio.byteLength
    if (this.#bytes > this.#maxBytes) this.drop()
  }

  /** All samples, or null once dropped. */
  samples (): Int16Array | null {
    if (this.#dropped) return null
    if (this.#chunks.length === 0) return new Int16Array(0)
    if (this.#chunks.length > 1) {
      const whole = new Int16Array(this.#samples)
      let offset = 0
      for (const chunk of this.#chunks) {
        whole.set(chunk, offset)
        offset += chunk.length
      }
      this.#chunks = [whole]
    }
    return this.#chunks[0]!
  }

  drop (): void {
    this.#dropped = true
    this.#chunks = []
    this.#bytes = 0
  }

  /**
   * Cuts what was not heard and returns the words that were: whole passages before the cut, and of the
   * passage it falls into as many words as its share of the time allows.
   */
  truncate (ms: number): string {
    this.#cut = true
    const end = Math.min(this.#samples, ms * SAMPLES_PER_MS)
    let heard = ''
    this.#words.forEach(({ at, text }, index) => {
      if (at >= end) return
      const until = this.#words[index + 1]?.at ?? this.#samples
      heard += until <= end ? text : firstWords(text, (end - at) / (until - at))
    })

    const held = this.samples()
    this.#chunks = held === null || end === 0 ? [] : [held.slice(0, end)]
    this.#bytes = this.#chunks[0]?.byteLength ?? 0
    this.#samples = end
    this.#words = heard === '' ? [] : [{ at: 0, text: heard }]
    return heard
  }
}

function firstWords (text: string, share: number): string {
  const words = text.match(/\s*\S+/g) ?? []
  return words.slice(0, Math.floor(words.length * share)).join('')
}

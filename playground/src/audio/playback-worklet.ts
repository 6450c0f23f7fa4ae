// Runs in the audio thread: plays what comes, without a gap while there is more, and tells how far it is.

declare const currentTime: number
declare const sampleRate: number
declare function registerProcessor (name: string, processor: unknown): void
declare class AudioWorkletProcessor { readonly port: MessagePort }

export type ToPlayer =
  | { type: 'push', item: string, samples: Int16Array }
  /** Nothing more comes of this item. */
  | { type: 'end', item: string }
  | { type: 'clear' }

export type FromPlayer =
  /** The first sample of an item is heard, at this time of the context. */
  | { type: 'started', item: string, at: number }
  | { type: 'progress', item: string | null, played: number, level: number }
  /** What was dropped: an item, and how much of it was heard, in samples. */
  | { type: 'cleared', item: string | null, played: number }
  | { type: 'finished', item: string }
  | { type: 'gap', item: string }

interface Item { id: string, parts: Int16Array[], at: number, buffered: number, played: number, ended: boolean, hungry: boolean }

/** What has to be there before an item begins. Samples: 40 ms. */
const AHEAD = 960
/** Blocks of 128 samples between two reports: 50 ms. */
const REPORT = 10

class Playback extends AudioWorkletProcessor {
  #items: Item[] = []
  #blocks = 0
  #power = 0

  constructor () {
    super()
    this.port.onmessage = ({ data }: { data: ToPlayer }) => this.#take(data)
  }

  process (inputs: unknown, outputs: Float32Array[][]): boolean {
    const output = outputs[0]![0]!
    for (let index = 0; index < output.length; index++) {
      const sample = this.#next(index)
      output[index] = sample
      this.#power += sample * sample
    }
    if (++this.#blocks === REPORT) {
      const item = this.#items[0]
      this.#tell({ type: 'progress', item: item?.id ?? null, played: item?.played ?? 0, level: Math.sqrt(this.#power / (REPORT * output.length)) })
      this.#blocks = 0
      this.#power = 0
    }
    return true
  }

  #next (index: number): number {
    const item = this.#items[0]
    if (item === undefined) return 0
    if (item.buffered === 0) {
      if (item.ended) {
        this.#items.shift()
        this.#tell({ type: 'finished', item: item.id })
        return this.#items.length > 0 ? this.#next(index) : 0
      }
      if (!item.hungry) {
        item.hungry = true
        if (item.played > 0) this.#tell({ type: 'gap', item: item.id })
      }
      return 0
    }
    if (item.hungry && item.buffered < AHEAD && !item.ended) return 0
    item.hungry = false
    if (item.played === 0) this.#tell({ type: 'started', item: item.id, at: currentTime + index / sampleRate })
    const part = item.parts[0]!
    const sample = part[item.at++]! / 32768
    if (item.at === part.length) {
      item.parts.shift()
      item.at = 0
    }
    item.buffered--
    item.played++
    return sample
  }

  #take (message: ToPlayer): void {
    if (message.type === 'clear') {
      const [item] = this.#items
      this.#items = []
      this.#tell({ type: 'cleared', item: item?.id ?? null, played: item?.played ?? 0 })
      return
    }
    let item = this.#items.find(({ id }) => id === message.item)
    if (message.type === 'end') {
      if (item !== undefined) item.ended = true
      return
    }
    if (item === undefined) {
      item = { id: message.item, parts: [], at: 0, buffered: 0, played: 0, ended: false, hungry: true }
      this.#items.push(item)
    }
    if (message.samples.length === 0) return
    item.parts.push(message.samples)
    item.buffered += message.samples.length
  }

  #tell (message: FromPlayer): void {
    this.port.postMessage(message)
  }
}

registerProcessor('playback', Playback)

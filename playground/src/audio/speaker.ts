import { decode } from './base64.js'
import { toPageTime } from './clock.js'
import type { FromPlayer, ToPlayer } from './playback-worklet.js'
import workletUrl from './playback-worklet.ts?worker&url'

const RATE = 24_000

/** Something that was being said, and how much of it was heard. */
export interface Heard { item: string, ms: number }

export interface SpeakerEvents {
  /** 0 to 1, every 50 ms. */
  onLevel: (level: number) => void
  /** When the first sound of an item is heard, in `performance.now()`. */
  onStarted: (item: string, at: number) => void
  onGap: () => void
}

/** Plays answers without gaps, and knows what of them was heard. */
export class Speaker {
  readonly #context: AudioContext
  readonly #node: AudioWorkletNode
  #clearing: ((heard: Heard | null) => void)[] = []
  readonly #playing = new Set<string>()

  private constructor (context: AudioContext, events: SpeakerEvents) {
    this.#context = context
    this.#node = new AudioWorkletNode(context, 'playback', { numberOfInputs: 0, outputChannelCount: [1] })
    this.#node.port.onmessage = ({ data }: { data: FromPlayer }) => this.#hear(data, events)
    this.#node.connect(context.destination)
  }

  /** To be called within a click: browsers let pages make sound only then. */
  static async open (events: SpeakerEvents): Promise<Speaker> {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' })
    await context.audioWorklet.addModule(workletUrl)
    // Stays pending where a click is still missing; what was pushed waits in the worklet.
    context.resume().catch(() => {})
    return new Speaker(context, events)
  }

  get playing (): boolean {
    return this.#playing.size > 0
  }

  push (item: string, base64: string): void {
    this.#playing.add(item)
    const samples = decode(base64)
    this.#post({ type: 'push', item, samples }, [samples.buffer])
  }

  end (item: string): void {
    this.#post({ type: 'end', item })
  }

  /** Falls silent at once. Resolves with what was being said, if anything was. */
  async clear (): Promise<Heard | null> {
    if (!this.playing) return null
    this.#playing.clear()
    this.#post({ type: 'clear' })
    return await new Promise(resolve => this.#clearing.push(resolve))
  }

  close (): void {
    this.#context.close().catch(() => {})
  }

  #post (message: ToPlayer, transfer: Transferable[] = []): void {
    this.#node.port.postMessage(message, transfer)
  }

  #hear (message: FromPlayer, { onLevel, onStarted, onGap }: SpeakerEvents): void {
    switch (message.type) {
      case 'progress': return onLevel(message.level)
      case 'started': return onStarted(message.item, toPageTime(this.#context, message.at) + this.#context.outputLatency * 1000)
      case 'finished': this.#playing.delete(message.item); return
      case 'gap': return onGap()
      case 'cleared': {
        const { item, played } = message
        this.#clearing.shift()?.(item === null ? null : { item, ms: Math.floor(played * 1000 / RATE) })
      }
    }
  }
}

// Runs in the audio thread: the microphone as frames of 24 kHz, whatever rate the device has.

declare const sampleRate: number
declare const currentTime: number
declare function registerProcessor (name: string, processor: unknown): void
declare class AudioWorkletProcessor { readonly port: MessagePort }

const RATE = 24_000
/** 40 ms: short enough to answer quickly, long enough not to flood the socket. */
const FRAME = 960

class Capture extends AudioWorkletProcessor {
  #frame = new Int16Array(FRAME)
  #filled = 0
  #power = 0
  /** Where the next output sample lies, in input samples after the last one of the block before. */
  #position = 0
  #smooth = 0
  #startedAt = 0

  process (inputs: Float32Array[][]): boolean {
    const input = inputs[0]?.[0]
    if (input === undefined) return true
    const step = sampleRate / RATE
    if (step === 1) for (let index = 0; index < input.length; index++) this.#add(input[index]!, index)
    else this.#resample(input, step)
    return true
  }

  /** Straight lines between samples behind a low pass: speech has little above the half of 24 kHz. */
  #resample (input: Float32Array, step: number): void {
    const weight = Math.min(1, 1.4 / step)
    for (let index = 0; index < input.length; index++) {
      const before = this.#smooth
      this.#smooth += (input[index]! - this.#smooth) * weight
      while (this.#position <= index) {
        const part = this.#position - (index - 1)
        this.#add(before + (this.#smooth - before) * part, index)
        this.#position += step
      }
    }
    this.#position -= input.length
  }

  #add (sample: number, index: number): void {
    if (this.#filled === 0) this.#startedAt = currentTime + index / sampleRate
    this.#frame[this.#filled++] = Math.max(-1, Math.min(1, sample)) * 32767
    this.#power += sample * sample
    if (this.#filled < FRAME) return
    this.port.postMessage({ samples: this.#frame, level: Math.sqrt(this.#power / FRAME), at: this.#startedAt }, [this.#frame.buffer])
    this.#frame = new Int16Array(FRAME)
    this.#filled = 0
    this.#power = 0
  }
}

registerProcessor('capture', Capture)

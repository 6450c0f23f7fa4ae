/** The parts of the Speex resampler's WebAssembly module that are used here. */
interface Speex {
  HEAP16: Int16Array
  HEAP32: Int32Array
  _malloc (bytes: number): number
  _free (address: number): void
  _speex_resampler_init (channels: number, from: number, to: number, quality: number, error: number): number
  _speex_resampler_process_int (state: number, channel: number, input: number, inputLength: number, output: number, outputLength: number): number
  _speex_resampler_get_input_latency (state: number): number
  _speex_resampler_skip_zeros (state: number): number
  _speex_resampler_destroy (state: number): void
}

/** 0 (fast) to 10 (best). 3 is transparent for speech. */
const QUALITY = 3

/** Input samples handed to the module at once; longer input goes in pieces. */
const BLOCK = 4096

let loading: Promise<Speex> | undefined

/**
 * Loads the module on first use, once for each thread, and gives what makes resamplers.
 *
 * @throws the import's error when `@echogarden/speex-resampler-wasm` is not installed
 */
export async function loadResampling (): Promise<(from: number, to: number) => Resampler> {
  loading ??= import('@echogarden/speex-resampler-wasm/simd').then(({ default: load }) => load() as Promise<Speex>)
  const speex = await loading
  return (from, to) => new Resampler(speex, from, to)
}

/** One resampler from `from` Hz to `to` Hz. */
export async function createResampler (from: number, to: number): Promise<Resampler> {
  return (await loadResampling())(from, to)
}

/**
 * Changes the sample rate of one mono stream. Chunks of any length give the same samples as the
 * whole at once, delayed by the filter but not shifted: the output starts where the input does.
 */
export class Resampler {
  readonly #speex: Speex
  readonly #from: number
  readonly #to: number
  /** Addresses in the module's memory. */
  #state: number
  readonly #input: number
  readonly #output: number
  readonly #outputBlock: number
  #taken = 0
  #given = 0

  constructor (speex: Speex, from: number, to: number) {
    this.#speex = speex
    this.#from = from
    this.#to = to
    this.#state = speex._speex_resampler_init(1, from, to, QUALITY, 0)
    if (this.#state === 0) throw new RangeError(`Cannot resample ${from} Hz to ${to} Hz`)
    speex._speex_resampler_skip_zeros(this.#state)
    this.#outputBlock = Math.ceil(BLOCK * to / from) + 16
    // One allocation: two 32-bit lengths, the input block, the output block.
    this.#input = speex._malloc(8 + 2 * (BLOCK + this.#outputBlock)) + 8
    this.#output = this.#input + 2 * BLOCK
  }

  /** The next samples at the new rate; may be empty for a short chunk. */
  process (samples: Int16Array): Int16Array {
    this.#taken += samples.length
    return this.#run(samples)
  }

  /** The rest after the last chunk, so that in all `ceil(samples in × to / from)` came out. Use it once. */
  flush (): Int16Array {
    const missing = Math.ceil(this.#taken * this.#to / this.#from) - this.#given
    if (missing <= 0) return new Int16Array(0)
    const latency = this.#speex._speex_resampler_get_input_latency(this.#state)
    const tail = this.#run(new Int16Array(latency + Math.ceil(missing * this.#from / this.#to) + 1))
    return tail.slice(0, missing)
  }

  /** Gives the memory back; further use is an error. Idempotent. */
  free (): void {
    if (this.#state === 0) return
    this.#speex._speex_resampler_destroy(this.#state)
    this.#speex._free(this.#input - 8)
    this.#state = 0
  }

  #run (samples: Int16Array): Int16Array {
    if (this.#state === 0) throw new Error('The resampler was freed')
    const { HEAP16, HEAP32 } = this.#speex
    const lengths = this.#input - 8
    let result = new Int16Array(Math.ceil(samples.length * this.#to / this.#from) + 16)
    let written = 0
    for (let read = 0; read < samples.length;) {
      const block = samples.subarray(read, read + BLOCK)
      HEAP16.set(block, this.#input >> 1)
      HEAP32[lengths >> 2] = block.length
      HEAP32[(lengths >> 2) + 1] = this.#outputBlock
      this.#speex._speex_resampler_process_int(this.#state, 0, this.#input, lengths, this.#output, lengths + 4)
      read += HEAP32[lengths >> 2]!
      const count = HEAP32[(lengths >> 2) + 1]!
      if (written + count > result.length) {
        const larger = new Int16Array(written + count + this.#outputBlock)
        larger.set(result.subarray(0, written))
        result = larger
      }
      result.set(HEAP16.subarray(this.#output >> 1, (this.#output >> 1) + count), written)
      written += count
    }
    this.#given += written
    return result.slice(0, written)
  }
}

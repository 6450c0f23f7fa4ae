import { concat } from '../../audio/pcm.js'
import type { Resampler } from '../../audio/resample.js'
import { SAMPLE_RATE, type SpeechFrame } from '../engine.js'
import type { Handler, Reply } from './rpc.js'
import { CONTEXT, createSileroStream, FRAME, INPUT, type Silero, type SileroStream } from './silero.js'

/** Hz at which the model listens. */
export const VAD_RATE = 16_000

/** Samples of a frame at the engines' rate. */
const FRAME_STEP = FRAME * SAMPLE_RATE / VAD_RATE

interface Stream {
  readonly silero: SileroStream
  readonly reply: Reply<SpeechFrame>
  readonly resampler: Resampler
  /** Samples at 16 kHz that wait for their round, or for the rest of their frame. */
  pending: Int16Array
  position: number
  ended: boolean
}

/** Takes the next frame of every stream that has one, together, round after round. */
export class VadRounds {
  readonly #silero: Silero
  readonly #streams = new Set<Stream>()
  #running = false

  constructor (silero: Silero) {
    this.#silero = silero
  }

  open (reply: Reply<SpeechFrame>, resampler: Resampler): Handler<Int16Array> {
    const stream: Stream = {
      silero: createSileroStream(),
      reply,
      resampler,
      pending: new Int16Array(0),
      position: 0,
      ended: false
    }
    this.#streams.add(stream)
    return {
      data: (chunk) => this.#take(stream, resampler.process(chunk)),
      end: () => {
        stream.ended = true
        this.#take(stream, resampler.flush())
      },
      abort: () => this.#remove(stream)
    }
  }

  #take (stream: Stream, samples: Int16Array): void {
    stream.pending = stream.pending.length > 0 ? concat([stream.pending, samples]) : samples
    if (this.#running) return
    this.#running = true
    // After this turn of the event loop: what other streams received in it joins the round.
    setImmediate(() => { this.#work().catch((error: unknown) => this.#fail(error)) })
  }

  async #work (): Promise<void> {
    for (;;) {
      const round: Stream[] = []
      for (const stream of this.#streams) {
        if (stream.pending.length >= FRAME) round.push(stream)
        else if (stream.ended) this.#finish(stream)
      }
      if (round.length === 0) break
      for (const stream of round) loadFrame(stream)
      const probabilities = await this.#silero.run(round.map((stream) => stream.silero))
      for (const [i, stream] of round.entries()) {
        stream.position += FRAME_STEP
        stream.reply.took(FRAME_STEP)
        stream.reply.send({ position: stream.position, probability: probabilities[i]! })
      }
      // Lets messages in, which may have brought frames for the next round.
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    this.#running = false
  }

  #finish (stream: Stream): void {
    this.#remove(stream)
    stream.reply.end()
  }

  #remove (stream: Stream): void {
    if (this.#streams.delete(stream)) stream.resampler.free()
  }

  #fail (error: unknown): void {
    this.#running = false
    for (const stream of this.#streams) {
      this.#remove(stream)
      stream.reply.fail(error)
    }
  }
}

/** Moves the model's input on by one frame: what was its end becomes the context. */
function loadFrame (stream: Stream): void {
  const { input } = stream.silero
  input.copyWithin(0, INPUT - CONTEXT)
  for (let i = 0; i < FRAME; i++) input[CONTEXT + i] = stream.pending[i]! / 32768
  stream.pending = stream.pending.subarray(FRAME)
}

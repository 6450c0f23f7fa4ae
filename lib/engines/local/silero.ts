/** What Silero takes at once at 16 kHz: 32 ms, after the last 4 ms of the frame before. */
export const FRAME = 512
export const CONTEXT = 64
export const INPUT = CONTEXT + FRAME

/** Its memory of one stream: two layers of 128 values each. */
const LAYER = 128

/** One stream as the model sees it. */
export interface SileroStream {
  /** The next frame, -1..1, the context of the frame before in front. */
  readonly input: Float32Array
  readonly state: Float32Array
}

export interface Silero {
  /** Speech probabilities of the streams' frames; their states move on. */
  run (streams: readonly SileroStream[]): Promise<ArrayLike<number>>
  close (): Promise<void>
}

export function createSileroStream (): SileroStream {
  return { input: new Float32Array(INPUT), state: new Float32Array(2 * LAYER) }
}

/**
 * The model as one session for all streams. One run over 16 frames or more costs a third of what
 * a run for each frame does.
 */
export async function loadSilero (path: string): Promise<Silero> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node')
  const session = await InferenceSession.create(path, {
    // More threads make such small runs slower, and the cores belong to recognition and speech.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential'
  })
  const rate = new Tensor('int64', BigInt64Array.of(16_000n), [])
  return {
    async run (streams) {
      const count = streams.length
      const input = new Float32Array(count * INPUT)
      const state = new Float32Array(2 * count * LAYER)
      for (const [i, stream] of streams.entries()) {
        input.set(stream.input, i * INPUT)
        for (let layer = 0; layer < 2; layer++) {
          state.set(stream.state.subarray(layer * LAYER, (layer + 1) * LAYER), (layer * count + i) * LAYER)
        }
      }
      const result = await session.run({
        input: new Tensor('float32', input, [count, INPUT]),
        state: new Tensor('float32', state, [2, count, LAYER]),
        sr: rate
      })
      const next = result['stateN']!.data as Float32Array
      for (const [i, stream] of streams.entries()) {
        for (let layer = 0; layer < 2; layer++) {
          const at = (layer * count + i) * LAYER
          stream.state.set(next.subarray(at, at + LAYER), layer * LAYER)
        }
      }
      return result['output']!.data as Float32Array
    },
    close: () => session.release()
  }
}

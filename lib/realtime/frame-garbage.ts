import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of frames after which their garbage is collected. */
const EVERY = 2 * 1024 * 1024

/** Who sends a file, or a clip at once, is not yet one of them. Milliseconds. */
const AHEAD_MS = 10_000

let collect: ((options: { type: 'minor' }) => void) | null = null
let bytes = 0

/**
 * Counts a frame of a client that sends more than it should: what there is no room for, or audio much faster than
 * anybody speaks. V8 hardly sees the memory of frames and collects it when it is some 64 MB, or twice that: one such
 * client would make the process so much larger.
 */
export function countGarbage (length: number): void {
  bytes += length
  if (bytes < EVERY) return
  bytes = 0
  collect ??= exposeCollect()
  // A millisecond or less: what came with these frames is young.
  collect({ type: 'minor' })
}

/** Whether a client sends audio faster than anybody speaks. */
export class Haste {
  #aheadMs = 0
  #heardAt = performance.now()

  /** @param ms of audio that came just now */
  hear (ms: number): boolean {
    const now = performance.now()
    this.#aheadMs = Math.max(0, this.#aheadMs + ms - (now - this.#heardAt))
    this.#heardAt = now
    return this.#aheadMs > AHEAD_MS
  }
}

/** For us alone: the flag is for contexts that begin while it is set. */
function exposeCollect (): NonNullable<typeof collect> {
  setFlagsFromString('--expose-gc')
  try {
    return runInNewContext('gc') as NonNullable<typeof collect>
  } finally {
    setFlagsFromString('--no-expose-gc')
  }
}

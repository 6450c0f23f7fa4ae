import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of refused frames after which their garbage is collected. */
const EVERY = 2 * 1024 * 1024

let collect: ((options: { type: 'minor' }) => void) | null = null
let bytes = 0

/**
 * Counts a frame that was refused. V8 hardly sees the memory of frames and collects it when it is some 64 MB: a
 * client that goes on sending what there is no room for would make the process so much larger.
 */
export function countRefused (length: number): void {
  bytes += length
  if (bytes < EVERY) return
  bytes = 0
  collect ??= exposeCollect()
  // A millisecond or less: what came with these frames is young.
  collect({ type: 'minor' })
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

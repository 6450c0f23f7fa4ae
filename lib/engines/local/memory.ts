import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * A function that collects this thread's garbage. WebAssembly memories of 20 MB look small to the
 * collector from outside, which is in no hurry then: a thread that leaves some behind with every
 * sentence would hold hundreds of megabytes. In a worker's small heap it takes a few milliseconds.
 */
export function createCollector (): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

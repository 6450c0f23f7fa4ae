/**
 * Keeps `process.exit` from tearing a worker down in the middle of native work, which would abort
 * the whole process: the exit waits for what runs, and nothing new begins.
 */

/** Places in the shared memory. */
const CLOSED = 0
const RUNNING = 1

/** An exit waits no longer than this. */
const TIMEOUT_MS = 2000

export interface ExitGate {
  /** To be handed to the worker. */
  readonly shared: SharedArrayBuffer
  /** The worker has ended: an exit need not wait any more. */
  release (): void
}

/** Made by the main thread, for one worker. */
export function createExitGate (): ExitGate {
  const shared = new SharedArrayBuffer(8)
  const gate = new Int32Array(shared)
  const onExit = (): void => {
    Atomics.store(gate, CLOSED, 1)
    const until = performance.now() + TIMEOUT_MS
    for (;;) {
      const running = Atomics.load(gate, RUNNING)
      const left = until - performance.now()
      if (running === 0 || left <= 0) break
      Atomics.wait(gate, RUNNING, running, left)
    }
  }
  process.on('exit', onExit)
  return { shared, release: () => { process.off('exit', onExit) } }
}

/** In the worker: runs native work that an exit waits for. After the exit has begun it never settles. */
export async function passGate<T> (shared: SharedArrayBuffer, work: () => Promise<T>): Promise<T> {
  const gate = new Int32Array(shared)
  if (Atomics.load(gate, CLOSED) === 1) return new Promise(() => {})
  Atomics.add(gate, RUNNING, 1)
  try {
    return await work()
  } finally {
    Atomics.sub(gate, RUNNING, 1)
    Atomics.notify(gate, RUNNING)
  }
}

import { EngineError } from './engine.js'

/** One upstream request's deadline and its way to be aborted. */
export interface Watch {
  /** Aborts with the caller's signal, or when a deadline passes. */
  readonly signal: AbortSignal
  /** The deadline that passed, as an error. */
  readonly expired: EngineError | undefined
  /** From now on at most `ms` milliseconds until {@link rest}; `message` says what did not happen. */
  expect (ms: number, message: string): void
  /** No deadline for now: the next step is ours, or the listener's. */
  rest (): void
  /** Closes whatever still hangs on the signal. */
  end (): void
}

export function createWatch (caller: AbortSignal, engine = 'openai'): Watch {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let expired: EngineError | undefined
  const abort = () => controller.abort(caller.reason)
  if (caller.aborted) abort()
  else caller.addEventListener('abort', abort, { once: true })

  return {
    signal: controller.signal,
    get expired () { return expired },
    expect (ms, message) {
      clearTimeout(timer)
      if (controller.signal.aborted) return
      timer = setTimeout(() => {
        expired = new EngineError('engine_failed', engine, message)
        controller.abort(expired)
      }, ms)
    },
    rest () {
      clearTimeout(timer)
    },
    end () {
      clearTimeout(timer)
      caller.removeEventListener('abort', abort)
      controller.abort()
    }
  }
}

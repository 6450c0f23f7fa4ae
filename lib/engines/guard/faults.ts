import { EngineError } from '../engine.js'
import type { Stage } from './policy.js'

const subjects: Record<Stage, string> = {
  vad: 'Voice detection', stt: 'Speech recognition', llm: 'The language model', tts: 'The voice'
}

/** An engine did not do in time what it owed. */
export class Overdue extends EngineError {
  constructor (stage: Stage, engine: string, begun: boolean, ms: number) {
    const what = begun ? 'fell silent in the middle' : 'did not begin to answer'
    super('engine_failed', engine, `${subjects[stage]} (${engine}) ${what}: nothing came for ${ms / 1000} s.`)
  }
}

/** The circuit is open: the engine is not even asked. */
export function unavailable (stage: Stage, engine: string, cause: unknown): EngineError {
  const last = cause instanceof EngineError ? ` The last fault: ${cause.message}` : ''
  return new EngineError('engine_unavailable', engine, `${subjects[stage]} (${engine}) has failed again and again, and is left alone for a few seconds.${last}`)
}

export function garbled (stage: Stage, engine: string, what: string): EngineError {
  return new EngineError('engine_failed', engine, `${subjects[stage]} (${engine}) answered with ${what}.`)
}

/** Whether the fault is the engine's, not that of what it was asked: one client's bad request must not cost the others their engine. */
export function isEngines (error: unknown): boolean {
  const status = statusOf(error)
  return status === undefined || status < 400 || status >= 500 || [401, 403, 408, 409, 429].includes(status)
}

/** Whether the same request might succeed a moment later. */
export function mayPass (error: unknown): boolean {
  const status = statusOf(error)
  return error instanceof EngineError && error.code === 'engine_unavailable' && status !== 401 && status !== 403
}

/** Of the HTTP answer behind the fault, if there was one. */
function statusOf (error: unknown): number | undefined {
  const status = error instanceof EngineError ? (error.cause as { status?: unknown } | undefined)?.status : undefined
  return typeof status === 'number' ? status : undefined
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../characters/logger.js'
import { EngineError, type Engine } from './engine.js'

/**
 * Starts all engines. Rejects with the first fault that nothing will mend, once every engine has ended its start: a
 * worker that is still loading does not survive the end of the process well.
 *
 * @param patienceMs after which it resolves though some are starting still: on a slow machine models go on loading
 *   while the server already listens, and what fails then is only told
 */
export async function startEngines (engines: readonly Engine[], log: Logger, patienceMs: number): Promise<void> {
  const starting = startAll(engines, log)
  const patience = new AbortController()
  try {
    await Promise.race([starting, sleep(patienceMs, undefined, { signal: patience.signal })])
  } finally {
    patience.abort()
  }
  starting.catch(error => log.error(error, 'an engine did not start'))
}

async function startAll (engines: readonly Engine[], log: Logger): Promise<void> {
  const started = await Promise.allSettled(engines.map(async engine => engine.start?.()))
  for (const [index, result] of started.entries()) {
    const { name, about } = engines[index]!
    if (about !== undefined) log.info({ engine: name }, about)
    if (result.status === 'fulfilled') continue
    const error: unknown = result.reason
    // What runs elsewhere may come up later; what should run here never will.
    if (!(error instanceof EngineError) || error.code !== 'engine_unavailable' || name === 'local') throw error
    log.warn({ engine: name }, error.message)
  }
}

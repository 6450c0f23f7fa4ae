import type { Health } from './engines/health.js'
import type { CircuitState } from './engines/guard/breaker.js'
import type { Stage } from './engines/guard/policy.js'

/** The answer of `/health/ready`. */
export interface Readiness {
  code: number
  body: { status: string } & Record<string, unknown>
}

/** How one process is. */
export interface Condition {
  engines: Health
  /** Those that are not closed. */
  circuits: Partial<Record<Stage, CircuitState>>
  /** Whether the store of the fleet answers. */
  store: boolean
  /** Whether new sessions are refused, as it does not keep up. */
  overloaded: boolean
  draining: boolean
}

/** The answer for one process. */
export function describeReadiness ({ engines, circuits, store, overloaded, draining }: Condition): Readiness {
  const up = Object.values(engines).filter(Boolean).length
  const whole = up === 3 && store && Object.keys(circuits).length === 0 && !overloaded
  const status = draining ? 'draining' : whole ? 'ready' : up === 0 ? 'down' : 'degraded'
  return {
    // While new sessions are refused, a balancer had better choose another server.
    code: (status === 'ready' || status === 'degraded') && !overloaded ? 200 : 503,
    body: {
      status,
      engines: { stt: word(engines.stt), llm: word(engines.llm), tts: word(engines.tts) },
      ...store ? {} : { store: 'down' },
      ...whole ? {} : { overloaded, circuits: { stt: 'closed', llm: 'closed', tts: 'closed', ...circuits } }
    }
  }
}

function word (up: boolean): 'up' | 'down' {
  return up ? 'up' : 'down'
}

/** From the best to the worst. */
const ORDER = ['ready', 'degraded', 'draining', 'down']

/**
 * The answer for a machine. It takes sessions while one of its processes does; it is `ready` when all of them are
 * and none is missing.
 */
export function mergeReadiness (answers: Readiness[], wanted: number): Readiness {
  const sorted = answers.toSorted((a, b) => rank(a) - rank(b))
  const best = sorted[0]
  const workers = { wanted, ready: answers.filter(({ code }) => code === 200).length }
  if (best === undefined) return { code: 503, body: { status: 'down', workers } }
  // Of those that serve the worst one has most to tell.
  const worst = sorted.findLast(({ code }) => code === best.code)!
  if (best.code !== 200) return { code: best.code, body: { ...best.body, workers } }
  const whole = answers.length === wanted && sorted.every(({ body: { status } }) => status === 'ready')
  return { code: 200, body: { ...worst.body, status: whole ? 'ready' : 'degraded', workers } }
}

function rank ({ code, body: { status } }: Readiness): number {
  return (code === 200 ? 0 : ORDER.length) + ORDER.indexOf(status)
}

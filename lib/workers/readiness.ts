/** The answer of `/health/ready` of one process. */
export interface Readiness {
  code: number
  body: { status: string } & Record<string, unknown>
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

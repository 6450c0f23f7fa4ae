import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { faultCodes } from './characters/fault.js'
import { errorCodes, statusCodes } from './errors.js'
import type { Health } from './engines/health.js'
import type { GuardOptions } from './engines/guard/engines.js'
import type { SessionObserver } from './realtime/observer.js'

export interface MetricsOptions {
  /** Label the character metrics with the session, until it ends. */
  sessionLabel: boolean
  /** The sessions alive, and whether they are about to end; asked at each scrape. */
  sessions: Iterable<{ id: string, registry: { size: number } }> & { readonly limit: number, readonly draining: boolean }
}

const STAGES = ['stt_final', 'llm_first_token', 'tts_first_audio', 'first_audio'] as const
const ENGINES = ['vad', 'stt', 'llm', 'tts'] as const
const STATUSES = ['completed', 'cancelled', 'incomplete', 'failed'] as const
/** Close codes that say something of their own; a client may close with any of thousands. */
const CLOSE_CODES = ['1000', '1001', '1005', '1006', '1007', '1008', '1009', '1011', '1013', 'other']

/** Characters that held the event loop and are told apart by name: the first so many. */
const STUCK_NAMES = 50
const OTHER = 'other'

/**
 * The product's own metrics; their names are part of its interface (docs/metrics.md). No label has unbounded
 * values unless `sessionLabel` is on. Whatever has labels begins at zero: a rate needs the value before the first.
 */
export function createMetrics (register: Registry, { sessionLabel, sessions }: MetricsOptions) {
  const registers = [register]
  const labels = (id: string): Record<string, string> => sessionLabel ? { session_id: id } : {}
  const perSession = sessionLabel ? ['session_id'] as const : [] as const
  const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10]

  function counter (name: string, help: string): Counter
  function counter<L extends string> (name: string, help: string, label: L, values: readonly string[]): Counter<L>
  function counter (name: string, help: string, label?: string, values: readonly string[] = []): Counter<string> {
    const made = new Counter({ name, help, labelNames: label === undefined ? [] : [label], registers })
    for (const value of values) made.inc({ [label!]: value }, 0)
    return made
  }

  /** A gauge that is asked at each scrape. */
  function gauge (name: string, help: string, read: (this: Gauge<string>) => number | void | Promise<void>, labelNames: readonly string[] = []): void {
    register.registerMetric(new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [],
      async collect () {
        const value = await read.call(this)
        if (typeof value === 'number') this.set(value)
      }
    }))
  }

  const loads = new Counter({ name: 'character_load_per_session_total', help: 'Characters loaded into sessions', labelNames: perSession, registers })
  gauge('session_character_count', 'Characters that live sessions hold', function () {
    this.reset()
    for (const { id, registry } of sessions) this.inc(labels(id), registry.size)
  }, perSession)
  const reloads = new Histogram({
    name: 'character_reload_duration_seconds', help: 'Time of a character reload', buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5], registers
  })
  const loadErrors = counter('dramatis_character_load_errors_total', 'Errors of character files', 'code', faultCodes)
  const faults = counter('dramatis_character_faults_total', 'Failures of prompt, tool, timer or dispose code', 'code', faultCodes)
  const stuck = counter('dramatis_character_stuck_total', 'Times that character code held the event loop where it cannot be interrupted', 'character', [OTHER])
  const stuckNames = new Set<string>()

  const active = new Gauge({ name: 'dramatis_sessions_active', help: 'Sessions connected', registers })
  gauge('dramatis_sessions_limit', 'Sessions that may be connected at a time', () => sessions.limit)
  gauge('dramatis_draining', '1 while the server shuts down and takes no new sessions', () => Number(sessions.draining))
  const total = counter('dramatis_sessions_total', 'Sessions opened')
  const rejected = counter('dramatis_sessions_rejected_total', 'Connections refused before the upgrade', 'reason', statusCodes)
  const resumed = counter('dramatis_sessions_resumed_total', 'Sessions taken up again, of those opened')
  const checkpoints = counter('dramatis_checkpoints_total', 'Checkpoints of sessions that can be taken up again', 'outcome', ['written', 'failed'])
  const alone = counter('dramatis_sessions_alone_total', 'Sessions opened by the limits of this server alone, as the fleet could not be asked')
  const closes = counter('dramatis_sessions_closed_total', 'Sessions closed, by close code', 'code', CLOSE_CODES)
  const duration = new Histogram({ name: 'dramatis_session_duration_seconds', help: 'How long sessions lasted', buckets: [1, 10, 60, 300, 900, 1800, 3600, 7200], registers })
  const turn = new Histogram({ name: 'dramatis_turn_seconds', help: 'Time of the stages of a turn', labelNames: ['stage'], buckets: seconds, registers })
  for (const stage of STAGES) turn.zero({ stage })
  const responses = counter('dramatis_responses_total', 'Responses by how they ended', 'status', STATUSES)
  const interruptions = counter('dramatis_interruptions_total', 'Responses stopped by the user\'s speech')
  const toolCalls = counter('dramatis_tool_calls_total', 'Calls of character tools', 'outcome', ['ok', 'error'])
  const errors = counter('dramatis_errors_total', 'Errors told to clients', 'code', errorCodes)
  // Counted at every frame: a number here, and the counter's own business at a scrape.
  const bytes = { in: 0, out: 0 }
  register.registerMetric(new Counter({
    name: 'dramatis_bytes_total',
    help: 'Bytes of frames',
    labelNames: ['direction'],
    registers: [],
    collect () {
      this.reset()
      this.inc({ direction: 'in' }, bytes.in)
      this.inc({ direction: 'out' }, bytes.out)
    }
  }))
  const engineFaults = counter('dramatis_engine_faults_total', 'Requests to engines that failed', 'engine', ENGINES)
  const engineRetries = counter('dramatis_engine_retries_total', 'Requests to engines that were made again', 'engine', ENGINES)
  const engineFallbacks = counter('dramatis_engine_fallbacks_total', 'Requests that the stand-in of an engine took over', 'engine', ENGINES)
  const circuit = new Gauge({ name: 'dramatis_engine_circuit_open', help: '1 while the engine is left alone after a row of faults, 0.5 while it is tried again', labelNames: ['engine'], registers })
  for (const engine of ENGINES) circuit.set({ engine }, 0)

  return {
    openedAlone: () => alone.inc(),
    /** Whether the store answers, asked at each scrape. */
    watchStore: (up: () => boolean) => gauge('dramatis_store_up', '1 if what the servers of the fleet share can be reached', () => Number(up())),
    rejected: (reason: string) => rejected.inc({ reason }),
    opened: () => {
      active.inc()
      total.inc()
    },
    resumed: () => resumed.inc(),
    checkpoint: (outcome: 'written' | 'failed') => checkpoints.inc({ outcome }),
    /** @param code of the WebSocket's close */
    closed: (seconds: number, code: number) => {
      active.dec()
      duration.observe(seconds)
      closes.inc({ code: CLOSE_CODES.includes(String(code)) ? String(code) : 'other' })
    },
    charactersLoaded: (id: string, count: number) => loads.inc(labels(id), count),
    reloaded: (seconds: number) => reloads.observe(seconds),
    /** A session and its cast are gone. */
    forget: (id: string) => { if (sessionLabel) loads.remove(id) },
    loadError: (code: string) => loadErrors.inc({ code }),
    characterFault: (code: string) => faults.inc({ code }),
    characterStuck: (character: string) => {
      if (stuckNames.size < STUCK_NAMES) stuckNames.add(character)
      stuck.inc({ character: stuckNames.has(character) ? character : OTHER })
    },
    /** Namespaces alive, asked at each scrape. */
    watchNamespaces: (count: () => number) => gauge('dramatis_namespaces', 'Module namespaces alive: one a session, two while it reloads', count),
    /** Whether the engines could serve, asked at each scrape. */
    watchEngines: (check: () => Promise<Health>) => gauge('dramatis_engine_up', '1 if the engine could serve, by the cached probe of readiness', async function () {
      for (const [engine, up] of Object.entries(await check())) this.set({ engine }, Number(up))
    }, ['engine']),
    /** Whether new sessions are refused, and how far an engine is behind in seconds, asked at each scrape. */
    watchLoad: (refusing: () => boolean, lag: (engine: typeof ENGINES[number]) => number) => {
      gauge('dramatis_overloaded', '1 while new sessions are refused as the machine does not keep up', () => Number(refusing()))
      gauge('dramatis_engine_lag_seconds', 'How far the engines of this machine are behind', function () {
        for (const engine of ['vad', 'stt', 'tts'] as const) this.set({ engine }, lag(engine))
      }, ['engine'])
    },
    /** What the guard of the engines reports to. */
    engines: {
      fault: engine => engineFaults.inc({ engine }),
      retry: engine => engineRetries.inc({ engine }),
      fallback: engine => engineFallbacks.inc({ engine }),
      circuit: (engine, state) => circuit.set({ engine }, state === 'closed' ? 0 : state === 'open' ? 1 : 0.5)
    } satisfies GuardOptions['observer'],
    /** What every session reports to. */
    observer: {
      stage: (stage, seconds) => turn.observe({ stage }, seconds),
      response: status => responses.inc({ status }),
      interruption: () => interruptions.inc(),
      toolCall: outcome => toolCalls.inc({ outcome }),
      error: code => errors.inc({ code }),
      bytes: (direction, count) => { bytes[direction] += count }
    } satisfies SessionObserver
  }
}

export type Metrics = ReturnType<typeof createMetrics>

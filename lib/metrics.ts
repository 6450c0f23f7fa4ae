import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { SessionObserver } from './realtime/observer.js'

export interface MetricsOptions {
  /** Label the character metrics with the session, until it ends. */
  sessionLabel: boolean
  /** The sessions alive, asked at each scrape. */
  sessions: Iterable<{ id: string, registry: { size: number } }>
}

/** The product's own metrics; their names are part of its interface. No label has unbounded values unless `sessionLabel` is on. */
export function createMetrics (register: Registry, { sessionLabel, sessions }: MetricsOptions) {
  const registers = [register]
  const labels = (id: string): Record<string, string> => sessionLabel ? { session_id: id } : {}
  const perSession = sessionLabel ? ['session_id'] as const : [] as const
  const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10]

  const loads = new Counter({ name: 'character_load_per_session_total', help: 'Characters loaded into sessions', labelNames: perSession, registers })
  register.registerMetric(new Gauge({
    name: 'session_character_count',
    help: 'Characters that live sessions hold',
    labelNames: perSession,
    registers: [],
    collect () {
      this.reset()
      for (const { id, registry } of sessions) this.inc(labels(id), registry.size)
    }
  }))
  const reloads = new Histogram({
    name: 'character_reload_duration_seconds', help: 'Time of a character reload', buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5], registers
  })
  const loadErrors = new Counter({ name: 'dramatis_character_load_errors_total', help: 'Errors of character files', labelNames: ['code'], registers })
  const active = new Gauge({ name: 'dramatis_sessions_active', help: 'Sessions connected', registers })
  const total = new Counter({ name: 'dramatis_sessions_total', help: 'Sessions opened', registers })
  const rejected = new Counter({ name: 'dramatis_sessions_rejected_total', help: 'Connections refused before the upgrade', labelNames: ['reason'], registers })
  const duration = new Histogram({ name: 'dramatis_session_duration_seconds', help: 'How long sessions lasted', buckets: [1, 10, 60, 300, 900, 1800, 3600, 7200], registers })
  const turn = new Histogram({ name: 'dramatis_turn_seconds', help: 'Time of the stages of a turn', labelNames: ['stage'], buckets: seconds, registers })
  const responses = new Counter({ name: 'dramatis_responses_total', help: 'Responses by how they ended', labelNames: ['status'], registers })
  const interruptions = new Counter({ name: 'dramatis_interruptions_total', help: 'Responses stopped by the user\'s speech', registers })
  const toolCalls = new Counter({ name: 'dramatis_tool_calls_total', help: 'Calls of character tools', labelNames: ['outcome'], registers })
  const bytes = new Counter({ name: 'dramatis_bytes_total', help: 'Bytes of frames', labelNames: ['direction'], registers })
  const received = bytes.labels('in')
  const sent = bytes.labels('out')

  return {
    rejected: (reason: string) => rejected.inc({ reason }),
    opened: () => {
      active.inc()
      total.inc()
    },
    closed: (seconds: number) => {
      active.dec()
      duration.observe(seconds)
    },
    charactersLoaded: (id: string, count: number) => loads.inc(labels(id), count),
    reloaded: (seconds: number) => reloads.observe(seconds),
    /** A session and its cast are gone. */
    forget: (id: string) => { if (sessionLabel) loads.remove(id) },
    loadError: (code: string) => loadErrors.inc({ code }),
    /** What every session reports to. */
    observer: {
      stage: (stage, seconds) => turn.observe({ stage }, seconds),
      response: status => responses.inc({ status }),
      interruption: () => interruptions.inc(),
      toolCall: outcome => toolCalls.inc({ outcome }),
      bytes: (direction, count) => (direction === 'in' ? received : sent).inc(count)
    } satisfies SessionObserver
  }
}

export type Metrics = ReturnType<typeof createMetrics>

import { AggregatorRegistry, type Registry } from 'prom-client'

/** Metrics of a process, as prom-client gives them. */
export type Snapshot = { name: string, type: string, aggregator?: string }[]

/** How values of several processes become one, where that is not their sum. */
const ways: [pattern: RegExp, aggregator: string][] = [
  [/^nodejs_eventloop_lag_/, 'max'],
  [/^nodejs_version_info$|^process_max_fds$/, 'first'],
  [/^process_start_time_seconds$/, 'min'],
  // The machine drains when all of it does, and an engine is up when everybody finds it so.
  [/^dramatis_(draining|engine_up|store_up)$/, 'min'],
  [/^dramatis_(overloaded|engine_lag_seconds|engine_circuit_open)$/, 'max']
]

/** One page of several processes' metrics. */
export async function mergeMetrics (snapshots: Snapshot[]): Promise<string> {
  return await aggregate(snapshots).metrics()
}

/** What has been counted by processes that are gone: without it counters would fall, and look as if all began anew. */
export async function addCounts (retired: Snapshot | undefined, last: Snapshot): Promise<Snapshot> {
  const counts = last.filter(({ type }) => type === 'counter' || type === 'histogram')
  if (retired === undefined) return counts
  return await aggregate([retired, counts]).getMetricsAsJSON() as unknown as Snapshot
}

function aggregate (snapshots: Snapshot[]): Registry {
  const all = snapshots.map(metrics => metrics.map(metric => ({ ...metric, aggregator: ways.find(([pattern]) => pattern.test(metric.name))?.[1] ?? 'sum' })))
  return AggregatorRegistry.aggregate(all as never)
}

/** Times, in milliseconds. */
export interface Distribution { count: number, p50: number, p90: number, p99: number, max: number }

/** Of no values, null. */
export function summarize (values: number[]): Distribution | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!)
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: round(sorted.at(-1)!) }
}

function round (value: number): number {
  return Math.round(value * 10) / 10
}

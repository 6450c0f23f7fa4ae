/** One measured number of a benchmark. */
export interface Figure {
  name: string
  value: number
  /** Such as `ms`, `MB`, `streams`; empty for a ratio. */
  unit: string
  /** The value must not be above this. */
  limit?: number
  /** The value must not be below this. */
  floor?: number
  /** How it was measured, where the name does not say it. */
  note?: string
}

/** What each file of this folder exports as default. */
export type Benchmark = (options: { json: boolean, quick: boolean }) => Promise<Figure[]>

/** The value below which `percent` of the sample lies (nearest rank); NaN for an empty sample. */
export function percentile (sample: readonly number[], percent: number): number {
  const sorted = sample.toSorted((a, b) => a - b)
  const rank = Math.ceil(sorted.length * percent / 100) - 1
  return sorted[Math.max(0, rank)] ?? NaN
}

/** Rounds to three significant digits, enough for times that vary by a factor between runs. */
export function round (value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(3)) : value
}

/** How much y grows for each x: the line of least squares through all samples. */
export function slope (points: readonly (readonly [x: number, y: number])[]): number {
  const x = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const y = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  const over = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0)
  return over / points.reduce((sum, [px]) => sum + (px - x) ** 2, 0)
}

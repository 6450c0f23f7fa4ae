/** Part of the loudest sample below which there is nothing to hear. */
const SILENCE = 0.012
/** Kept before the first sound, for soft beginnings. */
const LEAD_MS = 25

/** Leaves `pauseMs` of silence after the last sound, and hardly any before the first. */
export function trimSilence (samples: Int16Array, rate: number, pauseMs: number): Int16Array {
  let peak = 0
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample))
  // A fixed floor as well: rounding noise alone is no sound.
  const limit = Math.max(100, peak * SILENCE)
  let start = 0
  while (start < samples.length && Math.abs(samples[start]!) < limit) start++
  if (start === samples.length) return new Int16Array(0)
  let end = samples.length
  while (Math.abs(samples[end - 1]!) < limit) end--
  start = Math.max(0, start - Math.round(LEAD_MS * rate / 1000))
  const trimmed = new Int16Array(end - start + Math.round(pauseMs * rate / 1000))
  trimmed.set(samples.subarray(start, start + trimmed.length))
  return trimmed
}

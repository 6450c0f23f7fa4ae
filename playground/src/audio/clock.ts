/** When, in `performance.now()`, the given time of a context is or was heard. */
export function toPageTime (context: AudioContext, seconds: number): number {
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp()
  // Some browsers tell nothing before the first block has been played.
  if (performanceTime === 0) return performance.now() + (seconds - context.currentTime) * 1000
  return performanceTime + (seconds - contextTime) * 1000
}

/** When, in `performance.now()`, the given time of a context is or was rendered, and so captured: sound is heard a while after that. */
export function toRenderTime (context: AudioContext, seconds: number): number {
  return performance.now() + (seconds - context.currentTime) * 1000
}

import type { ReadonlySignal } from '@preact/signals'

/** How loud somebody is; louder than this is full. */
const FULL = 0.25

/** A level from 0 to 1, as a bar and for screen readers. */
export function Meter ({ label, level }: { label: string, level: ReadonlySignal<number> }) {
  const share = Math.round(Math.min(1, Math.sqrt(level.value / FULL)) * 100)
  return (
    <div class='meter'>
      <span aria-hidden='true'>{label}</span>
      <div role='meter' aria-label={`${label}: loudness`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={share} class='meter-track'>
        <div class='meter-bar' style={{ transform: `scaleX(${share / 100})` }} />
      </div>
    </div>
  )
}

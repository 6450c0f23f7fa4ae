import { signal } from '@preact/signals'

export interface LoggedEvent {
  number: number
  /** Seconds since the page was opened. */
  at: number
  from: 'client' | 'server'
  type: string
  event: Record<string, unknown>
  /** How many of the same kind came in a row. */
  count: number
}

/** Kept at most; older ones go. */
const KEPT = 1000

/** What went over the wire, newest last. */
export const eventLog = signal<readonly LoggedEvent[]>([])

let entries: LoggedEvent[] = []
let numbers = 0
let scheduled = false

export function logEvent (from: LoggedEvent['from'], event: { type: string }): void {
  const before = isStream(event.type) ? findRun(from, event.type) : -1
  if (before !== -1) {
    const last = entries[before]!
    entries[before] = { ...last, event: event as LoggedEvent['event'], count: last.count + 1 }
  } else {
    entries.push({ number: ++numbers, at: performance.now() / 1000, from, type: event.type, event: event as LoggedEvent['event'], count: 1 })
  }
  if (scheduled) return
  scheduled = true
  // A hundred events a second are shown ten times a second.
  setTimeout(publish, 100)
}

/** Sound and words come in streams, which mix: each is one row until something else happens. */
function findRun (from: LoggedEvent['from'], type: string): number {
  for (let index = entries.length - 1; index >= 0; index--) {
    const entry = entries[index]!
    if (entry.type === type && entry.from === from) return index
    if (!isStream(entry.type)) return -1
  }
  return -1
}

function isStream (type: string): boolean {
  return type.endsWith('.delta') || type === 'input_audio_buffer.append'
}

export function clearLog (): void {
  entries = []
  publish()
}

function publish (): void {
  scheduled = false
  entries = entries.slice(-KEPT)
  eventLog.value = [...entries]
}

/** As people read it: audio is long, and says nothing. */
export function showEvent (event: Record<string, unknown>): string {
  return JSON.stringify(event, (key, value) => typeof value === 'string' && value.length > 400 && !/\s/.test(value.slice(0, 400)) ? `${value.slice(0, 40)}… (${value.length} characters)` : value, 2)
}

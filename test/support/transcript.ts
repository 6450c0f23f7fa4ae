import type { ServerEvent } from '../../lib/realtime/events/server.js'

const ID = /^(item|resp|conv|call|sess)_[0-9A-Za-z]{16,21}$/

/**
 * Events as a test writes them down: without `event_id`, and every id made by the server as its kind and
 * a number, in order of appearance (`item_1`, `resp_1`).
 */
export function transcript (events: readonly ServerEvent[]): Record<string, unknown>[] {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()

  function rename (id: string): string {
    const kind = ID.exec(id)?.[1]
    if (kind === undefined) return id
    const known = names.get(id)
    if (known !== undefined) return known
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    names.set(id, `${kind}_${count}`)
    return names.get(id)!
  }

  function plain (value: unknown): unknown {
    if (typeof value === 'string') return rename(value)
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
  }

  return events.map(({ event_id: id, ...event }) => plain(event) as Record<string, unknown>)
}

/** A promise, and the function that fulfils it. */
export function latch (): { opened: Promise<void>, open: () => void } {
  let open!: () => void
  const opened = new Promise<void>(resolve => { open = resolve })
  return { opened, open }
}

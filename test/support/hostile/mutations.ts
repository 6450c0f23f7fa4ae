import { readFileSync } from 'node:fs'
import { hostileValues, pathsOf, withValue, writeJson } from './arbitraries.js'

export interface RecordedSession { client: string, beta: boolean, events: Record<string, unknown>[] }

/** What clients sent in a session each (test/fixtures). */
export const recordedSessions = JSON.parse(readFileSync(new URL('../../fixtures/recorded-sessions.json', import.meta.url), 'utf8')) as RecordedSession[]

/** What goes over the wire. */
export interface Frame { data: string | Buffer, binary: boolean }

/** Text as ws can send it: halves of characters are no UTF-8. */
export function toFrame (text: string): Frame {
  return { data: Buffer.from(text).toString(), binary: false }
}

/** Numbers from 0 to below a bound, the same for the same seed. */
export type Random = (below: number) => number

export function createRandom (seed: number): Random {
  let state = seed | 0
  return below => {
    // mulberry32
    state = (state + 0x6D2B79F5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)]!

/** Ways to break text: none of them can make a frame too long, and only {@link mutate} makes it no text. */
const breaks: ((text: string, random: Random) => string)[] = [
  (text, random) => text.slice(0, random(text.length + 1)),
  (text, random) => text.slice(random(text.length + 1)),
  (text, random) => splice(text, random, random(8), ''),
  (text, random) => splice(text, random, 0, pick(random, ['{', '}', '[', ']', '"', ',', ':', '\\', '\0', '\ud800', '0', 'null', '\\u0000', '"__proto__":{},', '"type":"response.create",', '\ufeff'])),
  (text, random) => splice(text, random, 1, String.fromCharCode(random(0x300))),
  (text, random) => text + pick(random, ['}', 'null', ' \n', '\0', text.slice(0, 200), '//']),
  (text, random) => text.replace(/"(\w+)":/, (match, key) => `"${key}":null,${match}`),
  (text, random) => text.replaceAll('"', pick(random, ['\'', '', '"', '\u201c'])),
  (text, random) => text.replace(/:("[^"]*"|\d+|true|false|null)/, () => `:${writeJson(pick(random, hostileValues))}`)
]

function splice (text: string, random: Random, remove: number, insert: string): string {
  const at = random(text.length + 1)
  return text.slice(0, at) + insert + text.slice(at + remove)
}

/** A frame made of an event: as it stands, wrong in a field, broken as text, or in binary. */
export function mutate (event: Record<string, unknown>, random: Random): Frame {
  const kind = random(10)
  if (kind < 1) return { data: JSON.stringify(event), binary: false }
  if (kind < 5) {
    const paths = pathsOf(event).slice(1)
    const wrong = paths.length === 0 ? event : withValue(event, pick(random, paths), random(6) === 0 ? undefined : pick(random, hostileValues))
    return { data: writeJson(wrong), binary: false }
  }
  if (kind < 9) {
    let data = JSON.stringify(event)
    for (let n = random(3); n >= 0; n--) data = pick(random, breaks)(data, random)
    return toFrame(data)
  }
  const data = Buffer.from(JSON.stringify(event).slice(0, random(2000)))
  for (let n = random(4); n > 0 && data.length > 0; n--) data[random(data.length)] = random(256)
  return { data, binary: true }
}

/** Frames without end: recorded sessions, their events now and then in another order, each mutated or not. */
export function * mutatedFrames (random: Random, sessions: readonly RecordedSession[]): Generator<Frame, never> {
  for (;;) {
    const { events } = pick(random, sessions)
    for (let n = 0; n < events.length; n++) yield mutate(random(4) === 0 ? pick(random, events) : events[n]!, random)
  }
}

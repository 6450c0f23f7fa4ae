import { signal } from '@preact/signals'

/** Times of one turn, from the end of what the user said. Milliseconds. */
export interface TurnTimes {
  number: number
  spoken: boolean
  /** The server took the turn for ended. */
  turnEnd: number | null
  firstWord: number | null
  firstAudio: number | null
  /** The first sound left the speaker. */
  heard: number | null
}

const KEPT = 12

export const turnTimes = signal<readonly TurnTimes[]>([])

/** Measured in the page. Milliseconds. */
export const pathTimes = signal<{ capture: number | null, roundTrip: number | null, playback: number | null, gaps: number }>({ capture: null, roundTrip: null, playback: null, gaps: 0 })

let turns = 0
let end = 0
let audioAt = 0

/** A turn ends that the user spoke or wrote. @param endedAt in `performance.now()` */
export function beginTurn (endedAt: number, spoken: boolean): void {
  end = endedAt
  audioAt = 0
  const turnEnd = spoken ? Math.max(0, performance.now() - endedAt) : null
  turnTimes.value = [...turnTimes.value, { number: ++turns, spoken, turnEnd, firstWord: null, firstAudio: null, heard: null }].slice(-KEPT)
}

/** The answer has got so far; only the first time counts. @param at in `performance.now()` */
export function markTurn (stage: 'firstWord' | 'firstAudio' | 'heard', at = performance.now()): void {
  const turn = turnTimes.value.at(-1)
  if (turn === undefined || turn[stage] !== null) return
  turnTimes.value = turnTimes.value.with(-1, { ...turn, [stage]: Math.max(0, at - end) })
  if (stage === 'firstAudio') audioAt = at
  if (stage === 'heard' && audioAt > 0) pathTimes.value = { ...pathTimes.value, playback: Math.max(0, at - audioAt) }
}

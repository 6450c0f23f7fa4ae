import type { Report, Result } from './suite.js'

const marks = { passed: '✓', failed: '✗', 'not exercised': '·' } as const

/** One check as lines for a person. */
export function describe ({ outcome, name, section, expected, got, frame, reason }: Result): string {
  const lines = [`  ${marks[outcome]} ${name} (${section})${reason === undefined ? '' : `: not exercised, ${reason}`}`]
  if (outcome === 'failed') {
    lines.push(`      expected  ${expected}`, `      got       ${got}`)
    if (frame !== undefined && frame !== null) lines.push(`      frame     ${shorten(frame)}`)
  }
  return lines.join('\n') + '\n'
}

/** The last lines. */
export function summarize ({ url, score, passed, failed, notExercised, seconds }: Report): string {
  return `\n${url}: ${score} % (${passed} passed, ${failed} failed, ${notExercised} not exercised) in ${seconds.toFixed(1)} s\n`
}

/** A frame on one line, without its audio. */
function shorten (frame: unknown): string {
  const text = JSON.stringify(frame, (key, value: unknown) => typeof value === 'string' && value.length > 120 ? `${value.slice(0, 60)}… (${value.length})` : value)
  return text.length > 1200 ? `${text.slice(0, 1200)}…` : text
}

import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineCommand, fail, readNumber, UsageError } from '../command.js'
import { speechFrames } from '../load/frames.js'
import { createMeasures, speak, type Measures } from '../load/speaker.js'
import { summarize, type Distribution } from '../load/statistics.js'
import { readUrl } from '../realtime.js'
import { packagedSpeech, readSpeech } from '../speech.js'
import { paint, Progress, table } from '../terminal.js'
import { keyFor, queryFor } from '../target.js'

const STAGES = { connect: 'connect', turn_end: 'speech end → turn end', transcript: 'speech end → transcript', first_word: 'speech end → first word', first_audio: 'speech end → first audio' } as const

export const command = defineCommand({
  help: `Loads a Realtime server, this one or any other, with sessions that speak in real time, and measures its answers.

  dramatis load [options]

  --url URL           the server (default: ws://127.0.0.1:8000/v1/realtime)
  --key KEY           its API key (default: OPENAI_API_KEY for api.openai.com)
  --sessions N        at the same time (default: 10)
  --turns N           of each session (default: 3)
  --speech FILE       a WAV file with the sentence that is spoken (default: a person who reads for three seconds)
  --ramp SECONDS      in which all sessions begin (default: one sentence's length)
  --patience SECONDS  for one answer (default: 30)
  --json              for machines

Ends with 0 if every turn of every session was answered, else with 1. Ctrl-C ends early, with what was measured.
`,
  options: {
    url: { type: 'string', default: 'ws://127.0.0.1:8000/v1/realtime' },
    key: { type: 'string' },
    sessions: { type: 'string', default: '10' },
    turns: { type: 'string', default: '3' },
    speech: { type: 'string', default: packagedSpeech },
    ramp: { type: 'string' },
    patience: { type: 'string', default: '30' },
    json: { type: 'boolean', default: false }
  },

  async run (values, positionals) {
    if (positionals.length > 0) throw new UsageError(`load takes no '${positionals[0]}'.`)
    const target = new URL(readUrl(values.url))
    for (const [name, value] of Object.entries(queryFor(target.href))) target.searchParams.set(name, value)
    const sessions = readNumber('sessions', values.sessions, 1, 10_000)
    const turns = readNumber('turns', values.turns, 1, 100_000)
    const patienceMs = readNumber('patience', values.patience, 1, 3600) * 1000
    const frames = speechFrames(await readSpeech(values.speech))
    const rampMs = values.ramp === undefined ? frames.length * 100 : readNumber('ramp', values.ramp, 0, 3600) * 1000

    const measures = createMeasures()
    const ending = new AbortController()
    // Every session listens.
    setMaxListeners(0, ending.signal)
    const onInterrupt = () => ending.abort()
    process.once('SIGINT', onInterrupt)
    const progress = new Progress()
    let active = 0
    const ticker = setInterval(() => {
      const now = summarize(measures.first_audio)
      progress.show(measures.turns / (sessions * turns), `${active} sessions, ${measures.turns} of ${sessions * turns} turns, first audio p50 ${now?.p50 ?? '–'} ms${measures.errors.size === 0 ? '' : `, ${count(measures.errors)} errors`}`)
    }, 200)
    const [began, cpu] = [performance.now(), process.cpuUsage()]

    await Promise.all(Array.from({ length: sessions }, async (_, index) => {
      await sleep(rampMs * index / sessions, undefined, { signal: ending.signal }).catch(() => {})
      if (ending.signal.aborted) return
      active++
      await speak({ url: target.href, key: keyFor(target.href, values.key), frames, turns, patienceMs, measures, signal: ending.signal })
      active--
    }))

    clearInterval(ticker)
    progress.clear()
    process.off('SIGINT', onInterrupt)
    const seconds = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(cpu)
    const report = toReport(measures, { url: target.href, sessions, turns, seconds, load: (user + system) / 1e6 / seconds })
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : describe(report))
    if (measures.turns === 0 && count(measures.errors) > 0) return fail('No turn was answered.')
    return measures.turns === sessions * turns ? 0 : 1
  }
})

function toReport (measures: Measures, { url, sessions, turns, seconds, load }: { url: string, sessions: number, turns: number, seconds: number, load: number }) {
  return {
    url,
    sessions,
    turns_wanted: sessions * turns,
    turns: measures.turns,
    seconds: Math.round(seconds * 10) / 10,
    milliseconds: Object.fromEntries(Object.keys(STAGES).map(stage => [stage, summarize(measures[stage as keyof typeof STAGES])])) as Record<keyof typeof STAGES, Distribution | null>,
    /** Answers with a pause in them, because the next audio had not come yet. */
    gaps: measures.gaps,
    errors: Object.fromEntries(measures.errors),
    /** This process: cores in use, and how late it sent its frames. Above 50 ms it measures itself. */
    generator: { cores: Math.round(load * 100) / 100, lateness: summarize(measures.lateness) }
  }
}

function describe (report: ReturnType<typeof toReport>): string {
  const rows = Object.entries(STAGES).flatMap(([stage, title]) => {
    const values = report.milliseconds[stage as keyof typeof STAGES]
    return values === null ? [] : [[title, values.count, values.p50, values.p90, values.p99, values.max].map(String)]
  })
  const { lateness, cores } = report.generator
  const errors = Object.entries(report.errors).map(([reason, times]) => paint('red', `  ${times} × ${reason}\n`)).join('')
  const late = (lateness?.p99 ?? 0) > 50 ? paint('yellow', '  This process was late itself: use another machine, or fewer sessions.\n') : ''
  return `${rows.length === 0 ? '' : table(['milliseconds', 'count', 'p50', 'p90', 'p99', 'max'], rows)}
  ${report.turns} of ${report.turns_wanted} turns, ${report.sessions} sessions, ${report.seconds} s, ${report.gaps} answers with a gap
  generator: ${cores} cores, frames late by p99 ${lateness?.p99 ?? 0} ms
${errors}${late}`
}

function count (errors: ReadonlyMap<string, number>): number {
  return [...errors.values()].reduce((sum, times) => sum + times, 0)
}

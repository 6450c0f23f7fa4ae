import { type Bench, type Check, Failure, NotExercised } from './check.js'
import { groups } from './checks/index.js'
import { Client, Refused, type ConnectOptions, type Target } from './client.js'
import { Ledger, type Account } from './ledger.js'
import { readSpeech } from './speech.js'

export interface Result {
  group: string
  name: string
  /** Of the protocol reference. */
  section: string
  outcome: 'passed' | 'failed' | 'not exercised'
  /** Of a failure. */
  expected?: string
  got?: string
  /** Of a failure: the first frame that differs, if it is one. */
  frame?: unknown
  /** Why it was not exercised. */
  reason?: string
  seconds: number
}

export interface Report {
  url: string
  /** Percent of what could be judged that is as documented, rounded down to a tenth. */
  score: number
  passed: number
  failed: number
  notExercised: number
  results: Result[]
  seconds: number
}

export interface SuiteOptions extends Target {
  /** Only checks whose group or name has this in it. */
  only?: string | undefined
  onResult? (result: Result): void
}

/** Judges a server. Rejects only with {@link Refused}, if it lets nobody in. */
export async function runSuite (options: SuiteOptions): Promise<Report> {
  const started = performance.now()
  const ledger = new Ledger()
  const speech = await readSpeech()
  // Where nobody can connect at all there is nothing to score.
  ;(await Client.connect(options, ledger)).end()
  const results: Result[] = []
  const add = (result: Result) => {
    results.push(result)
    options.onResult?.(result)
  }

  const { only = '' } = options
  for (const [group, checks] of Object.entries(groups)) {
    for (const check of checks) {
      if (`${group}: ${check.name}`.includes(only)) add(await judge(group, check, options, ledger, speech))
    }
  }
  const { frames, events } = ledger.accounts
  // Frames are judged by themselves wherever they came up, so that one wrong key is one failure.
  for (const account of frames) add(resultOf('frames', account))
  for (const account of events) {
    if (only === '' || account.seen > 0) add(resultOf('shapes', account))
  }

  const count = (outcome: Result['outcome']) => results.filter(result => result.outcome === outcome).length
  const [passed, failed, notExercised] = [count('passed'), count('failed'), count('not exercised')]
  return {
    url: options.url,
    score: passed === 0 ? 0 : Math.floor(passed / (passed + failed) * 1000) / 10,
    passed,
    failed,
    notExercised,
    results,
    seconds: secondsSince(started)
  }
}

async function judge (group: string, check: Check, target: Target, ledger: Ledger, speech: Buffer): Promise<Result> {
  const started = performance.now()
  const clients: Client[] = []
  const bench: Bench = {
    target,
    speech,
    async connect (options) {
      const client = await Client.connect(target, ledger, options)
      clients.push(client)
      return client
    },
    async open (options?: ConnectOptions) {
      const client = await bench.connect(options)
      await client.sequence('session.created')
      return client
    }
  }
  const of = { group, name: check.name, section: check.section }
  try {
    await check.run(bench)
    return { ...of, outcome: 'passed', seconds: secondsSince(started) }
  } catch (error) {
    return { ...of, ...explain(error), seconds: secondsSince(started) }
  } finally {
    for (const client of clients) client.end()
  }
}

function explain (error: unknown): Pick<Result, 'outcome' | 'expected' | 'got' | 'frame' | 'reason'> {
  if (error instanceof NotExercised) return { outcome: 'not exercised', reason: error.message }
  if (error instanceof Failure) return { outcome: 'failed', expected: error.expected, got: error.got, ...error.frame === undefined ? {} : { frame: error.frame } }
  if (error instanceof Refused) return { outcome: 'failed', expected: 'a connection', got: error.message }
  // A frame without the field that comes next: the account of its shape names it.
  return { outcome: 'failed', expected: 'frames that can be read', got: error instanceof Error ? error.message : String(error) }
}

function resultOf (group: string, { name, section, seen, fault }: Account): Result {
  const of = { group, name, section, seconds: 0 }
  if (fault !== null) return { ...of, outcome: 'failed', ...fault }
  return seen > 0 ? { ...of, outcome: 'passed' } : { ...of, outcome: 'not exercised', reason: 'none came' }
}

function secondsSince (started: number): number {
  return Math.round((performance.now() - started) / 10) / 100
}

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { t } from 'tap'
import { runSuite, type Report, type SuiteOptions } from '../conformance/suite.js'
import { createDemoLlm } from '../lib/engines/demo/llm.js'
import type { LlmEvent } from '../lib/engines/engine.js'
import { packageRoot } from '../lib/package-root.js'
import { echo, endless, scriptedLlm, type Script } from './support/engines.js'
import { startServer, type TestServer } from './support/server.js'
import { changing, late, startTampering, without, type Tamper } from './support/tampering.js'
import { startWrongServer } from './support/wrong-server.js'

/** A model that does what the suite asks for: calls the tool, and talks at length when it is to count. */
const obliging: Script = (request, signal) => {
  const said = request.messages.findLast(message => message.role === 'user')?.content
  if (request.toolChoice === 'required') return callFor(request.tools[0]!.name, String(said).match(/Paris|Rome/g) ?? [])
  if (typeof said !== 'string' || !said.startsWith('Count')) return echo(request, signal)
  return request.maxTokens === undefined ? endless(request, signal) : cutOff(request.maxTokens)
}

function * callFor (name: string, cities: string[]): Iterable<LlmEvent> {
  for (const [index, city] of cities.entries()) {
    yield { type: 'tool_call', index, id: `call_${city}`, name }
    yield { type: 'tool_arguments', index, delta: JSON.stringify({ city }) }
  }
  yield { type: 'end', reason: 'tool_calls' }
}

function * cutOff (words: number): Iterable<LlmEvent> {
  for (let count = 1; count <= words; count++) yield { type: 'text', delta: `${count} ` }
  yield { type: 'end', reason: 'length', usage: { inputTokens: 10, outputTokens: words } }
}

const urlOf = ({ http }: TestServer): string => `${http.replace('http', 'ws')}/v1/realtime`

function judge (url: string, options: Partial<SuiteOptions> = {}): Promise<Report> {
  return runSuite({ url, key: null, model: 'test', timeoutMs: 10_000, ...options })
}

function outcomes (report: Report, outcome: string): string[] {
  return report.results.filter(result => result.outcome === outcome).map(({ group, name, expected, got, reason }) =>
    `${group}: ${name}: ${reason ?? `expected ${expected}, got ${got}`}`)
}

/** Names of the failed checks of a group. */
function failed (report: Report, group: string): string[] {
  return report.results.filter(result => result.group === group && result.outcome === 'failed').map(({ name }) => name)
}

/** The command, as people run it. */
function run (...words: string[]): Promise<{ code: number, out: string, err: string }> {
  const command = ['--import', 'tsx', join(packageRoot, 'conformance', 'run.ts'), ...words]
  return new Promise(resolve => {
    execFile(process.execPath, command, { cwd: packageRoot }, (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }))
  })
}

// Most of it is to wait until a server has been idle for long enough: both at the same time.
t.test('this server scores 100 %', { jobs: 2 }, async t => {
  t.test('with a model that cooperates, and every behaviour is exercised', async t => {
    const report = await judge(urlOf(await startServer(t, { apiKeys: ['secret'], llm: scriptedLlm(obliging) })), { key: 'secret' })
    t.strictSame(outcomes(report, 'failed'), [])
    t.equal(report.score, 100)
    t.strictSame(outcomes(report, 'not exercised').filter(line => !line.startsWith('shapes: ')), [])
  })

  t.test('with the demo brain', async t => {
    const report = await judge(urlOf(await startServer(t, { llm: createDemoLlm() })))
    t.strictSame(outcomes(report, 'failed'), [])
    t.equal(report.score, 100)
  })
})

t.test('a model that does not cooperate is no fault of the server', async t => {
  const mute = scriptedLlm(function * () { yield { type: 'end', reason: 'stop' } })
  const url = urlOf(await startServer(t, { llm: mute }))
  for (const only of ['text', 'functions', 'truncate', 'interruption', 'responses']) {
    const report = await judge(url, { only: `${only}: `, timeoutMs: 2000 })
    t.strictSame(outcomes(report, 'failed'), [], only)
    t.not(report.notExercised, 0, only)
  }
})

t.test('a wrong server is told what is wrong, event by event', async t => {
  const url = await startWrongServer(t)
  const report = await judge(url, { timeoutMs: 100 })
  t.ok(report.score < 50, `a low score: ${report.score}`)
  t.strictSame(failed(report, 'frames'), [
    'every frame is text with one JSON object that has a type',
    'no event_id comes twice in a session',
    'no event but the documented ones of GA'
  ])
  for (const type of ['error', 'session.created', 'session.updated', 'response.created', 'response.done', 'response.output_item.added']) {
    t.ok(failed(report, 'shapes').includes(type), `the shape of ${type}`)
  }
  t.notOk(failed(report, 'shapes').includes('response.output_text.delta'), 'what is right passes')
  const find = (group: string, part: string) => report.results.find(result => result.group === group && result.name.includes(part))
  t.match(find('items', 'own id is kept'), { outcome: 'failed', expected: 'conversation.item.added', got: 'conversation.item.done' })
  t.match(find('text', 'the order of a written answer'), { outcome: 'failed', expected: 'conversation.item.added', got: 'conversation.item.done' })
  t.match(find('out-of-band', 'only events of the response'), { outcome: 'failed', expected: /content_part\.added/, got: 'response.output_text.delta', frame: { type: 'response.output_text.delta' } })
  t.match(find('connection', 'never one with a key'), { outcome: 'failed', got: 'openai-insecure-api-key.none' })
  t.match(find('errors', 'a retrieve of an unknown item'), { outcome: 'failed', expected: /error\.event_id/, got: 'undefined' })
  t.match(find('errors', 'a cancel with nothing'), { outcome: 'failed', got: /nothing in 0\.1 s/ })
})

/** One thing that is wrong, and where the suite must see it. */
const flaws: [flaw: string, only: string, make: () => Tamper][] = [
  ['no session.updated', 'session: tracing', without('session.updated')],
  ['a session without expires_at', 'connection: session.created', changing('session.created', frame => { delete frame.session.expires_at })],
  ['events without event_id', 'text: rate_limits', changing('response.created', frame => { delete frame.event_id })],
  ['the same event_id for all', 'text: rate_limits', () => frame => ({ ...frame, event_id: 'event_1' })],
  ['an event nobody knows', 'text: rate_limits', () => frame => frame.type === 'response.created' ? [{ type: 'response.queued', event_id: 'event_q' }, frame] : frame],
  ['conversation.item.created, as in beta', 'items: a created item', changing('conversation.item.added', frame => { frame.type = 'conversation.item.created' })],
  ['item.done before item.added', 'items: a created item', late('conversation.item.added')],
  ['another id than the client\'s', 'items: the client\'s own id', changing('conversation.item.added', frame => { frame.item.id = 'item_other' })],
  ['no content_part.added', 'text: the order', without('response.content_part.added')],
  ['content_part.done before text.done', 'text: the order', late('response.output_text.done')],
  ['output_item.done before item.done', 'text: the order', late('conversation.item.done')],
  ['response.done before output_item.done', 'text: the order', late('response.output_item.done')],
  ['a lost delta', 'text: deltas', () => {
    let lost = false
    return frame => frame.type === 'response.output_text.delta' && !lost && (lost = true) ? [] : frame
  }],
  ['an item that is completed from the start', 'text: the item begins', changing('response.output_item.added', frame => { frame.item.status = 'completed' })],
  ['items without an item before them', 'text: the item begins', changing('conversation.item.added', frame => { frame.previous_item_id = null })],
  ['usage that does not add up', 'text: the response begins', changing('response.done', frame => { frame.response.usage.total_tokens++ })],
  ['fractions of tokens', 'text: rate_limits', changing('response.done', frame => { frame.response.usage.input_tokens = 1.5 })],
  ['no allowance', 'text: rate_limits', without('rate_limits.updated')],
  ['transcript.done before audio.done', 'audio: the order', late('response.output_audio.done')],
  ['audio in the item', 'audio: its transcript', changing('response.output_item.done', frame => { frame.item.content[0].audio = 'AAAA' })],
  ['odd bytes of audio', 'audio: the audio', changing('response.output_audio.delta', frame => { frame.delta = 'AAAA' })],
  ['arguments that are empty', 'functions: its arguments', () => frame => JSON.parse(JSON.stringify(frame, (key, value: unknown) => key === 'arguments' ? '' : value))],
  ['no call_id', 'functions: the call begins', changing('response.function_call_arguments.done', frame => { delete frame.call_id })],
  ['items of a response aside', 'out-of-band: only', () => frame => frame.type === 'response.output_item.added'
    ? [frame, { type: 'conversation.item.added', event_id: 'event_a', previous_item_id: null, item: frame.item }]
    : frame],
  ['lost metadata', 'metadata comes back', changing('response.done', frame => { frame.response.metadata = null })],
  ['an interruption called a cancel', 'interruption: speaking', changing('response.done', frame => { frame.response.status_details = { type: 'cancelled', reason: 'client_cancelled' } })],
  ['a complete item in a stopped response', 'interruption: response.cancel', changing('response.done', frame => { for (const item of frame.response.output) item.status = 'completed' })],
  ['a turn of two ids', 'turns: one item id', changing('input_audio_buffer.speech_stopped', frame => { frame.item_id = 'item_other' })],
  ['positions that start anew', 'turns: positions', changing('input_audio_buffer.speech_started', frame => { frame.audio_start_ms = 0 })],
  ['audio parts without transcript', 'push-to-talk: a commit', changing('conversation.item.added', frame => { delete frame.item.content[0].transcript })],
  ['an error that forgets whose it is', 'errors: a cancel', changing('error', frame => { frame.error.event_id = null })],
  ['another wording of a cancel that failed', 'errors: a cancel', changing('error', frame => { frame.error.message = 'Nothing to cancel' })],
  ['another code', 'errors: a retrieve', changing('error', frame => { frame.error.code = 'not_found' })],
  ['an error said twice', 'errors: a retrieve', () => frame => frame.type === 'error' ? [frame, { ...frame, event_id: 'event_2' }] : frame]
]

t.test('whatever is tampered with is found', async t => {
  const url = urlOf(await startServer(t, { llm: scriptedLlm(obliging) }))
  for (const only of new Set(flaws.map(([, only]) => only))) {
    const sound = await judge(url, { only })
    t.ok(sound.passed > 3 && sound.failed === 0, `${only}: sound as it is`)
  }
  for (const [flaw, only, make] of flaws) {
    const report = await judge(await startTampering(t, url, make), { only, timeoutMs: 300 })
    t.ok(report.failed > 0, flaw)
  }
})

t.test('the command prints a report for people, and ends with 0 at 100 %', async t => {
  const url = urlOf(await startServer(t))
  const { code, out } = await run('--url', url, '--only', 'text: ')
  t.equal(code, 0, out)
  t.match(out, /✓ the order of a written answer \(7\.1\)/)
  t.match(out, /: 100 % \(\d+ passed, 0 failed, \d+ not exercised\)/)
})

t.test('the command ends with 1 below 100 %, and can print JSON', async t => {
  const { code, out } = await run('--url', await startWrongServer(t), '--only', 'text: ', '--timeout', '0.2', '--json')
  t.equal(code, 1)
  const report = JSON.parse(out) as Report
  t.ok(report.failed > 0)
  t.ok(report.results.every(({ outcome }) => ['passed', 'failed', 'not exercised'].includes(outcome)))
})

t.test('the command ends with 2 where there is nobody, and for a wrong command line', async t => {
  const [nobody, nowhere, wrong] = await Promise.all([run('--url', 'ws://127.0.0.1:1/v1/realtime', '--timeout', '2'), run(), run('--url', 'ws://127.0.0.1:1', '--fast')])
  t.match(nobody, { code: 2, err: /lets nobody in/ })
  t.match(nowhere, { code: 2, err: /--url/ })
  t.match(wrong, { code: 2, err: /--fast/ })
})

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { t } from 'tap'
import { runSuite, type Report, type SuiteOptions } from '../conformance/suite.js'
import { createDemoLlm } from '../lib/engines/demo/llm.js'
import type { LlmEvent } from '../lib/engines/engine.js'
import { packageRoot } from '../lib/package-root.js'
import { calls, echo, endless, scriptedLlm, type Script } from './support/engines.js'
import { startServer, type TestServer } from './support/server.js'
import { startWrongServer } from './support/wrong-server.js'

/** A model that does what the suite asks for: calls the tool, and talks at length when it is to count. */
const obliging: Script = (request, signal) => {
  if (request.toolChoice === 'required') return calls(request.tools[0]!.name, { city: 'Paris' })
  const said = request.messages.findLast(message => message.role === 'user')?.content
  if (typeof said !== 'string' || !said.startsWith('Count')) return echo(request, signal)
  return request.maxTokens === undefined ? endless(request, signal) : cutOff(request.maxTokens)
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

t.test('this server scores 100 % with a model that cooperates, and every behaviour is exercised', async t => {
  const report = await judge(urlOf(await startServer(t, { apiKeys: ['secret'], llm: scriptedLlm(obliging) })), { key: 'secret' })
  t.strictSame(outcomes(report, 'failed'), [])
  t.equal(report.score, 100)
  t.strictSame(outcomes(report, 'not exercised').filter(line => !line.startsWith('shapes: ')), [])
})

t.test('this server scores 100 % with the demo brain', async t => {
  const report = await judge(urlOf(await startServer(t, { llm: createDemoLlm() })))
  t.strictSame(outcomes(report, 'failed'), [])
  t.equal(report.score, 100)
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
  t.match(await run('--url', 'ws://127.0.0.1:1/v1/realtime', '--timeout', '2'), { code: 2, err: /lets nobody in/ })
  t.match(await run(), { code: 2, err: /--url/ })
  t.match(await run('--url', 'ws://127.0.0.1:1', '--fast'), { code: 2, err: /--fast/ })
})

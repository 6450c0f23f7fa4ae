import { parseArgs } from 'node:util'
import { Refused } from './client.js'
import { describe, summarize } from './report.js'
import { runSuite, type Report } from './suite.js'

// npm run conformance -- --url ws://HOST/v1/realtime [--key K] [--model M] [--only TEXT] [--timeout SECONDS] [--json]

const USAGE = `Scores a server of the OpenAI Realtime protocol event by event.

  npm run conformance -- --url ws://127.0.0.1:8000/v1/realtime [options]

  --url URL          the WebSocket; without a path, /v1/realtime is meant
  --key KEY          API key (default: OPENAI_API_KEY for api.openai.com, else none)
  --model MODEL      the model to connect to (default: gpt-realtime)
  --only TEXT        only checks whose group or name has this in it
  --timeout SECONDS  how long to wait for any one thing (default: 20)
  --json             for machines

Ends with 0 at 100 %, with 1 below, with 2 if there was nothing to judge.
`

function fail (message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

function readArguments () {
  try {
    return parseArgs({
      options: {
        url: { type: 'string' },
        key: { type: 'string' },
        model: { type: 'string', default: 'gpt-realtime' },
        only: { type: 'string' },
        timeout: { type: 'string', default: '20' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false }
      }
    }).values
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${USAGE}`)
  }
}

const given = readArguments()
if (given.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
if (given.url === undefined || !URL.canParse(given.url)) fail(USAGE)
const url = new URL(given.url)
url.protocol = url.protocol.replace(/^http/, 'ws')
if (url.pathname === '/') url.pathname = '/v1/realtime'
if (!/^wss?:$/.test(url.protocol)) fail(`${given.url} is not a WebSocket URL.`)
const timeoutMs = Number(given.timeout) * 1000
if (!(timeoutMs > 0)) fail(`--timeout ${given.timeout} is not a number of seconds.`)

let group = ''
const report: Report = await runSuite({
  url: `${url.origin}${url.pathname}`,
  key: given.key ?? (url.hostname === 'api.openai.com' ? process.env.OPENAI_API_KEY ?? null : null),
  model: given.model,
  timeoutMs,
  only: given.only,
  onResult (result) {
    if (given.json) return
    if (result.group !== group) process.stdout.write(`\n${group = result.group}\n`)
    process.stdout.write(describe(result))
  }
}).catch(error => fail(error instanceof Refused ? `${given.url} lets nobody in: ${error.message}` : error.stack))
process.stdout.write(given.json ? JSON.stringify(report, null, 2) + '\n' : summarize(report))
process.exitCode = report.passed + report.failed === 0 ? 2 : report.failed === 0 ? 0 : 1

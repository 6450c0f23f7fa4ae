import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { readWav } from '../../lib/audio/wav.js'
import { packageVersion } from '../../lib/package-root.js'
import { castOf, characterSource } from '../support/casts.js'
import { runCommand, startCommand } from '../support/command.js'
import { cannedEngines } from '../support/engines.js'
import { program } from '../support/program.js'
import { startServer } from '../support/server.js'
import { countWrongWords } from '../support/words.js'

const clip = new URL('../fixtures/austen-0880.wav', import.meta.url).pathname

// Processes wait for each other's sockets and for people who speak: several tests at the same time.
t.jobs = 3

t.test('it tells what it can do, and says which argument is wrong', async t => {
  const help = await runCommand(t, ['--help'])
  for (const name of ['start', 'check', 'new', 'talk', 'say', 'load']) t.match(help.out, new RegExp(`^  ${name} `, 'm'))
  t.equal((await runCommand(t, ['--version'])).out.trim(), packageVersion)
  const runs = ([
    [['load', '--help'], { code: 0, out: /--sessions N/ }],
    [['sing'], { code: 2, out: '', err: /^There is no command 'sing'/ }],
    [['load', '--sessions', 'many'], { code: 2, err: /^--sessions must be a number from 1 to/ }],
    [['check', '--loud', 'x'], { code: 2, err: /'--loud'/ }],
    [['say', 'no-such.wav'], { code: 2, err: /no-such\.wav cannot be read: it does not exist/ }],
    [['load', '--url', 'ws://127.0.0.1:1', '--sessions', '2', '--ramp', '0'], { code: 1, out: /2 × nothing listens there/, err: 'No turn was answered.\n' }],
    [['talk', 'Nobody', 'at', 'all'], { code: 1, err: /refuses: Unknown character 'Nobody at all'\./ }],
    [['talk', '--url', 'http://127.0.0.1:1'], { code: 1, err: /^Nothing listens at ws:\/\/127\.0\.0\.1:1\./ }]
  ] as const).map(async ([args, expected]) => {
    const result = await runCommand(t, [...args])
    t.match(result, expected, args.join(' '))
    t.notMatch(result.out, /p50/, 'no table of nothing')
  })
  await Promise.all(runs)
})

t.test('check shows each fault with its place, and the exit code tells whether there is one', async t => {
  const cast = t.testdir({
    good: castOf('Ada', 'Ben'),
    mixed: {
      ...castOf('Ada'),
      'broken.ts': 'const a = 1\n\tconst b = = 2\nexport default {}\n',
      'prompt.ts': characterSource('Prompt').replace('instructions.prompt,', 'instructions.nothing.at.all,')
    },
    empty: {}
  })
  const good = await runCommand(t, ['check', join(cast, 'good')])
  t.match(good, { code: 0, out: /✔ Ada[^]*✔ Ben[^]*2 characters, 0 errors/ })
  t.notMatch(good.out, '\x1b', 'no colours where there is no terminal')

  const mixed = await runCommand(t, ['check', join(cast, 'mixed')])
  t.match(mixed, { code: 1, out: /✖ .*broken\.ts:2:12 {2}syntax_error[^]*> 2 \| \tconst b = = 2\n +\| \t +\^/ })
  t.match(mixed.out, /✖ .*prompt\.ts:7:\d+ {2}execution_error/)

  const json = await runCommand(t, ['check', '--json', '--no-prompts', join(cast, 'good'), join(cast, 'mixed')])
  t.equal(json.code, 1)
  t.match(JSON.parse(json.out), [{ loaded_count: 2, error_count: 0 }, { loaded_count: 2, error_count: 1, errors: [{ file: 'broken.ts', line: 2, column: 12, code: 'syntax_error' }] }])
  t.match(await runCommand(t, ['check', join(cast, 'empty')]), { code: 1 })
  t.match(await runCommand(t, ['check', join(cast, 'nowhere')]), { code: 1, err: /nowhere is not a directory/ })
})

t.test('a new character is right from the start, can be talked to, and is never overwritten', async t => {
  const cwd = t.testdir({})
  t.match(await runCommand(t, ['new', 'Old', 'Ferryman'], { cwd }), { code: 0, out: /Wrote my-cast\/old-ferryman\.ts/ })
  t.match(await runCommand(t, ['new', 'Old Ferryman'], { cwd }), { code: 1, err: /is there already/ })
  t.match(JSON.parse((await runCommand(t, ['new', 'L\'Été', '--json'], { cwd })).out), { name: 'L\'Été', file: 'my-cast/l-ete.ts' })
  t.match(await runCommand(t, ['check', 'my-cast'], { cwd }), { code: 0, out: /✔ L'Été[^]*✔ Old Ferryman/ })

  const input = 'Roll a die.\n/as L\'Été\nWho are you?\n/as Nobody\n/reload nowhere\n/who\n'
  const talk = await runCommand(t, ['talk', 'Old', 'Ferryman', '--characters', 'my-cast', '--json'], { cwd, input })
  t.equal(talk.code, 0, talk.err)
  t.match(talk.out.trim().split('\n').map(line => JSON.parse(line)), [
    { character: 'Old Ferryman', user: 'Roll a die.', text: /^It shows \d\.$/, tools: [{ name: 'roll', arguments: '{"sides":6}' }], status: 'completed', error: null },
    { character: 'L\'Été' },
    { character: 'L\'Été', user: 'Who are you?', text: /^I am L'Été\./ },
    { error: { code: 'invalid_value' } },
    { error: { code: 'directory_not_allowed' } },
    { directory: 'default', characters: [{}, {}] }
  ])
})

t.test('one turn is spoken to a server, and the answer kept as it would be heard', async t => {
  const out = join(t.testdir({}), 'answer.wav')
  const { code, out: report, err } = await runCommand(t, ['say', clip, '--character', 'Magnus', '--out', out, '--json'])
  t.equal(code, 0, err)
  const said = JSON.parse(report)
  t.match(said, { character: 'Magnus', status: 'completed', answer: /\w/ })
  t.ok(countWrongWords(said.heard, 'he was not an ill disposed young man') <= 2, said.heard)
  const { samples, rate } = readWav(readFileSync(out))
  t.equal(rate, 24_000)
  t.ok(samples.length > 24_000 && samples.some(sample => Math.abs(sample) > 3000), 'it can be heard')
})

t.test('two hundred sessions speak from one process, and each turn is measured', async t => {
  const server = await startServer(t, { apiKeys: ['sk-one'], ...cannedEngines() })
  const args = ['load', '--url', server.http, '--sessions', '200', '--turns', '1', '--patience', '100', '--json']
  const { code, out, err } = await runCommand(t, [...args, '--key', 'sk-one'])
  const report = JSON.parse(out)
  t.equal(code, 0, `${err} ${JSON.stringify(report.errors)}`)
  t.match(report, { sessions: 200, turns: 200, turns_wanted: 200, errors: {} })
  for (const stage of ['connect', 'turn_end', 'transcript', 'first_word', 'first_audio']) {
    const { count, p50, p90, p99, max } = report.milliseconds[stage]
    t.ok(count >= 200 && p50 <= p90 && p90 <= p99 && p99 <= max, stage)
  }
  const refused = await runCommand(t, ['load', '--url', server.http, '--sessions', '2', '--ramp', '0'])
  t.match(refused, { code: 1, out: /2 × refused with HTTP 401/ })
})

t.test('who chats is told when the server ends the session', async t => {
  const server = await startServer(t)
  const { child, out } = startCommand(t, ['talk', '--url', server.http])
  child.stdin.write('Hello\n')
  while (!out().includes('You said: Hello')) await once(child.stdout, 'data')
  const { data } = await (await fetch(`${server.http}/v1/sessions`)).json() as { data: { id: string }[] }
  await fetch(`${server.http}/v1/sessions/${data[0]!.id}/close`, { method: 'POST' })
  let err = ''
  child.stderr.on('data', chunk => { err += chunk })
  t.match(await once(child, 'close'), [1])
  t.equal(err, 'The server closed the connection: 1001 closed by the operator.\n')
})

t.test('on a terminal there are colours and a bar of progress, unless colours are refused', { skip: !existsSync('/usr/bin/script') && 'there is no script(1), which has a terminal' }, async t => {
  const cast = t.testdir({ ...castOf('Ada'), 'broken.ts': 'const = 1\n' })
  const server = await startServer(t, cannedEngines())
  const onTerminal = async (args: string[], environment: Record<string, string> = {}) => {
    const command = [process.execPath, ...program('cli/dramatis'), ...args].map(part => `'${part}'`).join(' ')
    const child = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { env: { PATH: process.env.PATH, TERM: 'xterm', ...environment } })
    t.teardown(() => child.kill('SIGKILL'))
    return (await text(child.stdout)).replaceAll('\x1b', 'ESC')
  }
  const [check, plain, load] = await Promise.all([
    onTerminal(['check', cast]), onTerminal(['check', cast], { NO_COLOR: '1' }),
    onTerminal(['load', '--url', server.http, '--sessions', '1', '--turns', '1'])
  ])
  t.match(check, /ESC\[32m✔ESC\[39m Ada/)
  t.match(plain, /✖ .*broken\.ts:1:7 {2}syntax_error/)
  t.notMatch(plain, 'ESC')
  t.match(load, /\rESC\[2K.*░.* 1 sessions, 0 of 1 turns[^]*\rESC\[2K[^]*1 of 1 turns, 1 sessions/)
})

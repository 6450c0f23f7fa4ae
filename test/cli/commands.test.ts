import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readWav } from '../../lib/audio/wav.js'
import { packageVersion } from '../../lib/package-root.js'
import { castOf, characterSource } from '../support/casts.js'
import { runCommand } from '../support/command.js'
import { cannedEngines } from '../support/engines.js'
import { startServer } from '../support/server.js'
import { countWrongWords } from '../support/words.js'

const clip = new URL('../fixtures/austen-0880.wav', import.meta.url).pathname

t.test('it tells what it can do, and says which argument is wrong', async t => {
  const help = await runCommand(t, ['--help'])
  for (const name of ['start', 'check', 'new', 'talk', 'say', 'load']) t.match(help.out, new RegExp(`^  ${name} `, 'm'))
  t.equal((await runCommand(t, ['--version'])).out.trim(), packageVersion)
  t.match(await runCommand(t, ['load', '--help']), { code: 0, out: /--sessions N/ })
  t.match(await runCommand(t, ['sing']), { code: 2, out: '', err: /^There is no command 'sing'/ })
  t.match(await runCommand(t, ['load', '--sessions', 'many']), { code: 2, err: /^--sessions must be a number from 1 to/ })
  t.match(await runCommand(t, ['check', '--loud', 'x']), { code: 2, err: /'--loud'/ })
  t.match(await runCommand(t, ['say', 'no-such.wav']), { code: 2, err: /no-such\.wav cannot be read: it does not exist/ })
  const nobody = await runCommand(t, ['load', '--url', 'ws://127.0.0.1:1', '--sessions', '2', '--ramp', '0'])
  t.match(nobody, { code: 1, out: /2 × nothing listens there/, err: 'No turn was answered.\n' })
  t.notMatch(nobody.out, /p50/, 'no table of nothing')
  t.match(await runCommand(t, ['talk', 'Nobody', 'at', 'all'], { input: '' }), { code: 1, err: /refuses: Unknown character 'Nobody at all'\./ })
  t.match(await runCommand(t, ['talk', '--url', 'http://127.0.0.1:1']), { code: 1, err: /^Nothing listens at ws:\/\/127\.0\.0\.1:1\./ })
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
  const { code, out: text, err } = await runCommand(t, ['say', clip, '--character', 'Magnus', '--out', out, '--json'])
  t.equal(code, 0, err)
  const said = JSON.parse(text)
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

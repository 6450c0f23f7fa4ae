import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import Fastify, { LogController } from 'fastify'
import { t, type Test } from 'tap'
import dramatis, { EngineError, type DramatisOptions } from '../../app.js'
import { packageRoot } from '../../lib/package-root.js'
import { castOf, characterSource } from '../support/casts.js'
import { cannedEngines, scriptedLlm, tone, type Script } from '../support/engines.js'
import { testServer, type TestServer } from '../support/server.js'
import { until } from '../support/until.js'

type Line = Record<string, any> & { msg: string }
/** How the source writes the name of a tool. */
const CALL = '$' + '{call.name}'
const OWN = ['level', 'time', 'pid', 'hostname', 'reqId', 'msg']

/** A server, and the lines of its log from the first session on. */
async function logged (t: Test, options: DramatisOptions = {}): Promise<TestServer & { lines: Line[], line: (msg: string) => Promise<Line> }> {
  const lines: Line[] = []
  const stream = new Writable({
    write (chunk, encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    }
  })
  const app = Fastify({ logger: { level: 'trace', stream }, logController: new LogController({ disableRequestLogging: true }) })
  await app.register(dramatis, { ...cannedEngines(), ...options, limits: { drainSeconds: 0, ...options.limits } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  lines.length = 0
  const line = async (msg: string): Promise<Line> => {
    await until(() => lines.some(line => line.msg === msg))
    return lines.find(line => line.msg === msg)!
  }
  return { ...testServer(t, app), lines, line }
}

const fields = (line: Line): string[] => Object.keys(line).filter(name => !OWN.includes(name)).sort()

const failing: Script = () => { throw new EngineError('engine_failed', 'scripted', 'The model broke.') }

t.test('a session leaves a line when it opens and one when it closes', async t => {
  const { connect, lines, line } = await logged(t, { characters: { directory: t.testdir(castOf('Ada')) } })
  const client = await connect('?model=any')
  const { id } = client.of('session.created')[0]!.session
  await client.ask('Hello')
  await client.fail({ type: 'response.cancel' })
  await client.close()
  await line('session closed')
  t.equal(lines.length, 2)
  t.match(lines, [
    { level: 30, msg: 'session opened', session: id, character: 'Ada', directory: 'default', model: 'any', type: 'realtime', dialect: 'ga', resumed: false },
    { level: 30, msg: 'session closed', session: id, character: 'Ada', close_code: 1000, seconds: Number, responses: 1, errors: 1, bytes_in: Number, bytes_out: Number }
  ])
})

t.test('a reload leaves a line, and so does one that is refused', async t => {
  const { connect, lines } = await logged(t, { characters: { directory: t.testdir(castOf('Ada')) } })
  const client = await connect()
  client.send({ type: 'session.characters.reload', directory: 'default' })
  await client.next('session.updated')
  await client.fail({ type: 'session.characters.reload', directory: '/etc' })
  t.match(lines.slice(1), [
    { level: 30, msg: 'characters reloaded', character: 'Ada', directory: 'default', count: 1, errors: 0, ms: Number },
    { level: 30, msg: 'characters not reloaded', character: 'Ada', code: 'directory_not_allowed' }
  ])
})

t.test('a failure leaves a line with the session, the character and the error', async t => {
  const { connect, line } = await logged(t, { characters: { directory: t.testdir(castOf('Ada')) }, llm: scriptedLlm(failing) })
  const client = await connect()
  await client.ask('Hello')
  const { session, character, error } = await line('response failed')
  t.match({ session, character }, { session: /^sess_/, character: 'Ada' })
  t.match(error, { type: 'EngineError', code: 'engine_failed', message: 'The model broke.', stack: /^\s+at / })
})

t.test('audio leaves no line, however much', async t => {
  const { connect, lines } = await logged(t)
  const client = await connect()
  client.append(tone(4000), 20)
  client.append(tone(800, 0), 20)
  await client.next('response.done')
  await client.settle()
  t.strictSame(lines.map(({ msg }) => msg), ['session opened'])
})

t.test('what was said and the keys are in no line, even at the level trace', async t => {
  const secrets = ['sk-secret-key', 'my darkest wish', 'the model whispers']
  const tools = 'tools: [{ name: \'listen\', description: \'Listens.\', parameters: { type: \'object\' }, run () { return 1 } }]'
  const broken: Script = ({ messages }) => messages.at(-1)!.role === 'tool'
    ? [{ type: 'text', delta: 'the model whispers' }, { type: 'end', reason: 'stop' }]
    : [{ type: 'tool_call', index: 0, id: 'c', name: 'listen' }, { type: 'tool_arguments', index: 0, delta: 'the model whispers' }, { type: 'end', reason: 'tool_calls' }]
  const { connect, lines, line } = await logged(t, {
    apiKeys: [secrets[0]!], characters: { directory: t.testdir({ 'ada.ts': characterSource('Ada', tools) }) }, llm: scriptedLlm(broken)
  })
  const client = await connect('', [], { authorization: `Bearer ${secrets[0]}` })
  await client.ask('my darkest wish')
  await client.update({ instructions: 'my darkest wish' })
  await client.fail({ type: 'my darkest wish' })
  await line('tool listen failed')
  await client.close()
  await line('session closed')
  for (const secret of secrets) t.notOk(JSON.stringify(lines).includes(secret), secret)
})

t.test('docs/logs.md has each line of a session with its fields, and no other', async t => {
  const page = readFileSync(join(packageRoot, 'docs', 'logs.md'), 'utf8')
  const documented = new Map(page.split('\n').filter(row => /^\| `[^`]+` \| (info|warn|error) \|/.test(row)).map(row => {
    const [message, , names] = row.split('|').slice(1).map(cell => cell.trim())
    return [message!.slice(1, -1), [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name!).sort()]
  }))
  const { connect, lines, line } = await logged(t, { characters: { directory: t.testdir(castOf('Ada')) }, llm: scriptedLlm(failing) })
  const client = await connect()
  client.send({ type: 'session.characters.reload', directory: 'default' })
  await client.next('session.updated')
  await client.fail({ type: 'session.characters.reload', directory: '/etc' })
  await client.ask('Hello')
  client.socket.send(Buffer.from([0xff]), { binary: false })
  await line('session closed')
  for (const one of lines) t.strictSame(fields(one), documented.get(one.msg), one.msg)
  const seen = new Set(lines.map(({ msg }) => msg))
  const files = [...['session', 'response', 'answer', 'turns', 'session-log'].map(name => `lib/realtime/${name}.ts`), 'routes/v1/realtime/index.ts']
  const source = files.map(file => readFileSync(join(packageRoot, file), 'utf8')).join()
  for (const message of documented.keys()) t.ok(seen.has(message) || source.includes(message.replace('NAME', CALL)), `${message} is written somewhere`)
  for (const [, message] of source.matchAll(/fault(?:\?\.)?\(['`]([^'`]+)['`]/g)) t.ok(documented.has(message!.replace(CALL, 'NAME')), `${message} is documented`)
})

import { join } from 'node:path'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import dramatis, { type DramatisOptions } from '../../app.js'
import { castOf, characterSource } from '../support/casts.js'
import { type TestClient, textOf } from '../support/client.js'
import { calls, cannedEngines, echo, hang, says, type Script } from '../support/engines.js'
import { testServer } from '../support/server.js'
import { until } from '../support/until.js'

// Another cast for a running session: the events `session.characters.*`, and what they leave behind.

/** A cast whose files have the same names as those of any other, with state of their own. */
const counting = (house: string) => ({
  'clerk.ts': `import { house, next } from './resources/house.js'\n\n${characterSource('Clerk', `tools: [
    { name: 'count', description: 'Counts.', parameters: { type: 'object' }, run: () => \`\${house} \${next()}\` }
  ]`).replace('instructions.prompt,', 'instructions.prompt + \' Of \' + house,')}`,
  resources: {
    'house.ts': `export const house = '${house}'\nlet count = 0\nexport const next = (): number => ++count\n`
  }
})

const directory = t.testdir({
  default: {
    'ada.ts': characterSource('Ada', "metadata: { good: true, comment: 'The first.' }"),
    'bob.ts': characterSource('Bob', 'metadata: { good: false }')
  },
  team: {
    'bob.ts': characterSource('Bob').replace('You are Bob.', 'You are Bob of the team.'),
    'tim.ts': characterSource('Tim'),
    winter: castOf('Wim'),
    broken: {
      'bad.ts': 'export default {\n  name: }\n',
      'good.ts': characterSource('Good'),
      'worse.ts': "throw new Error('no luck')\n"
    },
    ruins: { 'bad.ts': "throw new Error('no luck')\n" },
    empty: { 'notes.txt': 'Nothing here.' },
    slow: { 'slow.ts': `await new Promise(resolve => setTimeout(resolve, 100))\n\n${characterSource('Slow')}` }
  },
  red: counting('red'),
  blue: counting('blue')
})
const path = (...names: string[]) => join(directory, ...names)

/** A server, and how many casts are alive in it. */
async function start (t: Test, script: Script = echo, options: DramatisOptions = {}) {
  const engines = cannedEngines(script)
  const app = Fastify()
  let live = () => 0
  await app.register(async scope => {
    await dramatis(scope, {
      ...engines,
      limits: { drainSeconds: 0 },
      characters: { directory: path('default'), roots: { team: path('team'), red: path('red'), blue: path('blue') } },
      ...options
    })
    live = () => scope.dramatisLibrary.live
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { ...testServer(t, app), llm: engines.llm, live }
}

const shared = await start(t)
const reload = (name: unknown, more: object = {}) => ({ type: 'session.characters.reload', directory: name, ...more })

/** Reloads and returns the answer without its own id, with the session that follows it. */
async function reloaded (client: TestClient, name: string, more: object = {}) {
  client.send(reload(name, more))
  const { type, event_id: id, ...report } = await client.next('session.characters.reloaded')
  const { session } = await client.next('session.updated')
  return { report, session }
}

t.test('listing tells who is there, whoever is good', async t => {
  const client = await shared.connect()
  client.send({ type: 'session.characters.list', event_id: 'mine' })
  const { event_id: id, version, ...listed } = await client.next('session.characters.listed')
  t.match(version, /^[0-9a-f]{12}$/)
  t.strictSame(listed, {
    type: 'session.characters.listed',
    request_event_id: 'mine',
    directory: 'default',
    character_count: 2,
    characters: [{ name: 'Ada', good: true, comment: 'The first.' }, { name: 'Bob', good: false, comment: null }]
  })
  client.send({ type: 'session.characters.list' })
  t.equal((await client.next('session.characters.listed')).request_event_id, null)
})

t.test('reloading', async t => {
  t.test('another root is answered with the new cast, then with the session', async t => {
    const client = await shared.connect()
    const from = client.events.length
    const { report, session } = await reloaded(client, 'team', { event_id: 'mine' })
    const { duration_ms: ms, version, ...rest } = report
    t.ok(ms > 0 && ms < 30_000)
    t.match(version, /^[0-9a-f]{12}$/)
    t.strictSame(rest, {
      request_event_id: 'mine',
      directory: 'team',
      loaded_count: 2,
      error_count: 0,
      total_files: 2,
      characters: [{ name: 'Bob', good: null, comment: null }, { name: 'Tim', good: null, comment: null }],
      errors: []
    })
    t.same(session.characters, ['Bob', 'Tim'])
    t.same(client.types(from), ['session.characters.reloaded', 'session.updated'])
    client.send({ type: 'session.characters.list' })
    t.match(await client.next('session.characters.listed'), { directory: 'team', character_count: 2 })
  })

  t.test('takes a directory below a root, absolute paths inside one, and the way back', async t => {
    const client = await shared.connect()
    for (const [name, canonical, names] of [
      ['team/winter', 'team/winter', ['Wim']],
      [path('team'), 'team', ['Bob', 'Tim']],
      [path('team', 'winter'), 'team/winter', ['Wim']],
      [path('team', 'winter', '..', 'winter'), 'team/winter', ['Wim']],
      [path('default'), 'default', ['Ada', 'Bob']],
      ['team/winter/', 'team/winter', ['Wim']],
      ['default', 'default', ['Ada', 'Bob']],
      ['default', 'default', ['Ada', 'Bob']]
    ] as const) {
      const { report, session } = await reloaded(client, name)
      t.equal(report.directory, canonical)
      t.same(session.characters, names)
    }
    t.notMatch(JSON.stringify(client.events), directory)
  })

  t.test('tells of each file that is broken, and takes the others', async t => {
    const client = await shared.connect()
    const { report } = await reloaded(client, 'team/broken')
    t.match(report, { loaded_count: 1, error_count: 2, total_files: 3, characters: [{ name: 'Good' }] })
    t.match(report.errors, [
      { file: 'bad.ts', line: 2, column: 9, code: 'syntax_error', message: String },
      { file: 'worse.ts', line: 1, column: 7, code: 'execution_error', message: /no luck/ }
    ])
    t.strictSame(report.errors.map(error => Object.keys(error).sort()), Array.from({ length: 2 }, () => ['code', 'column', 'file', 'line', 'message']))
  })

  t.test('that fails keeps the cast, and says why', async t => {
    const client = await shared.connect()
    await client.update({ character: 'Bob' })
    const before = await client.update({})
    const cases: [name: unknown, code: string][] = [
      ['ghosts', 'directory_not_allowed'],
      ['team/ghosts', 'directory_not_found'],
      ['team/../default', 'directory_not_allowed'],
      [path('elsewhere'), 'directory_not_allowed'],
      ['/', 'directory_not_allowed'],
      ['team/tim.ts', 'directory_not_readable'],
      ['', 'invalid_directory_format'],
      ['a\0b', 'invalid_directory_format'],
      [['team'], 'invalid_directory_format'],
      [null, 'invalid_directory_format'],
      ['team/empty', 'no_valid_characters'],
      ['team/ruins', 'no_valid_characters']
    ]
    for (const [name, code] of cases) {
      const { message, details, ...error } = await client.fail(reload(name, { event_id: 'mine' }))
      t.strictSame(error, { type: 'invalid_request_error', code, param: 'directory', event_id: 'mine' })
      t.notMatch(message, directory)
    }
    t.strictSame(await client.update({}), before)
    client.send({ type: 'session.characters.list' })
    t.match(await client.next('session.characters.listed'), { directory: 'default', character_count: 2 })
  })

  t.test('that finds no valid character has the errors of the files', async t => {
    const client = await shared.connect()
    const { details } = await client.fail(reload('team/ruins'))
    t.match(details, [{ file: 'bad.ts', line: 1, column: 7, code: 'execution_error', message: /no luck/ }])
  })

  t.test('one after another, each is answered in its turn', async t => {
    const client = await shared.connect()
    const wanted = ['team/slow', 'team', 'team/winter', 'default']
    for (const name of wanted) client.send(reload(name, { event_id: name }))
    client.send(reload('ghosts', { event_id: 'ghosts' }))
    for (const name of wanted) {
      t.match(await client.next('session.characters.reloaded'), { request_event_id: name, directory: name })
      await client.next('session.updated')
    }
    t.match((await client.next('error')).error, { code: 'directory_not_allowed', event_id: 'ghosts' })
  })

  t.test('goes on beside a conversation, which has the old cast until it is done', async t => {
    const { connect, llm } = await start(t)
    const client = await connect()
    client.send(reload('team/slow'))
    t.equal(await client.ask('hi'), 'You said: hi')
    t.equal(llm.requests[0]!.messages[0]!.content, 'You are Ada.')
    await client.next('session.characters.reloaded')
    await client.ask('hi')
    t.equal(llm.requests[1]!.messages[0]!.content, 'You are Slow.')
  })
})

t.test('a response under way is cancelled before the swap', async t => {
  const { connect } = await start(t, async function * (request, signal) {
    yield { type: 'text', delta: 'Well,' }
    yield await hang(signal)
  })
  const client = await connect()
  client.say('hi')
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await client.next('response.output_text.delta')
  const from = client.events.length
  await reloaded(client, 'team')
  t.same(client.types(from), [
    'response.output_text.done', 'response.content_part.done', 'conversation.item.done', 'response.output_item.done',
    'response.done', 'rate_limits.updated', 'session.characters.reloaded', 'session.updated'
  ])
  t.match(client.of('response.done')[0]!.response, { status: 'cancelled', status_details: { type: 'cancelled', reason: 'client_cancelled' } })
})

t.test('a reload that fails leaves the response alone', async t => {
  let open = () => {}
  const opened = new Promise<void>(resolve => { open = resolve })
  const { connect } = await start(t, async function * () {
    await opened
    yield * says('Here.')
  })
  const client = await connect()
  client.say('hi')
  client.send({ type: 'response.create' })
  await client.next('response.created')
  await client.fail(reload('team/ruins'))
  open()
  t.equal((await client.next('response.done')).response.status, 'completed')
})

t.test('who is selected', async t => {
  t.test('stays so by name, with what the new cast makes of it', async t => {
    const { connect, llm } = await start(t)
    const client = await connect('?character=Bob')
    t.match((await reloaded(client, 'team')).session, { character: 'Bob', audio: { output: { voice: 'Bob' } } })
    await client.ask('hi')
    t.equal(llm.requests[0]!.messages[0]!.content, 'You are Bob of the team.')
  })

  t.test('is the first of the new cast where there is no such name', async t => {
    const client = await shared.connect('?character=Ada')
    t.match((await reloaded(client, 'team')).session, { character: 'Bob' })
    t.match((await reloaded(client, 'team/winter')).session, { character: 'Wim' })
    t.match((await reloaded(client, 'default')).session, { character: 'Ada' })
  })

  t.test('stays nobody where the client wants nobody', async t => {
    const client = await shared.connect()
    await client.update({ character: null })
    t.match((await reloaded(client, 'team')).session, { character: null })
    const other = await shared.connect()
    await other.update({ instructions: 'You are a ship.' })
    t.match((await reloaded(other, 'team')).session, { character: null })
  })

  t.test('keeps a plain voice', async t => {
    const client = await shared.connect()
    await client.update({ character: 'Bob', audio: { output: { voice: 'marin' } } })
    t.match((await reloaded(client, 'team')).session, { character: 'Bob', audio: { output: { voice: 'marin' } } })
  })

  t.test('can be selected from the new cast only', async t => {
    const client = await shared.connect()
    await reloaded(client, 'team')
    t.match(await client.fail({ type: 'session.update', session: { type: 'realtime', character: 'Ada' } }), { code: 'invalid_value', param: 'session.character' })
    t.equal((await client.update({ character: 'Tim' })).character, 'Tim')
  })
})

t.test('the conversation', async t => {
  const told = (request: { messages: { content: unknown }[] }) => request.messages.slice(1).map(({ content }) => content)

  t.test('is kept', async t => {
    for (const more of [{}, { conversation: 'keep' }]) {
      const { connect, llm } = await start(t)
      const client = await connect()
      await client.ask('one')
      await reloaded(client, 'team', more)
      await client.ask('two')
      t.same(told(llm.requests[1]!), ['one', 'You said: one', 'two'])
    }
  })

  t.test('is reset where that is wanted', async t => {
    const { connect, llm } = await start(t)
    const client = await connect()
    await client.ask('one')
    const { item } = client.of('conversation.item.added')[0]!
    await reloaded(client, 'team', { conversation: 'reset' })
    t.match(await client.fail({ type: 'conversation.item.retrieve', item_id: item.id }), { code: 'item_retrieve_invalid_item_id' })
    const from = client.events.length
    await client.ask('two')
    t.same(told(llm.requests[1]!), ['two'])
    t.match(client.events[from], { type: 'conversation.item.added', previous_item_id: null })
  })
})

t.test('two casts with the same file names do not mix', async t => {
  const script: Script = ({ messages }) => {
    const last = messages.at(-1)!
    return last.role === 'tool' ? says(last.content) : calls('count', {})
  }
  const prompt = (llm: { requests: { messages: { content: unknown }[] }[] }) => new Set(llm.requests.map(({ messages }) => messages[0]!.content))

  t.test('in two sessions at once', async t => {
    const { connect, llm } = await start(t, script)
    const [red, blue, again] = await Promise.all([connect('?characters=red'), connect('?characters=blue'), connect('?characters=red')])
    const answers = await Promise.all([red, blue, again].map(async client => {
      const said: string[] = []
      for (let n = 0; n < 3; n++) said.push(await client.ask('Next?'))
      return said
    }))
    t.same(answers, [['red 1', 'red 2', 'red 3'], ['blue 1', 'blue 2', 'blue 3'], ['red 1', 'red 2', 'red 3']])
    t.same(prompt(llm), new Set(['You are Clerk. Of red', 'You are Clerk. Of blue']))
  })

  t.test('in one session after another', async t => {
    const { connect } = await start(t, script)
    const [one, other] = [await connect('?characters=red'), await connect('?characters=blue')]
    await one.ask('Next?')
    await other.ask('Next?')
    await reloaded(one, 'blue')
    t.equal(await one.ask('Next?'), 'blue 1')
    t.equal(await other.ask('Next?'), 'blue 2')
    await reloaded(one, 'red')
    t.equal(await one.ask('Next?'), 'red 1')
  })

  t.test('and a cast that is loaded again begins anew', async t => {
    const { connect } = await start(t, script)
    const client = await connect('?characters=red')
    t.equal(await client.ask('Next?'), 'red 1')
    await reloaded(client, 'red')
    t.equal(await client.ask('Next?'), 'red 1')
  })

  t.test('while both reload and talk at the same time', async t => {
    const { connect } = await start(t, script)
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect()))
    await Promise.all(clients.map(async (client, index) => {
      for (let n = 0; n < 5; n++) {
        const house = (index + n) % 2 === 0 ? 'red' : 'blue'
        await reloaded(client, house)
        t.same([await client.ask('Next?'), await client.ask('Next?')], [`${house} 1`, `${house} 2`])
      }
    }))
  })
})

t.test('nothing is left', async t => {
  const gauge = async (http: string, name: string) => {
    const text = await (await fetch(`${http}/metrics`)).text()
    return Number(new RegExp(`^${name}(?:{[^}]*})? (.*)$`, 'm').exec(text)?.[1] ?? 0)
  }

  t.test('of the old cast after a reload', async t => {
    const { connect, live } = await start(t)
    const client = await connect()
    t.equal(live(), 1)
    for (const name of ['team', 'team/winter', 'red', 'default']) await reloaded(client, name)
    await until(() => live() === 1)
    await client.fail(reload('team/ruins'))
    await until(() => live() === 1)
    t.pass()
  })

  t.test('of a session when its socket closes', async t => {
    const { connect, live, http } = await start(t)
    const clients = await Promise.all([connect(), connect('?characters=team'), connect('?character=Bob')])
    t.equal(live(), 3)
    t.equal(await gauge(http, 'session_character_count'), 6)
    await Promise.all(clients.map(client => client.close()))
    await until(() => live() === 0)
    t.equal(await gauge(http, 'session_character_count'), 0)
    t.equal(await gauge(http, 'dramatis_sessions_active'), 0)
  })

  t.test('when the socket is cut', async t => {
    const { connect, live } = await start(t, async function * (request, signal) { yield await hang(signal) })
    const client = await connect()
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    client.socket.terminate()
    await until(() => live() === 0)
    t.pass()
  })

  t.test('when the socket closes during reloads', async t => {
    const { connect, live } = await start(t)
    const client = await connect()
    for (const name of ['team/slow', 'team', 'team/slow']) client.send(reload(name))
    await client.settle()
    await client.close()
    await until(() => live() === 0)
    t.same(client.of('session.characters.reloaded'), [])
  })

  t.test('when the client is refused after its cast was loaded', async t => {
    const { connect, live } = await start(t)
    await t.rejects(connect('?characters=team&character=Eve'), /400/)
    await until(() => live() === 0)
    t.pass()
  })

  t.test('when the server closes during a reload', async t => {
    const { connect, app, live } = await start(t)
    const client = await connect()
    client.send(reload('team/slow'))
    await client.settle()
    await app.close()
    t.equal(live(), 0)
    t.equal((await client.closed).code, 1001)
  })
})

t.test('an answer under the new cast is spoken by it', async t => {
  const client = await shared.connect()
  await reloaded(client, 'team/winter')
  client.say('hi')
  client.send({ type: 'response.create' })
  const { response } = await client.next('response.done')
  t.equal(textOf(response), 'You said: hi')
  t.equal(response.audio.output.voice, 'Wim')
})

import t from 'tap'
import { textOf } from '../support/client.js'
import { hang, says } from '../support/engines.js'
import { path, start } from '../support/reloading.js'
import { latch } from '../support/transcript.js'

// Another cast for a running session: the events `session.characters.*`.

const shared = await start(t)
const reload = (name: unknown, more: object = {}) => ({ type: 'session.characters.reload', directory: name, ...more })

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
  t.equal((await client.listCharacters()).request_event_id, null)
})

t.test('reloading', async t => {
  t.test('another root is answered with the new cast, then with the session', async t => {
    const client = await shared.connect()
    const from = client.events.length
    const { report, session } = await client.reload({ directory: 'team', event_id: 'mine' })
    const { type, event_id: id, duration_ms: ms, version, ...rest } = report
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
    t.match(await client.listCharacters(), { directory: 'team', character_count: 2 })
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
      const { report, session } = await client.reload({ directory: name })
      t.equal(report.directory, canonical)
      t.same(session.characters, names)
    }
    t.notMatch(JSON.stringify(client.events), path())
  })

  t.test('tells of each file that is broken, and takes the others', async t => {
    const client = await shared.connect()
    const { report } = await client.reload({ directory: 'team/broken' })
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
      t.notMatch(message, path())
    }
    t.strictSame(await client.update({}), before)
    t.match(await client.listCharacters(), { directory: 'default', character_count: 2 })
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
  await client.reload({ directory: 'team' })
  t.same(client.types(from), [
    'response.output_text.done', 'response.content_part.done', 'conversation.item.done', 'response.output_item.done',
    'response.done', 'rate_limits.updated', 'session.characters.reloaded', 'session.updated'
  ])
  t.match(client.of('response.done')[0]!.response, { status: 'cancelled', status_details: { type: 'cancelled', reason: 'client_cancelled' } })
})

t.test('a reload that fails leaves the response alone', async t => {
  const { opened, open } = latch()
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
    t.match((await client.reload({ directory: 'team' })).session, { character: 'Bob', audio: { output: { voice: 'Bob' } } })
    await client.ask('hi')
    t.equal(llm.requests[0]!.messages[0]!.content, 'You are Bob of the team.')
  })

  t.test('is the first of the new cast where there is no such name', async t => {
    const client = await shared.connect('?character=Ada')
    t.match((await client.reload({ directory: 'team' })).session, { character: 'Bob' })
    t.match((await client.reload({ directory: 'team/winter' })).session, { character: 'Wim' })
    t.match((await client.reload({ directory: 'default' })).session, { character: 'Ada' })
  })

  t.test('stays nobody where the client wants nobody', async t => {
    const client = await shared.connect()
    await client.update({ character: null })
    t.match((await client.reload({ directory: 'team' })).session, { character: null })
    const other = await shared.connect()
    await other.update({ instructions: 'You are a ship.' })
    t.match((await other.reload({ directory: 'team' })).session, { character: null })
  })

  t.test('keeps a plain voice', async t => {
    const client = await shared.connect()
    await client.update({ character: 'Bob', audio: { output: { voice: 'marin' } } })
    t.match((await client.reload({ directory: 'team' })).session, { character: 'Bob', audio: { output: { voice: 'marin' } } })
  })

  t.test('can be selected from the new cast only', async t => {
    const client = await shared.connect()
    await client.reload({ directory: 'team' })
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
      await client.reload({ directory: 'team', ...more })
      await client.ask('two')
      t.same(told(llm.requests[1]!), ['one', 'You said: one', 'two'])
    }
  })

  t.test('is reset where that is wanted', async t => {
    const { connect, llm } = await start(t)
    const client = await connect()
    await client.ask('one')
    const { item } = client.of('conversation.item.added')[0]!
    await client.reload({ directory: 'team', conversation: 'reset' })
    t.match(await client.fail({ type: 'conversation.item.retrieve', item_id: item.id }), { code: 'item_retrieve_invalid_item_id' })
    const from = client.events.length
    await client.ask('two')
    t.same(told(llm.requests[1]!), ['two'])
    t.match(client.events[from], { type: 'conversation.item.added', previous_item_id: null })
  })
})

t.test('an answer under the new cast is spoken by it', async t => {
  const client = await shared.connect()
  await client.reload({ directory: 'team/winter' })
  client.say('hi')
  const response = await client.respond()
  t.equal(textOf(response), 'You said: hi')
  t.equal(response.audio.output.voice, 'Wim')
})

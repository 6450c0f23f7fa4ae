import { join } from 'node:path'
import t, { type Test } from 'tap'
import { castOf, characterSource } from '../support/casts.js'
import { cannedEngines } from '../support/engines.js'
import { refusal } from '../support/refusal.js'
import { startServer } from '../support/server.js'

// Who speaks: whom the server and the client have selected, by an update or by the URL (a character's own rules in the README).

// Cedar is also the name of a voice of the hosted API.
const fixtures = t.testdir({
  cast: {
    'ada.ts': characterSource('Ada'),
    'bob.ts': characterSource('Bob', "metadata: { good: false }, greeting: 'Bob here.'"),
    'cedar.ts': characterSource('cedar')
  },
  team: castOf('Tim', 'Tom')
})
const [cast, team] = [join(fixtures, 'cast'), join(fixtures, 'team')]
const server = await startServer(t, { characters: { directory: cast, roots: { team } } })

type Session = Awaited<ReturnType<Awaited<ReturnType<typeof server.connect>>['update']>>
const who = ({ character, audio }: Session) => [character, audio.output.voice]
const voice = (name: unknown) => ({ audio: { output: { voice: name } } })

async function connect (query = '') {
  const client = await server.connect(query)
  return { client, session: client.of('session.created')[0]!.session }
}

t.test('selecting', async t => {
  t.test('the server\'s choice speaks first: the first of the cast', async t => {
    t.same(who((await connect()).session), ['Ada', 'Ada'])
  })

  const started = async (t: Test, choice: string | null) => {
    const other = await startServer(t, { characters: { directory: cast, default: choice } })
    const client = await other.connect()
    return { client, session: client.of('session.created')[0]!.session }
  }

  t.test('the server\'s choice may be another, or nobody', async t => {
    t.same(who((await started(t, 'Bob')).session), ['Bob', 'Bob'])
    t.same(who((await started(t, null)).session), [null, 'alloy'])
  })

  t.test('a client selects by name, by the name as voice, and by the path of the voice', async t => {
    const { client } = await connect()
    t.same(who(await client.update({ character: 'Bob' })), ['Bob', 'Bob'])
    t.same(who(await client.update(voice('Ada'))), ['Ada', 'Ada'])
    t.same(who(await client.update(voice('voices/bob.wav'))), ['Bob', 'Bob'])
    t.same(who(await client.update(voice({ id: 'Ada' }))), ['Ada', 'Ada'])
    t.same(who(await client.update({ character: 'voices/bob.wav' })), ['Bob', 'Bob'])
  })

  t.test('a character that is not good can be selected all the same', async t => {
    const { client } = await connect()
    await client.update({ character: 'Bob', output_modalities: ['text'] })
    t.match((await client.respond()).output, [{ content: [{ text: 'Bob here.' }] }])
  })

  t.test('null deselects', async t => {
    const { client } = await connect()
    t.same(who(await client.update({ character: null })), [null, 'alloy'])
    t.same(who(await client.update({ instructions: '' })), [null, 'alloy'])
  })

  t.test('a plain voice changes the sound and leaves the character', async t => {
    const { client } = await connect()
    t.same(who(await client.update(voice('marin'))), ['Ada', 'marin'])
    t.same(who(await client.update(voice('high'))), ['Ada', 'high'])
    t.same(who(await client.update({ character: 'Bob' })), ['Bob', 'Bob'])
  })

  t.test('the name of a character wins over the plain voice of that name', async t => {
    const { client } = await connect()
    t.same(who(await client.update(voice('cedar'))), ['cedar', 'cedar'])
  })

  t.test('of both in one update the character comes first, then the sound', async t => {
    const { client } = await connect()
    t.same(who(await client.update({ character: 'Bob', ...voice('marin') })), ['Bob', 'marin'])
    t.same(who(await client.update({ character: null, ...voice('low') })), [null, 'low'])
    t.same(who(await client.update({ character: 'Bob', ...voice('Ada') })), ['Ada', 'Ada'])
  })

  t.test('the voice may change after something was said aloud', async t => {
    const { client } = await connect()
    await client.ask('hi', {})
    t.same(who(await client.update(voice('Bob'))), ['Bob', 'Bob'])
  })

  t.test('instructions of a client that selected nobody deselect the server\'s choice', async t => {
    const { client } = await connect()
    const session = await client.update({ instructions: 'You are a ship.' })
    t.same(who(session), [null, 'alloy'])
    t.equal(session.instructions, 'You are a ship.')
  })

  t.test('they keep the sound that the client chose', async t => {
    const { client } = await connect()
    await client.update(voice('marin'))
    t.same(who(await client.update({ instructions: 'You are a ship.' })), [null, 'marin'])
  })

  t.test('empty instructions deselect nobody', async t => {
    const { client } = await connect()
    t.same(who(await client.update({ instructions: '' })), ['Ada', 'Ada'])
  })

  t.test('instructions leave whom the client has selected: before, in the same update, or at connect', async t => {
    const { client } = await connect()
    await client.update({ character: 'Ada' })
    t.same(who(await client.update({ instructions: 'Be brief.' })), ['Ada', 'Ada'])
    const second = await connect()
    t.same(who(await second.client.update({ instructions: 'Be brief.', ...voice('Bob') })), ['Bob', 'Bob'])
    const third = await connect('?character=Bob')
    t.same(who(await third.client.update({ instructions: 'Be brief.' })), ['Bob', 'Bob'])
  })

  t.test('instructions of one response deselect nobody', async t => {
    const { client } = await connect()
    await client.ask('hi', { output_modalities: ['text'], instructions: 'You are a ship.' })
    t.same(who(await client.update({})), ['Ada', 'Ada'])
  })

  t.test('who is selected is who the model is told to be', async t => {
    const engines = cannedEngines()
    const other = await startServer(t, { ...engines, characters: { directory: cast } })
    const client = await other.connect()
    await client.update({ character: 'Bob' })
    await client.ask('hi')
    await client.update({ character: null, instructions: 'You are a ship.' })
    await client.ask('hi')
    t.same(engines.llm.requests.map(({ messages }) => messages[0]!.content), ['You are Bob.', 'You are a ship.'])
  })
})

t.test('the URL', async t => {
  t.test('selects a character', async t => {
    t.same(who((await connect('?character=Bob')).session), ['Bob', 'Bob'])
  })

  t.test('names another cast, whose first one speaks', async t => {
    const { session } = await connect('?characters=team')
    t.same(who(session), ['Tim', 'Tim'])
    t.same(session.characters, ['Tim', 'Tom'])
  })

  t.test('selects from the cast that it names', async t => {
    t.same(who((await connect('?characters=team&character=Tom')).session), ['Tom', 'Tom'])
  })

  const refused: [query: string, error: object][] = [
    ['?character=Eve', { code: 'invalid_value', param: 'character' }],
    ['?characters=team&character=Ada', { code: 'invalid_value', param: 'character' }],
    ['?characters=ghosts', { code: 'directory_not_allowed' }],
    ['?characters=team/ghosts', { code: 'directory_not_found' }],
    ['?characters=/etc', { code: 'directory_not_allowed' }],
    ['?characters=', { code: 'invalid_directory_format' }]
  ]
  for (const [query, wanted] of refused) {
    t.test(`with ${query} is refused with 400 before the upgrade`, async t => {
      const { status, body } = await refusal(`ws://127.0.0.1:${server.port}/v1/realtime${query}`)
      t.equal(status, 400)
      t.match(body, { error: { type: 'invalid_request_error', ...wanted } })
      t.notMatch(JSON.stringify(body), cast)
    })
  }
})

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { castOf, characterSource } from '../support/casts.js'
import { cannedEngines } from '../support/engines.js'
import { startServer } from '../support/server.js'

// What `session.update` changes, and who it selects (PROTOCOL section 3.1; a character's own rules in the README).

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

t.test('a session begins with all its keys at their defaults', async t => {
  const { session } = await connect('?model=anything')
  const { id, expires_at: expires, ...rest } = session
  t.match(id, /^sess_\w{21}$/)
  t.ok(Math.abs(expires - Date.now() / 1000 - 3600) < 5)
  t.strictSame(rest, {
    type: 'realtime',
    object: 'realtime.session',
    model: 'anything',
    output_modalities: ['audio'],
    instructions: '',
    tools: [],
    tool_choice: 'auto',
    max_output_tokens: 'inf',
    tracing: null,
    truncation: 'auto',
    prompt: null,
    audio: {
      input: {
        format: { type: 'audio/pcm', rate: 24000 },
        transcription: null,
        noise_reduction: null,
        turn_detection: {
          type: 'server_vad',
          threshold: 0.5,
          prefix_padding_ms: 300,
          silence_duration_ms: 500,
          idle_timeout_ms: null,
          create_response: true,
          interrupt_response: true
        }
      },
      output: { format: { type: 'audio/pcm', rate: 24000 }, voice: 'Ada', speed: 1 }
    },
    include: null,
    characters: ['Ada', 'Bob', 'cedar'],
    character: 'Ada',
    character_tools: 'hidden',
    memory: 'shared',
    hand_over: false,
    engines: { stt: 'counting', llm: 'scripted', tts: 'tone' }
  })
})

t.test('merging', async t => {
  t.test('an update without anything changes nothing', async t => {
    const { client, session } = await connect()
    t.strictSame(await client.update({}), session)
  })

  t.test('every field can be set, and what an update leaves out stays', async t => {
    const { client, session } = await connect()
    const tools = [{ type: 'function', name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } }]
    const updates: Record<string, unknown>[] = [
      { output_modalities: ['text'] },
      { tools },
      { tool_choice: { type: 'function', name: 'look' } },
      { max_output_tokens: 100 },
      { tracing: 'auto' },
      { truncation: { type: 'retention_ratio', retention_ratio: 0.5 } },
      { prompt: { id: 'pmpt_1' } },
      { include: ['item.input_audio_transcription.logprobs'] },
      { character_tools: 'visible' },
      { memory: 'own' },
      { hand_over: ['Bob'] },
      { parallel_tool_calls: true },
      { reasoning: { effort: 'low' } }
    ]
    let wanted: Record<string, unknown> = { ...session }
    for (const update of updates) {
      wanted = { ...wanted, ...update }
      t.strictSame(await client.update(update), wanted)
    }
    for (const update of [{ tools: [] }, { tracing: null }, { prompt: null }, { include: null }]) {
      wanted = { ...wanted, ...update }
      t.strictSame(await client.update(update), wanted)
    }
  })

  t.test('a function may be chosen by its bare name, if the session has it', async t => {
    const { client } = await connect()
    const session = await client.update({ tools: [{ type: 'function', name: 'look' }], tool_choice: 'look' })
    t.strictSame(session.tool_choice, { type: 'function', name: 'look' })
    client.send({ type: 'response.create', response: { tools: [{ type: 'function', name: 'hear' }], tool_choice: 'look' } })
    t.match(await client.next('error'), { error: { code: 'invalid_value', param: 'response.tool_choice' } })
  })

  t.test('below audio each field is merged by itself', async t => {
    const { client, session } = await connect()
    const noise = { type: 'near_field' }
    t.strictSame((await client.update({ audio: { input: { noise_reduction: noise } } })).audio.input, { ...session.audio.input, noise_reduction: noise })
    const { audio } = await client.update({ audio: { output: { speed: 1.25 } } })
    t.strictSame(audio.input, { ...session.audio.input, noise_reduction: noise })
    t.strictSame(audio.output, { ...session.audio.output, speed: 1.25 })
    t.equal((await client.update({ audio: { input: { noise_reduction: null } } })).audio.input.noise_reduction, null)
  })

  t.test('turn detection is replaced as a whole, what it leaves out taking its default', async t => {
    const { client } = await connect()
    const turns = async (given: object | null) => (await client.update({ audio: { input: { turn_detection: given } } })).audio.input.turn_detection
    await turns({ type: 'server_vad', threshold: 0.8, silence_duration_ms: 900 })
    t.strictSame(await turns({ type: 'server_vad', prefix_padding_ms: 100, create_response: false }), {
      type: 'server_vad',
      threshold: 0.5,
      prefix_padding_ms: 100,
      silence_duration_ms: 500,
      idle_timeout_ms: null,
      create_response: false,
      interrupt_response: true
    })
    t.strictSame(await turns({ type: 'semantic_vad', eagerness: 'high' }), { type: 'semantic_vad', eagerness: 'high', create_response: true, interrupt_response: true })
    t.equal(await turns(null), null)
    t.equal((await client.update({})).audio.input.turn_detection, null)
  })

  t.test('transcription comes back with all its keys', async t => {
    const { client } = await connect()
    const { audio } = await client.update({ audio: { input: { transcription: { model: 'whisper-1', language: 'en' } } } })
    t.strictSame(audio.input.transcription, { model: 'whisper-1', language: 'en', prompt: null })
    t.equal((await client.update({ audio: { input: { transcription: null } } })).audio.input.transcription, null)
  })

  t.test('unknown fields, and a model, are no error', async t => {
    const { client, session } = await connect()
    t.strictSame(await client.update({ model: 'other', news: { effort: 'low' }, audio: { input: { news: 1 } } }), session)
  })

  t.test('one session does not change another', async t => {
    const one = await connect()
    const other = await connect()
    await one.client.update({ tools: [{ type: 'function', name: 'look' }], ...voice('Bob') })
    t.strictSame(await other.client.update({}), other.session)
  })
})

t.test('a wrong update is one error that names the field, and changes nothing', async t => {
  const { client } = await connect()
  const before = await client.update({ output_modalities: ['text'] })
  const input = (fields: object) => ({ audio: { input: fields } })
  const turns = (fields: object) => input({ turn_detection: fields })
  const cases: [update: Record<string, unknown>, code: string, param: string][] = [
    [{ type: undefined }, 'missing_required_parameter', 'session.type'],
    [{ type: 'translation' }, 'invalid_value', 'session.type'],
    [{ type: 'transcription' }, 'invalid_value', 'session.type'],
    [{ type: 7 }, 'invalid_type', 'session.type'],
    [{ output_modalities: ['text', 'audio'] }, 'invalid_value', 'session.output_modalities'],
    [{ output_modalities: ['video'] }, 'invalid_value', 'session.output_modalities[0]'],
    [{ output_modalities: 'text' }, 'invalid_type', 'session.output_modalities'],
    [{ output_modalities: [] }, 'invalid_value', 'session.output_modalities'],
    [{ instructions: 5 }, 'invalid_type', 'session.instructions'],
    [{ instructions: 'x'.repeat(256_001) }, 'string_above_max_length', 'session.instructions'],
    [{ tools: [{ type: 'function' }] }, 'missing_required_parameter', 'session.tools[0].name'],
    [{ tools: [{ type: 'mcp', server_label: 'x' }] }, 'invalid_value', 'session.tools[0].type'],
    [{ tools: [{ type: 'function', name: 'two words' }] }, 'invalid_value', 'session.tools[0].name'],
    [{ tool_choice: 'sometimes' }, 'invalid_value', 'session.tool_choice'],
    [{ tool_choice: { type: 'function' } }, 'missing_required_parameter', 'session.tool_choice.name'],
    [{ max_output_tokens: 0 }, 'invalid_value', 'session.max_output_tokens'],
    [{ max_output_tokens: 4097 }, 'invalid_value', 'session.max_output_tokens'],
    [{ max_output_tokens: 'lots' }, 'invalid_value', 'session.max_output_tokens'],
    [{ truncation: 'never' }, 'invalid_value', 'session.truncation'],
    [{ character: 'Eve' }, 'invalid_value', 'session.character'],
    [{ character: 5 }, 'invalid_type', 'session.character'],
    [{ character_tools: 'some' }, 'invalid_value', 'session.character_tools'],
    [{ audio: [] }, 'invalid_type', 'session.audio'],
    [input({ format: { type: 'audio/mp3' } }), 'invalid_value', 'session.audio.input.format.type'],
    [input({ format: { type: 'audio/pcm', rate: 16000 } }), 'invalid_value', 'session.audio.input.format.rate'],
    [input({ noise_reduction: { type: 'far' } }), 'invalid_value', 'session.audio.input.noise_reduction.type'],
    [input({ transcription: { model: 5 } }), 'invalid_type', 'session.audio.input.transcription.model'],
    [turns({ type: 'loud_vad' }), 'invalid_value', 'session.audio.input.turn_detection.type'],
    [turns({}), 'missing_required_parameter', 'session.audio.input.turn_detection.type'],
    [turns({ type: 'server_vad', threshold: 1.5 }), 'invalid_value', 'session.audio.input.turn_detection.threshold'],
    [turns({ type: 'server_vad', silence_duration_ms: '500' }), 'invalid_type', 'session.audio.input.turn_detection.silence_duration_ms'],
    [turns({ type: 'server_vad', idle_timeout_ms: 100 }), 'invalid_value', 'session.audio.input.turn_detection.idle_timeout_ms'],
    [turns({ type: 'semantic_vad', eagerness: 'wild' }), 'invalid_value', 'session.audio.input.turn_detection.eagerness'],
    [voice('nobody'), 'invalid_value', 'session.audio.output.voice'],
    [voice(''), 'invalid_value', 'session.audio.output.voice'],
    [voice({ id: 'voice_1' }), 'invalid_value', 'session.audio.output.voice'],
    [voice(7), 'invalid_type', 'session.audio.output.voice'],
    [{ audio: { output: { speed: 2 } } }, 'invalid_value', 'session.audio.output.speed'],
    [{ audio: { output: { speed: 'fast' } } }, 'invalid_type', 'session.audio.output.speed'],
    [{ character: 'Bob', ...voice('nobody') }, 'invalid_value', 'session.audio.output.voice'],
    [{ character: 'Eve', ...voice('Bob') }, 'invalid_value', 'session.character']
  ]
  for (const [update, code, param] of cases) {
    const from = client.events.length
    // Something valid beside it must not be applied either.
    const session = { type: 'realtime', tool_choice: 'none', max_output_tokens: 7, ...update }
    const error = await client.fail({ type: 'session.update', event_id: 'mine', session })
    const { message, ...rest } = error
    const name = JSON.stringify(update).slice(0, 80)
    t.strictSame(rest, { type: 'invalid_request_error', code, param, event_id: 'mine' }, name)
    t.ok(message.length > 10 && message.length < 500, message)
    t.strictSame(await client.update({}), before, `${name} changes nothing`)
    t.equal(client.events.length, from + 2)
  }
})

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
    client.send({ type: 'response.create' })
    t.match((await client.next('response.done')).response.output, [{ content: [{ text: 'Bob here.' }] }])
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
      const socket = new WebSocket(`${server.http.replace('http', 'ws')}/v1/realtime${query}`)
      const [status, body] = await new Promise<[number | undefined, string]>((resolve, reject) => {
        socket.on('open', () => reject(new Error('upgraded')))
        socket.on('error', reject)
        socket.on('unexpected-response', async (request, response) => {
          let text = ''
          for await (const chunk of response) text += chunk
          resolve([response.statusCode, text])
        })
      })
      t.equal(status, 400)
      t.match(JSON.parse(body), { error: { type: 'invalid_request_error', ...wanted } })
      t.notMatch(body, cast)
    })
  }
})

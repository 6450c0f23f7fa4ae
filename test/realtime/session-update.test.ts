import t from 'tap'
import { castOf } from '../support/casts.js'
import { startServer } from '../support/server.js'

// What `session.update` changes (PROTOCOL section 3.1).

const server = await startServer(t, { characters: { directory: t.testdir(castOf('Ada', 'Bob', 'Cleo')) } })

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
    characters: ['Ada', 'Bob', 'Cleo'],
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

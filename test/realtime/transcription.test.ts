import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import type { SttEngine } from '../../lib/engines/engine.js'
import { EngineError } from '../../lib/engines/engine.js'
import { startAudioServer } from '../support/audio-server.js'
import type { TestClient } from '../support/client.js'
import { base64, cannedEngines, tone } from '../support/engines.js'
import { startServer } from '../support/server.js'

/** Says a word for every 100 ms, as it hears them. */
function wordy (): SttEngine {
  return {
    name: 'wordy',
    async * transcribe (audio, { signal }) {
      let samples = 0
      let words = 0
      for await (const chunk of audio) {
        samples += chunk.length
        for (; words < Math.floor(samples / 2400); words++) yield { delta: words === 0 ? 'word' : ' word' }
      }
      signal.throwIfAborted()
    }
  }
}

async function connect (t: Test, stt: SttEngine = cannedEngines().stt, input: Record<string, unknown> = {}) {
  const server = await startServer(t, { ...cannedEngines(), stt })
  const client = await server.connect('?intent=transcription')
  const session = await client.update({ type: 'transcription', audio: { input } })
  return { client, session }
}

t.test('the session object of a transcription session has what it can use, and no more', async t => {
  const { client, session } = await connect(t)
  const created = client.of('session.created')[0]!.session
  for (const one of [created, session] as unknown[]) {
    t.match(one, { type: 'transcription', object: 'realtime.transcription_session', include: null })
    t.strictSame(Object.keys(one as object).sort(), ['audio', 'expires_at', 'id', 'include', 'object', 'type'])
    t.strictSame((one as typeof created).audio, {
      input: {
        format: { type: 'audio/pcm', rate: 24_000 },
        transcription: null,
        noise_reduction: null,
        turn_detection: { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500 }
      }
    } as unknown as typeof created.audio)
  }
})

t.test('speech becomes an item and its words, and nobody answers', async t => {
  const { client } = await connect(t)
  client.append(tone(500, 0))
  client.append(tone(500))
  client.append(tone(700, 0))
  const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
  await client.settle()
  t.match(transcript, /^\d+ ms of audio$/)
  t.strictSame(client.types(2), [
    'input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped', 'input_audio_buffer.committed',
    'conversation.item.added', 'conversation.item.done',
    'conversation.item.input_audio_transcription.delta', 'conversation.item.input_audio_transcription.completed'
  ])
})

t.test('words come while somebody still speaks', async t => {
  const { client } = await connect(t, wordy())
  client.append(tone(1000), 100)
  const { item_id: id } = await client.next('input_audio_buffer.speech_started')
  t.match(await client.next('conversation.item.input_audio_transcription.delta'), { item_id: id, content_index: 0, delta: 'word' })
  t.equal(client.of('input_audio_buffer.speech_stopped').length, 0)
  client.append(tone(800, 0))
  const { transcript } = await client.next('conversation.item.input_audio_transcription.completed', event => event.item_id === id)
  t.equal(transcript, client.of('conversation.item.input_audio_transcription.delta').map(event => event.delta).join(''))
})

t.test('without turn detection words come before the client commits, of the item it then becomes', async t => {
  const { client } = await connect(t, wordy(), { turn_detection: null, transcription: { model: 'any' } })
  client.append(tone(300), 100)
  const { item_id: id } = await client.next('conversation.item.input_audio_transcription.delta')
  client.send({ type: 'input_audio_buffer.commit' })
  t.equal((await client.next('input_audio_buffer.committed')).item_id, id)
  t.match(await client.next('conversation.item.input_audio_transcription.completed'), {
    item_id: id, transcript: 'word word word', usage: { type: 'duration', seconds: 1 }
  })
  client.append(tone(300), 100)
  client.send({ type: 'input_audio_buffer.commit' })
  const next = await client.next('input_audio_buffer.committed')
  t.equal(next.previous_item_id, id)
  t.not(next.item_id, id)
})

t.test('cleared audio has no transcript', async t => {
  const { client } = await connect(t, cannedEngines().stt, { turn_detection: null })
  client.append(tone(300))
  client.send({ type: 'input_audio_buffer.clear' })
  await client.next('input_audio_buffer.cleared')
  t.match(await client.fail({ type: 'input_audio_buffer.commit' }), { code: 'input_audio_buffer_commit_empty' })
  t.equal(client.of('conversation.item.input_audio_transcription.completed').length, 0)
})

t.test('recognition that fails is told of its item, and the session goes on', async t => {
  let fail = true
  const good = cannedEngines().stt
  const stt: SttEngine = {
    name: 'moody',
    transcribe (audio, options) {
      if (!fail) return good.transcribe(audio, options)
      fail = false
      throw new EngineError('engine_failed', 'moody', 'No ears today.')
    }
  }
  const { client } = await connect(t, stt, { turn_detection: null })
  for (const type of ['failed', 'completed'] as const) {
    client.append(tone(300))
    client.send({ type: 'input_audio_buffer.commit' })
    const { item_id: id } = await client.next('input_audio_buffer.committed')
    const told = await client.next(`conversation.item.input_audio_transcription.${type}`)
    t.match(told, { item_id: id, content_index: 0, ...type === 'failed' ? { error: { code: 'engine_failed', message: 'No ears today.' } } : {} })
  }
})

t.test('a transcription session makes no responses', async t => {
  const { client } = await connect(t)
  t.match(await client.fail({ type: 'response.create', event_id: 'mine' }), { type: 'invalid_request_error', code: 'invalid_value', param: 'type', event_id: 'mine' })
  t.match(await client.fail({ type: 'response.cancel' }), { code: 'invalid_value', param: 'type' })
})

t.test('the type of a session cannot change, either way', async t => {
  const { client } = await connect(t)
  t.match(await client.fail({ type: 'session.update', session: { type: 'realtime' } }), { code: 'invalid_value', param: 'session.type' })
  const server = await startServer(t)
  const other = await server.connect()
  t.match(await other.fail({ type: 'session.update', session: { type: 'transcription' } }), { code: 'invalid_value', param: 'session.type' })
})

t.test('what the client expects to hear reaches the recogniser', async t => {
  const asked: object[] = []
  const { stt } = cannedEngines()
  const { client } = await connect(t, {
    ...stt,
    transcribe (audio, { signal, ...options }) {
      asked.push(options)
      return stt.transcribe(audio, { ...options, signal })
    }
  })
  for (const transcription of [
    { model: 'm', language: 'fr', prompt: 'A story.', languages: ['de'], keywords: ['Bath', 'Ada'] },
    { model: 'm', languages: ['de'], keywords: ['Bath'] },
    { model: 'm', languages: ['de', 'en'], keywords: [] }
  ]) {
    const session = await client.update({ type: 'transcription', audio: { input: { transcription, turn_detection: null } } })
    t.match(session.audio.input.transcription, transcription)
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    await client.next('conversation.item.input_audio_transcription.completed')
  }
  t.strictSame(asked, [
    { language: 'fr', prompt: 'A story.\nBath, Ada', model: 'm', logprobs: false },
    { language: 'de', prompt: 'Bath', model: 'm', logprobs: false },
    { language: undefined, prompt: undefined, model: 'm', logprobs: false }
  ])
})

t.test('log probabilities', async t => {
  const include = ['item.input_audio_transcription.logprobs']
  const good = { token: 'Good', logprob: -0.1, bytes: [71, 111, 111, 100] }
  const morning = { token: ' morning', logprob: -2.5, bytes: [...Buffer.from(' morning')] }

  /** Says how sure it is, whether or not it is asked. */
  function talkative (asked: unknown[] = []): SttEngine {
    const { stt } = cannedEngines()
    return {
      name: 'talkative',
      async * transcribe (audio, options) {
        asked.push(options.logprobs)
        const sure = [good, morning]
        for await (const chunk of stt.transcribe(audio, options)) yield { ...chunk, logprobs: sure.splice(0, 1) }
      }
    }
  }

  async function open (t: Test, stt: DramatisOptions['stt'], query: string, session: object) {
    const server = await startServer(t, { ...cannedEngines(), stt })
    const client = await server.connect(query)
    await client.update({ ...session, audio: { input: { turn_detection: null, transcription: { model: 'm' } } } })
    return client
  }

  /** What the client is told of one utterance. */
  async function hear (client: TestClient) {
    client.forget()
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    const completed = await client.next('conversation.item.input_audio_transcription.completed')
    const told = (event: object) => 'logprobs' in event ? event.logprobs : 'absent'
    return { deltas: client.of('conversation.item.input_audio_transcription.delta').map(told), whole: told(completed) }
  }

  for (const [kind, query, session] of [['a transcription session', '?intent=transcription', { type: 'transcription' }], ['a conversation', '', {}]] as const) {
    t.test(`come with the words to ${kind} that includes them`, async t => {
      const asked: unknown[] = []
      const client = await open(t, talkative(asked), query, { ...session, include })
      t.strictSame(await hear(client), { deltas: [[good], [morning]], whole: [good, morning] })
      t.strictSame(asked, [true])
    })

    t.test(`are neither asked for nor told in ${kind} that does not, or no longer does`, async t => {
      const asked: unknown[] = []
      const client = await open(t, talkative(asked), query, session)
      for (const given of [undefined, include, [], include, null]) {
        await client.update({ ...session, ...given === undefined ? {} : { include: given } })
        const wanted = given?.length === 1
        t.strictSame(await hear(client), wanted ? { deltas: [[good], [morning]], whole: [good, morning] } : { deltas: ['absent', 'absent'], whole: 'absent' })
        t.equal(asked.at(-1), wanted)
      }
    })
  }

  t.test('are not asked for in a conversation whose words nobody reads', async t => {
    const asked: unknown[] = []
    const client = await open(t, talkative(asked), '', { include })
    await client.update({ audio: { input: { transcription: null } } })
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.strictSame(asked, [false])
  })

  t.test('are not asked for of sound in an item that the client brings: there are no events of its words', async t => {
    const asked: unknown[] = []
    const client = await open(t, talkative(asked), '', { include })
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_audio', audio: base64(tone(200)) }] } })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.strictSame(asked, [false])
  })

  t.test('are absent where the engine gives none', async t => {
    const client = await open(t, cannedEngines().stt, '?intent=transcription', { type: 'transcription', include })
    t.strictSame(await hear(client), { deltas: ['absent', 'absent'], whole: 'absent' })
  })

  t.test('that an engine gives after the words are told with the whole', async t => {
    const stt: SttEngine = {
      ...talkative(),
      async * transcribe () {
        yield { delta: 'Good' }
        yield { delta: '', logprobs: [good] }
      }
    }
    const client = await open(t, stt, '?intent=transcription', { type: 'transcription', include })
    t.strictSame(await hear(client), { deltas: ['absent'], whole: [good] })
  })

  t.test('come from a server of the audio API; one that refuses them costs no words, and garbage is told of the item', async t => {
    const upstream = await startAudioServer()
    t.teardown(() => upstream.close())
    const client = await open(t, { engine: 'openai', baseUrl: upstream.url, model: 'test-model' }, '?intent=transcription', { type: 'transcription', include })
    upstream.script(
      { steps: [{ event: { type: 'transcript.text.delta', delta: 'Good', logprobs: [good] } }, { event: { type: 'transcript.text.done', text: 'Good', logprobs: [good] } }] },
      { body: { text: 'Good', logprobs: ['very'] } },
      { status: 400, body: { error: { message: 'Unknown parameter: include[]' } } }
    )
    t.strictSame(await hear(client), { deltas: [[good]], whole: [good] })
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    const { error } = await client.next('conversation.item.input_audio_transcription.failed')
    t.match(error, { code: 'engine_failed', message: /is not a transcript\.$/ })
    t.strictSame(await hear(client), { deltas: ['absent'], whole: 'absent' })
    t.same(upstream.requests.map(({ fields }) => fields['include[]']), ['logprobs', 'logprobs', 'logprobs', undefined])
  })
})

import t, { type Test } from 'tap'
import type { SttEngine } from '../../lib/engines/engine.js'
import { castOf } from '../support/casts.js'
import type { TestClient } from '../support/client.js'
import { base64, cannedEngines, echo, hang, says, type Script, tone } from '../support/engines.js'
import { startServer } from '../support/server.js'
import { latch, transcript } from '../support/transcript.js'

// What is heard becomes turns (PROTOCOL sections 7.4, 7.5 and 8). The voice detection of these tests takes
// loud for speech in frames of 32 ms, and what it hears is how long it was.

const directory = t.testdir(castOf('Ada'))

interface Given { script?: Script, stt?: SttEngine, input?: object, modality?: 'text' | 'audio' }

async function connect (t: Test, { script = echo, stt, input = {}, modality = 'text' }: Given = {}) {
  const engines = cannedEngines(script)
  const server = await startServer(t, { ...engines, ...stt === undefined ? {} : { stt }, characters: { directory, default: null } })
  const client = await server.connect()
  await client.update({ output_modalities: [modality], audio: { input } })
  return { client, llm: engines.llm, from: client.events.length }
}

const pushToTalk = { turn_detection: null }
const vad = (fields: object) => ({ turn_detection: { type: 'server_vad', ...fields } })
const silence = (ms: number) => new Int16Array(ms * 24)
const speech = (ms: number) => tone(ms)
const heard = (request: { messages: { content: unknown }[] }) => request.messages.at(-1)!.content
const commit = { type: 'input_audio_buffer.commit' }

/** The samples of an item, as the server kept them. */
async function recorded (client: TestClient, id: string): Promise<string | undefined> {
  client.send({ type: 'conversation.item.retrieve', item_id: id })
  const { item } = await client.next('conversation.item.retrieved')
  const part = item.type === 'message' ? item.content[0] : undefined
  return part?.type === 'input_audio' ? part.audio : undefined
}

t.test('push to talk', async t => {
  t.test('a commit makes an item and no response (PROTOCOL 7.5)', async t => {
    const { client, from, llm } = await connect(t, { input: pushToTalk })
    client.append(speech(240), 40)
    client.send(commit)
    await client.next('conversation.item.done')
    await client.settle()
    const item = { id: 'item_1', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] }
    t.strictSame(transcript(client.events.slice(from)), [
      { type: 'input_audio_buffer.committed', previous_item_id: null, item_id: 'item_1' },
      { type: 'conversation.item.added', previous_item_id: null, item },
      { type: 'conversation.item.done', previous_item_id: null, item }
    ])

    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response.output, [{ content: [{ text: 'You said: 240 ms of audio' }] }])
    t.equal(heard(llm.requests[0]!), '240 ms of audio')
  })

  t.test('the next commit takes what came since', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    client.append(speech(200))
    client.send(commit)
    const first = await client.next('input_audio_buffer.committed')
    const second = silence(130)
    client.append(second)
    client.send(commit)
    const { item_id: id, previous_item_id: previous } = await client.next('input_audio_buffer.committed')
    t.equal(previous, first.item_id)
    t.equal(await recorded(client, id), base64(second))
  })

  t.test('less than 100 ms are no utterance, and stay for the next commit', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    client.append(speech(99))
    t.match(await client.fail(commit), { code: 'input_audio_buffer_commit_empty' })
    client.append(speech(1))
    client.send(commit)
    const { item_id: id } = await client.next('input_audio_buffer.committed')
    t.equal(await recorded(client, id), base64(speech(100)))
    t.match(await client.fail(commit), { code: 'input_audio_buffer_commit_empty' })
  })

  t.test('clear drops what was not committed', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    client.append(speech(500))
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
    t.match(await client.fail(commit), { code: 'input_audio_buffer_commit_empty' })
    client.append(silence(100))
    client.send(commit)
    t.equal(await recorded(client, (await client.next('input_audio_buffer.committed')).item_id), base64(silence(100)))
  })

  t.test('a sample that is cut in two is joined', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    const audio = Int16Array.from({ length: 4800 }, (_, n) => n)
    const bytes = Buffer.from(audio.buffer)
    for (const [start, end] of [[0, 1], [1, 1], [1, 2], [2, 1001], [1001, 9600]]) {
      client.send({ type: 'input_audio_buffer.append', audio: bytes.subarray(start, end).toString('base64') })
    }
    client.send(commit)
    t.equal(await recorded(client, (await client.next('input_audio_buffer.committed')).item_id), base64(audio))
  })

  t.test('what is not base64 leaves the buffer as it was', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    client.append(speech(60))
    t.match(await client.fail({ type: 'input_audio_buffer.append', event_id: 'mine', audio: 'AAAA*AAA' }), { code: 'invalid_value', param: 'audio', event_id: 'mine' })
    client.append(silence(60))
    client.send(commit)
    t.equal(await recorded(client, (await client.next('input_audio_buffer.committed')).item_id), base64(Int16Array.from([...speech(60), ...silence(60)])))
  })

  t.test('a response waits for the words of what was just said', async t => {
    const { opened, open } = latch()
    const { client, llm } = await connect(t, {
      input: pushToTalk,
      stt: {
        name: 'slow',
        async * transcribe () {
          await opened
          yield { delta: 'late words' }
        }
      }
    })
    client.append(speech(200))
    client.send(commit)
    client.send({ type: 'response.create' })
    await client.next('response.created')
    t.equal(llm.requests.length, 0)
    open()
    t.match((await client.next('response.done')).response.output, [{ content: [{ text: 'You said: late words' }] }])
  })

  t.test('the transcript is sent where it was asked for, piece by piece and whole', async t => {
    const { client } = await connect(t, { input: { ...pushToTalk, transcription: { model: 'whisper-1' } } })
    client.append(speech(1200))
    client.send(commit)
    const { item_id: id } = await client.next('input_audio_buffer.committed')
    const { type, event_id: eventId, ...completed } = await client.next('conversation.item.input_audio_transcription.completed')
    t.strictSame(completed, { item_id: id, content_index: 0, transcript: '1200 ms of audio', usage: { type: 'duration', seconds: 2 } })
    const deltas = client.of('conversation.item.input_audio_transcription.delta')
    t.equal(deltas.map(({ delta }) => delta).join(''), '1200 ms of audio')
    t.ok(deltas.every(event => event.item_id === id))
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    t.match((await client.next('conversation.item.retrieved')).item, { content: [{ transcript: '1200 ms of audio' }] })
  })

  t.test('where it was not, there is none', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    client.append(speech(200))
    client.send(commit)
    client.send({ type: 'response.create' })
    await client.next('response.done')
    t.notOk(client.types().some(type => type.includes('transcription')))
  })
})

t.test('voice detection', async t => {
  for (const [name, chunkMs] of [['in small chunks', 20], ['in one burst', undefined]] as const) {
    t.test(`a turn ${name} has the events of PROTOCOL 7.4, with its place on the timeline`, async t => {
      const { client, llm, from } = await connect(t)
      client.append(Int16Array.from([...silence(960), ...speech(640), ...silence(640)]), chunkMs)
      await client.next('response.created')
      const item = { id: 'item_1', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] }
      t.strictSame(transcript(client.events.slice(from)).slice(0, 5), [
        { type: 'input_audio_buffer.speech_started', audio_start_ms: 660, item_id: 'item_1' },
        { type: 'input_audio_buffer.speech_stopped', audio_end_ms: 2112, item_id: 'item_1' },
        { type: 'input_audio_buffer.committed', previous_item_id: null, item_id: 'item_1' },
        { type: 'conversation.item.added', previous_item_id: null, item },
        { type: 'conversation.item.done', previous_item_id: null, item }
      ])
      await client.next('response.done')
      t.equal(heard(llm.requests[0]!), '1452 ms of audio')
      t.equal(client.events[from + 5]!.type, 'response.created')
    })
  }

  t.test('the item holds the turn\'s audio, with what came just before', async t => {
    const { client } = await connect(t)
    client.append(silence(960), 100)
    client.append(speech(640), 100)
    client.append(silence(640), 100)
    const { item_id: id } = await client.next('input_audio_buffer.committed')
    await client.next('response.done')
    t.equal(await recorded(client, id), base64(Int16Array.from([...silence(300), ...speech(640), ...silence(512)])))
  })

  t.test('the timeline goes on over turns, commits and clears', async t => {
    const { client } = await connect(t)
    const turn = async (before: number) => {
      client.append(Int16Array.from([...silence(before), ...speech(640), ...silence(640)]), 20)
      const { audio_start_ms: start } = await client.next('input_audio_buffer.speech_started')
      const { audio_end_ms: end } = await client.next('input_audio_buffer.speech_stopped')
      await client.next('response.done')
      return [start, end]
    }
    t.same(await turn(960), [660, 2112])
    t.same(await turn(960), [2900, 4352])
    client.append(silence(320))
    client.send(commit)
    await client.next('input_audio_buffer.committed')
    client.append(silence(320))
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
    t.same(await turn(960), [4480 + 640 + 660, 4480 + 640 + 2112])
  })

  t.test('two turns are two items, one after the other, each answered', async t => {
    const { client, llm } = await connect(t)
    for (const ms of [640, 960]) {
      client.append(Int16Array.from([...silence(960), ...speech(ms), ...silence(960)]))
      await client.next('response.done')
    }
    const [first, second] = client.of('input_audio_buffer.committed')
    const [answer] = client.of('response.done')
    t.equal(first!.previous_item_id, null)
    t.equal(second!.previous_item_id, answer!.response.output[0]!.id)
    t.same(llm.requests[1]!.messages.slice(1).map(({ content }) => content), ['1452 ms of audio', 'You said: 1452 ms of audio', '1772 ms of audio'])
  })

  t.test('two turns in one burst are two items as well', async t => {
    const { client } = await connect(t)
    const turn = [...silence(960), ...speech(640), ...silence(960)]
    client.append(Int16Array.from([...turn, ...turn]))
    await client.next('input_audio_buffer.committed')
    await client.next('input_audio_buffer.committed')
    await client.next('response.done', ({ response }) => response.status === 'completed')
    t.same(client.of('input_audio_buffer.speech_started').map(event => event.audio_start_ms), [660, 3220])
    t.same(client.of('input_audio_buffer.speech_stopped').map(event => event.audio_end_ms), [2112, 4672])
  })

  t.test('padding and silence are as long as the session says', async t => {
    const { client } = await connect(t, { input: vad({ prefix_padding_ms: 0, silence_duration_ms: 192 }) })
    client.append(Int16Array.from([...silence(320), ...speech(320), ...silence(320)]))
    t.equal((await client.next('input_audio_buffer.speech_started')).audio_start_ms, 320)
    t.equal((await client.next('input_audio_buffer.speech_stopped')).audio_end_ms, 640 + 192)
  })

  t.test('speech at the very start begins at zero', async t => {
    const { client } = await connect(t)
    client.append(Int16Array.from([...speech(640), ...silence(640)]))
    t.equal((await client.next('input_audio_buffer.speech_started')).audio_start_ms, 0)
    t.equal((await client.next('input_audio_buffer.speech_stopped')).audio_end_ms, 640 + 512)
  })

  t.test('a click is no speech', async t => {
    const { client } = await connect(t)
    client.append(Int16Array.from([...silence(320), ...speech(64), ...silence(960), ...speech(320), ...silence(640)]))
    t.equal((await client.next('input_audio_buffer.speech_started')).audio_start_ms, 1344 - 300)
    await client.next('response.done')
    t.equal(client.of('input_audio_buffer.speech_started').length, 1)
  })

  t.test('a pause within the speech does not end it', async t => {
    const { client } = await connect(t)
    client.append(Int16Array.from([...speech(320), ...silence(320), ...speech(320), ...silence(640)]))
    await client.next('response.done')
    t.same(client.of('input_audio_buffer.speech_stopped').map(event => event.audio_end_ms), [960 + 512])
  })

  t.test('a turn without words is answered with nothing, and the next one is heard', async t => {
    let words = ''
    const { client, llm } = await connect(t, {
      input: { transcription: { model: 'whisper-1' } },
      stt: { name: 'deaf', async * transcribe () { if (words !== '') yield { delta: words } } }
    })
    client.append(Int16Array.from([...speech(640), ...silence(640)]))
    t.match((await client.next('response.done')).response, { status: 'completed', status_details: null, output: [] })
    t.equal(client.of('conversation.item.input_audio_transcription.completed')[0]!.transcript, '')
    t.equal(llm.requests.length, 0)
    words = 'Now then.'
    client.append(Int16Array.from([...speech(640), ...silence(640)]))
    await client.next('response.done')
    t.equal(heard(llm.requests[0]!), 'Now then.')
  })

  t.test('without create_response there is an item and no response', async t => {
    const { client } = await connect(t, { input: vad({ create_response: false }) })
    client.append(Int16Array.from([...speech(640), ...silence(640)]))
    await client.next('conversation.item.done')
    await client.settle()
    t.equal(client.of('response.created').length, 0)
    client.send({ type: 'response.create' })
    t.match((await client.next('response.done')).response.output, [{ content: [{ text: 'You said: 1152 ms of audio' }] }])
  })
})

t.test('a client that takes part', async t => {
  t.test('may commit though nobody spoke, and gets no response', async t => {
    const { client, from } = await connect(t)
    client.append(silence(320))
    client.send(commit)
    await client.next('conversation.item.done')
    client.append(Int16Array.from([...silence(640), ...speech(640), ...silence(640)]))
    await client.next('response.created')
    t.same(client.types(from).slice(0, 9), [
      'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done',
      'input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped',
      'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done', 'response.created'
    ])
    t.equal(client.of('input_audio_buffer.speech_started')[0]!.audio_start_ms, 660)
  })

  t.test('may commit while somebody speaks: the item has the id of that speech, and what follows is another', async t => {
    const { client } = await connect(t)
    client.append(Int16Array.from([...silence(960), ...speech(320)]))
    const { item_id: id } = await client.next('input_audio_buffer.speech_started')
    client.send(commit)
    t.equal((await client.next('input_audio_buffer.committed')).item_id, id)
    t.equal(await recorded(client, id), base64(Int16Array.from([...silence(300), ...speech(320)])))

    client.append(Int16Array.from([...silence(960), ...speech(320), ...silence(640)]))
    const next = await client.next('input_audio_buffer.speech_started')
    t.not(next.item_id, id)
    t.equal(next.audio_start_ms, 1280 + 660)
    await client.next('response.done')
    t.same(client.of('input_audio_buffer.speech_stopped').map(event => event.item_id), [id, next.item_id], 'who is told of a start is told of its end')
    t.equal(client.of('response.created').length, 1)
  })

  t.test('may clear while somebody speaks: that speech is dropped', async t => {
    const { client, llm } = await connect(t)
    client.append(Int16Array.from([...silence(960), ...speech(320)]))
    const { item_id: dropped } = await client.next('input_audio_buffer.speech_started')
    client.send({ type: 'input_audio_buffer.clear' })
    t.equal((await client.next('input_audio_buffer.speech_stopped')).item_id, dropped)
    await client.next('input_audio_buffer.cleared')
    client.append(Int16Array.from([...silence(960), ...speech(640), ...silence(640)]))
    const { item_id: id } = await client.next('input_audio_buffer.speech_stopped')
    t.not(id, dropped)
    await client.next('response.done')
    t.equal(client.of('input_audio_buffer.committed').length, 1)
    t.equal(heard(llm.requests[0]!), '1452 ms of audio')
  })

  t.test('may turn to push to talk while somebody speaks', async t => {
    const { client } = await connect(t)
    client.append(speech(320))
    await client.next('input_audio_buffer.speech_started')
    await client.update({ audio: { input: pushToTalk } })
    client.append(silence(960))
    client.send(commit)
    await client.next('input_audio_buffer.committed')
    await client.settle()
    t.equal(client.of('input_audio_buffer.speech_stopped').length, 1)
    t.equal(client.of('response.created').length, 0)
  })

  t.test('may repeat the same turn detection while somebody speaks: the turn goes on', async t => {
    const { client } = await connect(t)
    client.append(speech(320))
    const { item_id: id } = await client.next('input_audio_buffer.speech_started')
    await client.update({ audio: { input: { turn_detection: { ...client.of('session.created')[0]!.session.audio.input.turn_detection! } } } })
    client.append(silence(960))
    t.equal((await client.next('input_audio_buffer.committed')).item_id, id)
    await client.next('response.done')
  })

  t.test('may turn on voice detection later: its timeline counts what came before', async t => {
    const { client } = await connect(t, { input: pushToTalk })
    client.append(silence(500))
    await client.update({ audio: { input: vad({}) } })
    client.append(Int16Array.from([...silence(640), ...speech(640), ...silence(640)]))
    t.equal((await client.next('input_audio_buffer.speech_started')).audio_start_ms, 500 + 640 - 300)
    t.equal((await client.next('input_audio_buffer.speech_stopped')).audio_end_ms, 500 + 1280 + 512)
  })
})

t.test('interrupting', async t => {
  /** Says a sentence of 28 letters and hangs, the first time; then echoes. */
  const endlessFirst = (): Script => {
    let count = 0
    return (request, signal) => count++ > 0
      ? echo(request, signal)
      : (async function * () {
          yield { type: 'text', delta: 'This is the first sentence. And this' } as const
          yield await hang(signal)
        })()
  }
  const speaking = async (t: Test, input: object = {}) => {
    const session = await connect(t, { script: endlessFirst(), input, modality: 'audio' })
    session.client.say('Tell me.')
    session.client.send({ type: 'response.create' })
    await session.client.next('response.output_audio.delta', () => session.client.audio().length === 27 * 480)
    return { ...session, from: session.client.events.length }
  }
  const turn = Int16Array.from([...silence(320), ...speech(640), ...silence(640)])

  t.test('speech ends the answer under way, in order, and a new turn follows', async t => {
    const { client, from } = await speaking(t)
    client.append(turn, 20)
    const { response } = await client.next('response.done')
    t.match(response, {
      status: 'cancelled',
      status_details: { type: 'cancelled', reason: 'turn_detected' },
      output: [{ status: 'incomplete', content: [{ transcript: 'This is the first sentence.' }] }]
    })
    t.equal((await client.next('response.done')).response.status, 'completed')
    t.same(client.types(from).slice(0, 13), [
      'input_audio_buffer.speech_started',
      'response.output_audio.done', 'response.output_audio_transcript.done', 'response.content_part.done',
      'conversation.item.done', 'response.output_item.done', 'response.done', 'rate_limits.updated',
      'input_audio_buffer.speech_stopped', 'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done', 'response.created'
    ])
  })

  t.test('nothing of the old answer is sent after', async t => {
    const { client } = await speaking(t)
    client.append(turn)
    const { response } = await client.next('response.done')
    const end = client.events.findIndex(event => event.type === 'response.done')
    await client.next('response.done')
    t.notOk(client.events.slice(end + 1).some(event => 'response_id' in event && event.response_id === response.id))
  })

  t.test('the client can then say how much was heard', async t => {
    const { client, llm } = await speaking(t)
    client.append(turn)
    const { response } = await client.next('response.done')
    await client.next('response.done')
    client.send({ type: 'conversation.item.truncate', item_id: response.output[0]!.id, content_index: 0, audio_end_ms: 27 * 20 - 100 })
    await client.next('conversation.item.truncated')
    await client.ask('Go on.')
    t.match(llm.requests.at(-1)!.messages[2], { role: 'assistant', content: 'This is the first' })
  })

  t.test('before anything was said, there is no output', async t => {
    const { client } = await connect(t, {
      script: (request, signal) => (async function * () { yield await hang(signal) })()
    })
    client.say('Tell me.')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    client.append(turn)
    t.match((await client.next('response.done')).response, { status: 'cancelled', status_details: { reason: 'turn_detected' }, output: [] })
  })

  t.test('an answer out of band goes on', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, {
      script: async function * (request) {
        if (request.messages.at(-1)!.content !== 'aside') return yield * echo(request, new AbortController().signal) as Iterable<never>
        await opened
        yield * says('Aside.')
      }
    })
    client.send({ type: 'response.create', response: { conversation: 'none', input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'aside' }] }] } })
    const { response: { id } } = await client.next('response.created')
    client.append(turn)
    t.not((await client.next('response.done')).response.id, id)
    open()
    t.match((await client.next('response.done')).response, { id, status: 'completed' })
  })

  t.test('without interrupt_response the answer goes on, and the turn is answered after it', async t => {
    const { opened, open } = latch()
    let count = 0
    const { client, from } = await connect(t, {
      input: vad({ interrupt_response: false }),
      script: (request, signal) => count++ > 0
        ? echo(request, signal)
        : (async function * () {
            yield { type: 'text', delta: 'One' } as const
            await opened
            yield * says(' two.')
          })()
    })
    client.say('Count.')
    client.send({ type: 'response.create' })
    await client.next('response.output_text.delta')
    client.append(turn)
    await client.next('input_audio_buffer.committed')
    await client.next('conversation.item.done')
    t.equal(client.of('response.created').length, 1)
    open()
    t.match((await client.next('response.done')).response, { status: 'completed', output: [{ content: [{ text: 'One two.' }] }] })
    t.match((await client.next('response.done')).response, { status: 'completed', output: [{ content: [{ text: 'You said: 1452 ms of audio' }] }] })
    t.equal(client.types(from).filter(type => type === 'error').length, 0)
  })

  t.test('with neither, there are only events and an item', async t => {
    const { client, from } = await speaking(t, vad({ interrupt_response: false, create_response: false }))
    client.append(turn)
    await client.next('conversation.item.done')
    await client.settle()
    t.same(client.types(from), [
      'input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped', 'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done'
    ])
  })

  t.test('a turn that waits is forgotten when the client cancels', async t => {
    const { client } = await speaking(t, vad({ interrupt_response: false }))
    client.append(turn)
    await client.next('input_audio_buffer.committed')
    client.send({ type: 'response.cancel' })
    await client.next('response.done')
    await client.settle()
    t.equal(client.of('response.created').length, 1)
  })
})

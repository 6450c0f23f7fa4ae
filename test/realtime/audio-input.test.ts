import t from 'tap'
import { concat } from '../../lib/audio/pcm.js'
import { base64 } from '../support/engines.js'
import { commit, committed, heard, listen, pushToTalk, recorded, silence, speech, utterance, vad } from '../support/listening.js'
import { latch, transcript } from '../support/transcript.js'

// What is heard becomes turns (PROTOCOL sections 7.4, 7.5 and 8).

t.test('push to talk', async t => {
  t.test('a commit makes an item and no response (PROTOCOL 7.5)', async t => {
    const { client, from, llm } = await listen(t, { input: pushToTalk })
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

    t.match((await client.respond()).output, [{ content: [{ text: 'You said: 240 ms of audio' }] }])
    t.equal(heard(llm.requests[0]!), '240 ms of audio')
  })

  t.test('the next commit takes what came since', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    client.append(speech(200))
    const first = await committed(client)
    client.append(silence(130))
    const second = await committed(client)
    t.equal(second.previous_item_id, first.item_id)
    t.equal(await recorded(client, second), base64(silence(130)))
  })

  t.test('less than 100 ms are no utterance, and stay for the next commit', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    client.append(speech(99))
    t.match(await client.fail(commit), { code: 'input_audio_buffer_commit_empty' })
    client.append(speech(1))
    t.equal(await recorded(client, await committed(client)), base64(speech(100)))
    t.match(await client.fail(commit), { code: 'input_audio_buffer_commit_empty' })
  })

  t.test('clear drops what was not committed', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    client.append(speech(500))
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
    t.match(await client.fail(commit), { code: 'input_audio_buffer_commit_empty' })
    client.append(silence(100))
    t.equal(await recorded(client, await committed(client)), base64(silence(100)))
  })

  t.test('a sample that is cut in two is joined', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    const audio = Int16Array.from({ length: 4800 }, (_, n) => n)
    const bytes = Buffer.from(audio.buffer)
    for (const [start, end] of [[0, 1], [1, 1], [1, 2], [2, 1001], [1001, 9600]]) {
      client.send({ type: 'input_audio_buffer.append', audio: bytes.subarray(start, end).toString('base64') })
    }
    t.equal(await recorded(client, await committed(client)), base64(audio))
  })

  t.test('what is not base64 leaves the buffer as it was', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    client.append(speech(60))
    t.match(await client.fail({ type: 'input_audio_buffer.append', event_id: 'mine', audio: 'AAAA*AAA' }), { code: 'invalid_value', param: 'audio', event_id: 'mine' })
    client.append(silence(60))
    t.equal(await recorded(client, await committed(client)), base64(utterance(0, 60, 60)))
  })

  t.test('a response waits for the words of what was just said', async t => {
    const { opened, open } = latch()
    const { client, llm } = await listen(t, {
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
    const { client } = await listen(t, { input: { ...pushToTalk, transcription: { model: 'whisper-1' } } })
    client.append(speech(1200))
    const { item_id: id } = await committed(client)
    const { type, event_id: eventId, ...completed } = await client.next('conversation.item.input_audio_transcription.completed')
    t.strictSame(completed, { item_id: id, content_index: 0, transcript: '1200 ms of audio', usage: { type: 'duration', seconds: 2 } })
    const deltas = client.of('conversation.item.input_audio_transcription.delta')
    t.equal(deltas.map(({ delta }) => delta).join(''), '1200 ms of audio')
    t.ok(deltas.every(event => event.item_id === id))
    t.match(await client.retrieve(id), { content: [{ transcript: '1200 ms of audio' }] })
  })

  t.test('where it was not, there is none', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    client.append(speech(200))
    client.send(commit)
    await client.respond()
    t.notOk(client.types().some(type => type.includes('transcription')))
  })
})

t.test('voice detection', async t => {
  for (const [name, chunkMs] of [['in small chunks', 20], ['in one burst', undefined]] as const) {
    t.test(`a turn ${name} has the events of PROTOCOL 7.4, with its place on the timeline`, async t => {
      const { client, llm, from } = await listen(t)
      client.append(utterance(960, 640, 640), chunkMs)
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
    const { client } = await listen(t)
    client.append(silence(960), 100)
    client.append(speech(640), 100)
    client.append(silence(640), 100)
    const turn = await client.next('input_audio_buffer.committed')
    await client.next('response.done')
    t.equal(await recorded(client, turn), base64(utterance(300, 640, 512)))
  })

  t.test('the timeline goes on over turns, commits and clears', async t => {
    const { client } = await listen(t)
    const turn = async (before: number) => {
      client.append(utterance(before, 640, 640), 20)
      const { audio_start_ms: start } = await client.next('input_audio_buffer.speech_started')
      const { audio_end_ms: end } = await client.next('input_audio_buffer.speech_stopped')
      await client.next('response.done')
      return [start, end]
    }
    t.same(await turn(960), [660, 2112])
    t.same(await turn(960), [2900, 4352])
    client.append(silence(320))
    await committed(client)
    client.append(silence(320))
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
    t.same(await turn(960), [4480 + 640 + 660, 4480 + 640 + 2112])
  })

  t.test('two turns are two items, one after the other, each answered', async t => {
    const { client, llm } = await listen(t)
    for (const ms of [640, 960]) {
      client.append(utterance(960, ms, 960))
      await client.next('response.done')
    }
    const [first, second] = client.of('input_audio_buffer.committed')
    const [answer] = client.of('response.done')
    t.equal(first!.previous_item_id, null)
    t.equal(second!.previous_item_id, answer!.response.output[0]!.id)
    t.same(llm.requests[1]!.messages.slice(1).map(({ content }) => content), ['1452 ms of audio', 'You said: 1452 ms of audio', '1772 ms of audio'])
  })

  t.test('two turns in one burst are two items as well', async t => {
    const { client } = await listen(t)
    const turn = utterance(960, 640, 960)
    client.append(concat([turn, turn]))
    await client.next('input_audio_buffer.committed')
    await client.next('input_audio_buffer.committed')
    await client.next('response.done', ({ response }) => response.status === 'completed')
    t.same(client.of('input_audio_buffer.speech_started').map(event => event.audio_start_ms), [660, 3220])
    t.same(client.of('input_audio_buffer.speech_stopped').map(event => event.audio_end_ms), [2112, 4672])
  })

  const turns: [name: string, audio: Int16Array[], startMs: number, endMs: number, settings?: object][] = [
    ['speech at the very start begins at zero', [speech(640), silence(640)], 0, 640 + 512],
    ['a click is no speech', [silence(320), speech(64), silence(960), speech(320), silence(640)], 1344 - 300, 1664 + 512],
    ['a pause within the speech does not end it', [speech(320), silence(320), speech(320), silence(640)], 0, 960 + 512],
    ['padding and silence are as long as the session says', [silence(320), speech(320), silence(320)], 320, 640 + 192, { prefix_padding_ms: 0, silence_duration_ms: 192 }]
  ]
  for (const [name, audio, startMs, endMs, settings = {}] of turns) {
    t.test(name, async t => {
      const { client } = await listen(t, { input: vad(settings) })
      client.append(concat(audio))
      await client.next('response.done')
      t.same(client.of('input_audio_buffer.speech_started').map(event => event.audio_start_ms), [startMs])
      t.same(client.of('input_audio_buffer.speech_stopped').map(event => event.audio_end_ms), [endMs])
    })
  }

  t.test('a turn without words is answered with nothing, and the next one is heard', async t => {
    let words = ''
    const { client, llm } = await listen(t, {
      input: { transcription: { model: 'whisper-1' } },
      stt: { name: 'deaf', async * transcribe () { if (words !== '') yield { delta: words } } }
    })
    client.append(utterance(0, 640, 640))
    t.match((await client.next('response.done')).response, { status: 'completed', status_details: null, output: [] })
    t.equal(client.of('conversation.item.input_audio_transcription.completed')[0]!.transcript, '')
    t.equal(llm.requests.length, 0)
    words = 'Now then.'
    client.append(utterance(0, 640, 640))
    await client.next('response.done')
    t.equal(heard(llm.requests[0]!), 'Now then.')
  })

  t.test('without create_response there is an item and no response', async t => {
    const { client } = await listen(t, { input: vad({ create_response: false }) })
    client.append(utterance(0, 640, 640))
    await client.next('conversation.item.done')
    await client.settle()
    t.equal(client.of('response.created').length, 0)
    t.match((await client.respond()).output, [{ content: [{ text: 'You said: 1152 ms of audio' }] }])
  })
})

t.test('a client that takes part', async t => {
  t.test('may commit though nobody spoke, and gets no response', async t => {
    const { client, from } = await listen(t)
    client.append(silence(320))
    client.send(commit)
    await client.next('conversation.item.done')
    client.append(utterance(640, 640, 640))
    await client.next('response.created')
    t.same(client.types(from).slice(0, 9), [
      'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done',
      'input_audio_buffer.speech_started', 'input_audio_buffer.speech_stopped',
      'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done', 'response.created'
    ])
    t.equal(client.of('input_audio_buffer.speech_started')[0]!.audio_start_ms, 660)
  })

  t.test('may commit while somebody speaks: the item has the id of that speech, and what follows is another', async t => {
    const { client } = await listen(t)
    client.append(utterance(960, 320, 0))
    const { item_id: id } = await client.next('input_audio_buffer.speech_started')
    const item = await committed(client)
    t.equal(item.item_id, id)
    t.equal(await recorded(client, item), base64(utterance(300, 320, 0)))

    client.append(utterance(960, 320, 640))
    const next = await client.next('input_audio_buffer.speech_started')
    t.not(next.item_id, id)
    t.equal(next.audio_start_ms, 1280 + 660)
    await client.next('response.done')
    t.same(client.of('input_audio_buffer.speech_stopped').map(event => event.item_id), [id, next.item_id], 'who is told of a start is told of its end')
    t.equal(client.of('response.created').length, 1)
  })

  t.test('may clear while somebody speaks: that speech is dropped', async t => {
    const { client, llm } = await listen(t)
    client.append(utterance(960, 320, 0))
    const { item_id: dropped } = await client.next('input_audio_buffer.speech_started')
    client.send({ type: 'input_audio_buffer.clear' })
    t.equal((await client.next('input_audio_buffer.speech_stopped')).item_id, dropped)
    await client.next('input_audio_buffer.cleared')
    client.append(utterance(960, 640, 640))
    const { item_id: id } = await client.next('input_audio_buffer.speech_stopped')
    t.not(id, dropped)
    await client.next('response.done')
    t.equal(client.of('input_audio_buffer.committed').length, 1)
    t.equal(heard(llm.requests[0]!), '1452 ms of audio')
  })

  t.test('may turn to push to talk while somebody speaks', async t => {
    const { client } = await listen(t)
    client.append(speech(320))
    await client.next('input_audio_buffer.speech_started')
    await client.update({ audio: { input: pushToTalk } })
    client.append(silence(960))
    await committed(client)
    await client.settle()
    t.equal(client.of('input_audio_buffer.speech_stopped').length, 1)
    t.equal(client.of('response.created').length, 0)
  })

  t.test('may repeat the same turn detection while somebody speaks: the turn goes on', async t => {
    const { client } = await listen(t)
    client.append(speech(320))
    const { item_id: id } = await client.next('input_audio_buffer.speech_started')
    await client.update({ audio: { input: { turn_detection: { ...client.of('session.created')[0]!.session.audio.input.turn_detection! } } } })
    client.append(silence(960))
    t.equal((await client.next('input_audio_buffer.committed')).item_id, id)
    await client.next('response.done')
  })

  t.test('may turn on voice detection later: its timeline counts what came before', async t => {
    const { client } = await listen(t, { input: pushToTalk })
    client.append(silence(500))
    await client.update({ audio: { input: vad({}) } })
    client.append(utterance(640, 640, 640))
    t.equal((await client.next('input_audio_buffer.speech_started')).audio_start_ms, 500 + 640 - 300)
    t.equal((await client.next('input_audio_buffer.speech_stopped')).audio_end_ms, 500 + 1280 + 512)
  })
})

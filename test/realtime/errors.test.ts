import t, { type Test } from 'tap'
import { castOf } from '../support/casts.js'
import type { TestClient } from '../support/client.js'
import { cannedEngines, toneTts } from '../support/engines.js'
import { RawClient } from '../support/raw-client.js'
import { startServer } from '../support/server.js'

// Whatever is wrong with an event is answered by one error, and the session goes on (PROTOCOL section 10).

const directory = t.testdir(castOf('Ada'))
const server = await startServer(t, { characters: { directory } })
const client = await server.connect()

interface Wanted { code: string, param: string | null, event_id: string | null, type?: string }

/** Sends a frame; there must be one error, as it is wanted, and the next turn must work. */
async function refused (t: Test, frame: string | Buffer | object, wanted: Wanted, from: TestClient = client): Promise<string> {
  const before = from.events.length
  from.socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame))
  const { error } = await from.next('error')
  const { message, ...rest } = error
  t.strictSame(rest, { type: 'invalid_request_error', ...wanted })
  t.ok(message.length > 10 && message.length < 1000, message)
  await from.settle()
  t.equal(from.events.length, before + 1, 'one event answers it')
  return message
}

t.test('frames that are no event', async t => {
  const frames: [name: string, frame: string | Buffer, code: string, param: string | null][] = [
    ['malformed JSON', '{"type": "response.create",', 'invalid_json', null],
    ['no JSON at all', 'hello', 'invalid_json', null],
    ['nothing', '', 'invalid_json', null],
    ['an array', '[]', 'invalid_event', null],
    ['a string', '"response.create"', 'invalid_event', null],
    ['null', 'null', 'invalid_event', null],
    ['a binary frame', Buffer.from([1, 2, 3]), 'invalid_event', null],
    ['a binary frame that holds an event', Buffer.from('{"type":"response.create"}'), 'invalid_event', null]
  ]
  for (const [name, frame, code, param] of frames) {
    t.test(name, t => refused(t, frame, { code, param, event_id: null }))
  }

  t.test('an object without a type, whose event_id comes back', t =>
    refused(t, { event_id: 'mine' }, { code: 'invalid_event', param: 'type', event_id: 'mine' }))
})

t.test('events', async t => {
  const item = (fields: object) => ({ type: 'conversation.item.create', item: fields })
  const message = (content: unknown[]) => item({ type: 'message', role: 'user', content })
  const respond = (response: unknown) => ({ type: 'response.create', response })
  const append = (audio?: unknown) => ({ type: 'input_audio_buffer.append', audio })
  const cases: [event: Record<string, unknown>, code: string, param: string | null][] = [
    [{ type: 'session.destroy' }, 'invalid_value', 'type'],
    [{ type: '__proto__' }, 'invalid_value', 'type'],
    [{ type: 5 }, 'invalid_type', 'type'],
    [{ type: 'transcription_session.update', session: {} }, 'invalid_value', 'type'],
    [{ type: 'output_audio_buffer.clear' }, 'invalid_value', 'type'],
    [{ type: 'session.update' }, 'missing_required_parameter', 'session'],
    [{ type: 'session.update', session: null }, 'invalid_type', 'session'],
    [{ type: 'session.update', session: {} }, 'missing_required_parameter', 'session.type'],
    [append(), 'missing_required_parameter', 'audio'],
    [append(7), 'invalid_type', 'audio'],
    [append('not base64!'), 'invalid_value', 'audio'],
    [append('AAAAA'), 'invalid_value', 'audio'],
    [append('AAA\u0141'), 'invalid_value', 'audio'],
    [append('A==='), 'invalid_value', 'audio'],
    [append('AA==AAAA'), 'invalid_value', 'audio'],
    [append('data:audio/wav;base64,AAAA'), 'invalid_value', 'audio'],
    [{ type: 'input_audio_buffer.commit' }, 'input_audio_buffer_commit_empty', null],
    [{ type: 'conversation.item.create' }, 'missing_required_parameter', 'item'],
    [item({}), 'missing_required_parameter', 'item.type'],
    [item({ type: 'poem' }), 'invalid_value', 'item.type'],
    [item({ type: 'mcp_call' }), 'invalid_value', 'item.type'],
    [item({ type: 'message', content: [] }), 'missing_required_parameter', 'item.role'],
    [item({ type: 'message', role: 'narrator', content: [] }), 'invalid_value', 'item.role'],
    [item({ type: 'message', role: 'user' }), 'missing_required_parameter', 'item.content'],
    [item({ type: 'message', role: 'user', content: 'hi' }), 'invalid_type', 'item.content'],
    [item({ type: 'function_call_output', call_id: 'a' }), 'missing_required_parameter', 'item.output'],
    [item({ type: 'function_call_output', call_id: 'a', output: { a: 1 } }), 'invalid_type', 'item.output'],
    [item({ id: 'x'.repeat(33), type: 'message', role: 'user', content: [] }), 'string_above_max_length', 'item.id'],
    [message([{ type: 'input_text' }]), 'missing_required_parameter', 'item.content[0].text'],
    [message([{ type: 'input_text', text: 'x'.repeat(256_001) }]), 'string_above_max_length', 'item.content[0].text'],
    [message([{ type: 'output_text', text: 'hi' }]), 'invalid_value', 'item.content[0].type'],
    [message([{ type: 'input_text', text: 'hi' }, { type: 'input_image', image_url: 'https://example.com/a.png' }]), 'invalid_value', 'item.content[1].image_url'],
    [{ type: 'conversation.item.retrieve' }, 'missing_required_parameter', 'item_id'],
    [{ type: 'conversation.item.delete', item_id: 5 }, 'invalid_type', 'item_id'],
    [{ type: 'conversation.item.truncate', item_id: 'a', content_index: 0 }, 'missing_required_parameter', 'audio_end_ms'],
    [respond('now'), 'invalid_type', 'response'],
    [respond({ conversation: 'other' }), 'invalid_value', 'response.conversation'],
    [respond({ output_modalities: ['text', 'audio'] }), 'invalid_value', 'response.output_modalities'],
    [respond({ max_output_tokens: -1 }), 'invalid_value', 'response.max_output_tokens'],
    [respond({ tools: {} }), 'invalid_type', 'response.tools'],
    [respond({ input: [{ type: 'item_reference' }] }), 'missing_required_parameter', 'response.input[0].id'],
    [respond({ input: [{ type: 'poem' }] }), 'invalid_value', 'response.input[0].type'],
    [respond({ audio: { output: { voice: 'nobody' } } }), 'invalid_value', 'response.audio.output.voice'],
    [respond({ metadata: { a: 1 } }), 'invalid_type', 'response.metadata.a'],
    [respond({ metadata: { a: 'x'.repeat(513) } }), 'string_above_max_length', 'response.metadata.a'],
    [respond({ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`key${n}`, 'x'])) }), 'invalid_value', 'response.metadata'],
    [{ type: 'response.cancel' }, 'response_cancel_not_active', null],
    [{ type: 'response.cancel', response_id: 'resp_ghost' }, 'response_cancel_not_active', null],
    [{ type: 'session.characters.reload' }, 'invalid_directory_format', 'directory'],
    [{ type: 'session.characters.reload', directory: 5 }, 'invalid_directory_format', 'directory'],
    [{ type: 'session.characters.reload', directory: '' }, 'invalid_directory_format', 'directory'],
    [{ type: 'session.characters.reload', directory: 'ghosts' }, 'directory_not_allowed', 'directory'],
    [{ type: 'session.characters.reload', directory: 'default', conversation: 'burn' }, 'invalid_value', 'conversation']
  ]
  for (const [event, code, param] of cases) {
    t.test(JSON.stringify(event).slice(0, 100), async t => {
      await refused(t, { ...event, event_id: 'mine' }, { code, param, event_id: 'mine' })
      await refused(t, event, { code, param, event_id: null })
    })
  }

  t.test('an unknown type is told those that there are', async t => {
    const message = await refused(t, { type: 'x', event_id: 'mine' }, { code: 'invalid_value', param: 'type', event_id: 'mine' })
    t.match(message, /'session\.update'.*'response\.create'.*'session\.characters\.reload'/)
  })

  t.test('a commit is told how little there is', async t => {
    client.append(new Int16Array(10 * 24))
    const message = await refused(t, { type: 'input_audio_buffer.commit' }, { code: 'input_audio_buffer_commit_empty', param: null, event_id: null })
    t.match(message, /Expected at least 100ms.* 10\.00ms/)
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
  })

  t.test('an event_id that is not a string is an error of its own', t =>
    refused(t, { type: 'response.cancel', event_id: 5 }, { code: 'invalid_type', param: 'event_id', event_id: null }))

  t.test('an event_id that is too long is not sent back', t =>
    refused(t, { type: 'response.cancel', event_id: 'x'.repeat(513) }, { code: 'string_above_max_length', param: 'event_id', event_id: null }))

  t.test('long values are not sent back either', async t => {
    const message = await refused(t, { type: 'x'.repeat(100_000) }, { code: 'invalid_value', param: 'type', event_id: null })
    t.ok(message.length < 1000)
  })
})

t.test('after all of them the session still answers', async t => {
  t.equal(await client.ask('Still there?'), 'You said: Still there?')
})

t.test('many errors at once are one each, in order', async t => {
  const other = await server.connect()
  for (let n = 0; n < 50; n++) other.send({ type: 'response.cancel', event_id: `e${n}` })
  for (let n = 0; n < 50; n++) t.equal((await other.next('error')).error.event_id, `e${n}`)
})

t.test('a handler that breaks inside answers server_error, without what broke', async t => {
  const engines = cannedEngines()
  let broken = false
  const tts = toneTts()
  const breaking = {
    ...tts,
    get voices () {
      if (broken) throw new Error('secret inside')
      return tts.voices
    }
  }
  const other = await startServer(t, { ...engines, tts: breaking, characters: { directory } })
  const client = await other.connect()
  broken = true
  const message = await refused(t, { type: 'response.create', event_id: 'mine' }, { type: 'server_error', code: 'server_error', param: null, event_id: 'mine' }, client)
  t.notMatch(message, /secret/)
  broken = false
  t.equal(await client.ask('Still there?'), 'You said: Still there?')
})

t.test('voice detection that breaks is told once however much audio comes, and tried again after a while', async t => {
  const engines = cannedEngines()
  let streams = 0
  const other = await startServer(t, {
    ...engines,
    characters: { directory },
    vad: {
      ...engines.vad,
      async * detect (audio, options) {
        // The first, the one in its place, and one more of the same outage.
        const broken = ++streams <= 3
        for await (const frame of engines.vad.detect(audio, options)) {
          if (broken) throw new Error('secret inside')
          yield frame
        }
      }
    }
  })
  const client = await other.connect()
  client.append(new Int16Array(2400))
  const { error } = await client.next('error')
  t.match(error, { type: 'server_error', code: 'engine_failed', param: null, event_id: null })
  t.notMatch(error.message, /secret/)
  for (let n = 0; n < 20; n++) client.append(new Int16Array(2400))
  await client.settle()
  // Somebody talks on until it works again.
  const talking = setInterval(() => client.append(new Int16Array(2400).fill(8000)), 50)
  await client.next('input_audio_buffer.speech_started')
  clearInterval(talking)
  client.append(new Int16Array(24_000))
  await client.next('input_audio_buffer.speech_stopped')
  t.equal(streams, 4)
  t.equal(client.of('error').length, 1)
})

t.test('a frame that is too long closes the socket with 1009, and only that one', async t => {
  const other = await startServer(t, { characters: { directory }, limits: { frameBytes: 2048 } })
  const [client, neighbour] = [await other.connect(), await other.connect()]
  client.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(4096) })
  t.equal((await client.closed).code, 1009)
  t.equal(await neighbour.ask('Still there?'), 'You said: Still there?')
})

t.test('who says something and closes in the same breath is answered before the close', async t => {
  const raw = await RawClient.connect(server.port)
  t.teardown(() => raw.end())
  raw.sendLast({ type: 'nonsense', event_id: 'mine' })
  const heard = []
  for await (const event of raw.read()) heard.push(event.type)
  t.same(heard, ['session.created', 'error'])
  t.equal(raw.closeCode, 1005)
})

import { mock } from 'node:test'
import t from 'tap'
import { EngineError, type LlmEvent, type SttEngine } from '../../lib/engines/engine.js'
import type { ServerEvent, ServerEventType } from '../../lib/realtime/events/server.js'
import type { TestClient } from '../support/client.js'
import { connect, inTurn, tool, userItem } from '../support/conversing.js'
import { calls, countingStt, hang, says, tone, type Script } from '../support/engines.js'
import { latch, transcript } from '../support/transcript.js'

// PROTOCOL section 7, all orders in one place: every frame of each, as a line with what matters of its order. What
// else is in the frames is in the tests of each behaviour; that each has its shape is seen to by the client.

let script: Script
let stt: SttEngine = countingStt()
const { server } = await connect(t, (request, signal) => script(request, signal), { stt: { name: 'any', transcribe: (audio, options) => stt.transcribe(audio, options) } })

/** A client of the one server, whose model does this from now on. */
async function converse (does: Script): Promise<TestClient> {
  script = does
  return server.connect()
}

type Modality = 'text' | 'audio'
const modalities: Modality[] = ['text', 'audio']

/** A frame's type, whom it is about, its state and place, and the words that it ends with. */
function line ({ type, ...event }: Record<string, any>): string {
  const { response, item = { id: event.item_id }, part } = event
  const parts = [type]
  if (response !== undefined) {
    const { reason, error } = response.status_details ?? {}
    parts.push(response.id, response.status, reason ?? error?.code, ...response.output.map((one: any) => `${one.id}:${one.status}`))
  }
  parts.push(item.id, item.status, part?.type)
  if ('previous_item_id' in event) parts.push(`after ${event.previous_item_id}`)
  if (type.endsWith('.done') && !/item\.done$/.test(type)) parts.push(event.text ?? event.transcript ?? event.arguments ?? part?.text ?? part?.transcript)
  return parts.filter(part => part !== undefined).join(' ')
}

/** Runs of the same delta are one line. */
function lines (events: readonly ServerEvent[]): string[] {
  return transcript(events).map(line).filter((one, index, all) => !/\.delta /.test(one) || !all.slice(Math.max(0, index - 2), index).includes(one))
}

/** The lines of a message that is whole, or ends early. */
function message (modality: Modality, words: string, status = 'completed', id = 'item_1', after = 'user'): string[] {
  const content = modality === 'text'
    ? [`response.output_text.delta ${id}`, `response.output_text.done ${id} ${words}`]
    : [
        `response.output_audio_transcript.delta ${id}`, `response.output_audio.delta ${id}`,
        `response.output_audio.done ${id}`, `response.output_audio_transcript.done ${id} ${words}`
      ]
  return [
    `response.output_item.added ${id} in_progress`,
    `conversation.item.added ${id} in_progress after ${after}`,
    `response.content_part.added ${id} ${modality}`,
    ...content,
    `response.content_part.done ${id} ${modality} ${words}`,
    `conversation.item.done ${id} ${status} after ${after}`,
    `response.output_item.done ${id} ${status}`
  ]
}

/** The lines of a call. */
function call (args: string, status = 'completed', id = 'item_1', after = 'user'): string[] {
  return [
    `response.output_item.added ${id} in_progress`,
    `conversation.item.added ${id} in_progress after ${after}`,
    `response.function_call_arguments.delta ${id}`,
    `response.function_call_arguments.done ${id} ${args}`,
    `conversation.item.done ${id} ${status} after ${after}`,
    `response.output_item.done ${id} ${status}`
  ]
}

const created = 'response.created resp_1 in_progress'
/** @param how status, reason and items */
const over = (how: string) => [`response.done resp_1 ${how}`, 'rate_limits.updated']
const aside = (all: string[]) => all.filter(one => !one.startsWith('conversation.'))
/** The lines about one item: what several do at a time may mix. */
const about = (all: string[], id: string) => all.filter(one => one.split(' ')[1] === id)

const START = 'This is the first sentence.'
/** Says a sentence, and begins another; what then follows once that is said. */
const begins = (then: (signal: AbortSignal) => Promise<unknown>): Script => async function * (request, signal) {
  yield { type: 'text', delta: `${START} ` }
  yield { type: 'text', delta: 'And ' }
  await then(signal)
}
/** Of that sentence, all has come: 20 ms of sound for each letter. */
const begun = (client: TestClient) => () => client.of('response.output_text.delta').length === 2 || client.audio().length === START.length * 480
const saidSoFar = (modality: Modality) => modality === 'text' ? `${START} And ` : START

interface Doing {
  response?: object
  /** What happens in the middle of the response, when an event of that type has come. */
  at?: ServerEventType
  during?: (client: TestClient) => unknown
}

/** Asks for an answer to something written, and gives the lines of it. */
async function answer (does: Script, { response = {}, at, during }: Doing = {}): Promise<string[]> {
  const client = await converse(does)
  client.send({ type: 'conversation.item.create', item: userItem('hi', 'user') })
  await client.next('conversation.item.done')
  const from = client.events.length
  client.send({ type: 'response.create', response })
  if (at !== undefined) await client.next(at, at.endsWith('.delta') ? begun(client) : undefined)
  await during?.(client)
  await client.next('rate_limits.updated')
  await client.settle()
  return lines(client.events.slice(from))
}

const cancel = (client: TestClient) => client.send({ type: 'response.cancel' })
const cancelById = (client: TestClient) => client.send({ type: 'response.cancel', response_id: client.of('response.created')[0]!.response.id })
const speak = (client: TestClient) => client.append(tone(320))
const hangs: Script = async function * (request, signal) { yield await hang(signal) }
const breaks = () => { throw new EngineError('engine_unavailable', 'scripted', 'Nobody is there.') }

for (const modality of modalities) {
  const response = { output_modalities: [modality] }
  const delta = modality === 'text' ? 'response.output_text.delta' : 'response.output_audio.delta'
  const outOfBand = { ...response, conversation: 'none' }

  t.test(`an answer (${modality})`, async t => {
    t.test('that is complete', async t => {
      t.strictSame(await answer(() => says('Hello.'), { response }), [created, ...message(modality, 'Hello.'), ...over('completed item_1:completed')])
    })

    t.test('that is too long', async t => {
      const lines = await answer(function * () {
        yield { type: 'text', delta: 'Hello.' }
        yield { type: 'end', reason: 'length' }
      }, { response })
      t.strictSame(lines, [created, ...message(modality, 'Hello.', 'incomplete'), ...over('incomplete max_output_tokens item_1:incomplete')])
    })

    t.test('that is cancelled', async t => {
      const lines = await answer(begins(hang), { response, at: delta, during: cancel })
      t.strictSame(lines, [created, ...message(modality, saidSoFar(modality), 'incomplete'), ...over('cancelled client_cancelled item_1:incomplete')])
    })

    t.test('that the user speaks into', async t => {
      const lines = await answer(begins(hang), { response, at: delta, during: speak })
      const open = message(modality, saidSoFar(modality), 'incomplete')
      const end = open.findIndex(one => one.includes('.done'))
      t.strictSame(lines, [
        created, ...open.slice(0, end), 'input_audio_buffer.speech_started item_2', ...open.slice(end), ...over('cancelled turn_detected item_1:incomplete')
      ])
    })

    t.test('that fails', async t => {
      const { opened, open } = latch()
      const lines = await answer(begins(() => opened.then(breaks)), { response, at: delta, during: open })
      t.strictSame(lines, [created, ...message(modality, saidSoFar(modality), 'incomplete'), ...over('failed engine_unavailable item_1:incomplete')])
    })

    t.test('that is over before it began', async t => {
      t.strictSame(await answer(hangs, { response, at: 'response.created', during: cancel }), [created, ...over('cancelled client_cancelled')])
      t.strictSame(await answer(hangs, { response, at: 'response.created', during: speak }),
        [created, 'input_audio_buffer.speech_started item_1', ...over('cancelled turn_detected')])
      t.strictSame(await answer(breaks, { response }), [created, ...over('failed engine_unavailable')])
    })

    t.test('out of band', async t => {
      t.strictSame(await answer(() => says('Hello.'), { response: outOfBand }), [created, ...aside(message(modality, 'Hello.')), ...over('completed item_1:completed')])
      t.strictSame(await answer(begins(hang), { response: outOfBand, at: delta, during: cancelById }),
        [created, ...aside(message(modality, saidSoFar(modality), 'incomplete')), ...over('cancelled client_cancelled item_1:incomplete')])
      const { opened, open } = latch()
      t.strictSame(await answer(begins(() => opened.then(breaks)), { response: outOfBand, at: delta, during: open }),
        [created, ...aside(message(modality, saidSoFar(modality), 'incomplete')), ...over('failed engine_unavailable item_1:incomplete')])
    })

    t.test('to a spoken turn', async t => {
      const client = await converse(() => says('Hello.'))
      await client.update({ ...response, audio: { input: { transcription: { model: 'any' } } } })
      const from = client.events.length
      client.append(tone(400))
      client.append(tone(700, 0))
      await client.next('rate_limits.updated')
      const all = lines(client.events.slice(from))
      const isTranscript = (one: string) => one.includes('input_audio_transcription')
      t.strictSame(all.filter(one => !isTranscript(one)), [
        'input_audio_buffer.speech_started item_1',
        'input_audio_buffer.speech_stopped item_1',
        'input_audio_buffer.committed item_1 after null',
        'conversation.item.added item_1 completed after null',
        'conversation.item.done item_1 completed after null',
        created, ...message(modality, 'Hello.', 'completed', 'item_2', 'item_1'), ...over('completed item_2:completed')
      ])
      t.strictSame(all.filter(isTranscript), ['delta item_1', 'completed item_1'].map(one => `conversation.item.input_audio_transcription.${one}`))
      t.ok(all.findIndex(isTranscript) > all.findIndex(one => one.startsWith('conversation.item.done')))
    })

    t.test('to silence', async t => {
      mock.timers.enable({ apis: ['setTimeout'] })
      t.teardown(() => mock.timers.reset())
      const client = await converse(() => says('Hello.'))
      await client.update({ ...response, audio: { input: { turn_detection: { type: 'server_vad', idle_timeout_ms: 5000 } } } })
      await client.ask('hi', {})
      client.append(tone(200, 0))
      await client.settle()
      const from = client.events.length
      // First the answer is played: 20 ms for each of its six letters.
      mock.timers.tick(120)
      mock.timers.tick(5000)
      await client.next('response.done')
      await client.next('rate_limits.updated')
      t.strictSame(lines(client.events.slice(from)), [
        'input_audio_buffer.timeout_triggered item_1',
        'conversation.item.added item_3 completed after item_2',
        'conversation.item.done item_3 completed after item_2',
        'input_audio_buffer.committed item_1 after item_3',
        'conversation.item.added item_1 completed after item_3',
        'conversation.item.done item_1 completed after item_3',
        created, ...message(modality, 'Hello.', 'completed', 'item_4', 'item_1'), ...over('completed item_4:completed')
      ])
    })

    t.test('that comes with a call', async t => {
      const lines = await answer(function * () {
        yield { type: 'text', delta: 'Hello.' }
        yield * calls('look', {})
      }, { response: { ...response, tools: [tool('look')] } })
      t.strictSame([lines[0], ...lines.slice(-2)], [created, ...over('completed item_1:completed item_2:completed')])
      t.strictSame(about(lines, 'item_1'), message(modality, 'Hello.'))
      t.strictSame(about(lines, 'item_2'), call('{}', 'completed', 'item_2', 'item_1'))
      t.ok(lines.indexOf(about(lines, 'item_1')[1]!) < lines.indexOf(about(lines, 'item_2')[0]!), 'the message has its place first')
    })
  })
}

t.test('a call', async t => {
  const response = { output_modalities: ['text'], tools: [tool('look'), tool('listen')] }
  const half: LlmEvent[] = [{ type: 'tool_call', index: 0, id: 'a', name: 'look' }, { type: 'tool_arguments', index: 0, delta: '{"at":' }]
  const hangsUp: Script = async function * (request, signal) {
    yield * half
    yield await hang(signal)
  }
  const at = 'response.function_call_arguments.delta'
  const during = (doing: (client: TestClient) => unknown) => async (client: TestClient) => {
    await client.next(at)
    await doing(client)
  }

  t.test('alone, and out of band', async t => {
    t.strictSame(await answer(() => calls('look', { at: 1 }), { response }), [created, ...call('{"at":1}'), ...over('completed item_1:completed')])
    t.strictSame(await answer(() => calls('look', {}), { response: { ...response, conversation: 'none' } }), [created, ...aside(call('{}')), ...over('completed item_1:completed')])
  })

  t.test('beside another', async t => {
    const lines = await answer(function * () {
      yield * half
      yield { type: 'tool_call', index: 1, id: 'b', name: 'listen' }
      yield { type: 'tool_arguments', index: 0, delta: '1}' }
      yield { type: 'tool_arguments', index: 1, delta: '{}' }
      yield { type: 'end', reason: 'tool_calls' }
    }, { response })
    const [first, second] = [call('{"at":1}'), call('{}', 'completed', 'item_2', 'item_1')]
    t.strictSame(lines, [
      created, ...first.slice(0, 3), ...second.slice(0, 2), first[2], second[2], ...first.slice(3), ...second.slice(3), ...over('completed item_1:completed item_2:completed')
    ])
  })

  t.test('that is cancelled, spoken into, or fails', async t => {
    t.strictSame(await answer(hangsUp, { response, during: during(cancel) }), [created, ...call('{"at":', 'incomplete'), ...over('cancelled client_cancelled item_1:incomplete')])
    const open = call('{"at":', 'incomplete')
    t.strictSame(await answer(hangsUp, { response, during: during(speak) }),
      [created, ...open.slice(0, 3), 'input_audio_buffer.speech_started item_2', ...open.slice(3), ...over('cancelled turn_detected item_1:incomplete')])
    t.strictSame(await answer(function * () {
      yield * half
      breaks()
    }, { response }), [created, ...open, ...over('failed engine_unavailable item_1:incomplete')])
  })

  t.test('and its result, and the answer to that', async t => {
    const client = await converse(inTurn(() => calls('look', {}), () => says('Hello.')))
    await client.update(response)
    await client.ask('hi', {})
    const from = client.events.findIndex(({ type }) => type === 'rate_limits.updated')
    client.send({ type: 'conversation.item.create', item: { id: 'result', type: 'function_call_output', call_id: 'call_1', output: 'here' } })
    client.send({ type: 'response.create' })
    await client.next('response.done')
    await client.next('rate_limits.updated')
    t.strictSame(lines(client.events.slice(from)).filter((one, index) => index > 0), [
      'conversation.item.added result after item_1',
      'conversation.item.done result after item_1',
      created, ...message('text', 'Hello.', 'completed', 'item_2', 'result'), ...over('completed item_2:completed')
    ])
  })
})

t.test('what is said', async t => {
  /** Hears a word at the first sound, and no more. */
  const quick: SttEngine = {
    name: 'quick',
    async * transcribe (audio) {
      let heard = false
      for await (const chunk of audio) {
        if (heard || chunk.length === 0) continue
        heard = true
        yield { delta: 'Yes' }
      }
    }
  }
  const deaf: SttEngine = { name: 'deaf', async * transcribe () { throw new EngineError('engine_failed', 'deaf', 'No ears.') } }
  const item = [
    'input_audio_buffer.committed item_1 after null',
    'conversation.item.added item_1 completed after null',
    'conversation.item.done item_1 completed after null'
  ]
  const [delta, completed, failed] = ['delta', 'completed', 'failed'].map(end => `conversation.item.input_audio_transcription.${end} item_1`)
  const [started, stopped] = ['input_audio_buffer.speech_started item_1', 'input_audio_buffer.speech_stopped item_1']

  for (const [kind, query] of [['conversation', ''], ['transcription', '?intent=transcription']] as const) {
    /** A client that listens to what it says, in a session that answers by request at most. */
    const talker = async (ears: SttEngine, turnDetection: object | null) => {
      stt = ears
      const client = await server.connect(query)
      await client.update({ type: query === '' ? 'realtime' : 'transcription', audio: { input: { transcription: { model: 'any' }, turn_detection: turnDetection } } })
      return { client, from: client.events.length }
    }
    const vad = { type: 'server_vad', create_response: false }

    t.test(`in a session for ${kind}, ended by silence`, async t => {
      const { client, from } = await talker(countingStt(), vad)
      client.append(tone(400))
      client.append(tone(700, 0))
      await client.next('conversation.item.input_audio_transcription.completed')
      t.strictSame(lines(client.events.slice(from)), [started, stopped, ...item, delta, completed])
    })

    t.test(`in a session for ${kind}, recognised while it is said`, async t => {
      const { client, from } = await talker(quick, vad)
      client.append(tone(400))
      await client.next('conversation.item.input_audio_transcription.delta')
      client.append(tone(700, 0))
      await client.next('conversation.item.input_audio_transcription.completed')
      t.strictSame(lines(client.events.slice(from)), [started, delta, stopped, ...item, completed])
    })

    t.test(`in a session for ${kind}, committed by the client, or not understood`, async t => {
      for (const [ears, ...told] of [[countingStt(), delta, completed], [deaf, failed]] as const) {
        const { client, from } = await talker(ears, null)
        client.append(tone(400))
        client.send({ type: 'input_audio_buffer.commit' })
        await client.next(`conversation.item.input_audio_transcription.${ears === deaf ? 'failed' : 'completed'}`)
        await client.settle()
        t.strictSame(lines(client.events.slice(from)), [...item, ...told])
      }
    })
  }
})

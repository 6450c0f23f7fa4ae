import t, { type Test } from 'tap'
import { connect, inTurn, rateLimits, responseObject, text, told, tool, usage, userItem } from '../support/conversing.js'
import { echo, hang, says, toneTts } from '../support/engines.js'
import { listen, utterance, vad } from '../support/listening.js'
import { latch, transcript } from '../support/transcript.js'

// What ends in the middle: by the client (PROTOCOL section 7.8), or because somebody speaks.

t.test('cancelling', async t => {
  t.test('before anything was said there is nothing between created and done', async t => {
    const { client } = await connect(t, async function * (request, signal) { yield await hang(signal) })
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    const from = client.events.length
    client.send({ type: 'response.cancel' })
    await client.next('rate_limits.updated')
    const events = transcript(client.events.slice(from))
    t.strictSame(events, [
      {
        type: 'response.done',
        response: responseObject({
          status: 'cancelled',
          status_details: { type: 'cancelled', reason: 'client_cancelled' },
          output_modalities: ['audio'],
          usage: usage(0, 0)
        })
      },
      rateLimits
    ])
  })

  t.test('in the middle of a text, what is open ends in order, incomplete, and nothing follows', async t => {
    const { opened, open } = latch()
    const { client, llm } = await connect(t, inTurn(async function * () {
      yield { type: 'text', delta: 'Once upon' }
      await opened
      yield { type: 'text', delta: ' a time' }
    }, () => says('Next.')))
    client.say('Tell me.')
    client.send({ type: 'response.create', response: text })
    await client.next('response.output_text.delta')
    const from = client.events.length
    client.send({ type: 'response.cancel' })
    const { response } = await client.next('response.done')
    open()
    await client.settle()
    t.same(client.types(from), [
      'response.output_text.done', 'response.content_part.done', 'conversation.item.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
    ])
    t.match(response, { status: 'cancelled', status_details: { type: 'cancelled', reason: 'client_cancelled' } })
    t.match(response.output, [{ status: 'incomplete', content: [{ type: 'output_text', text: 'Once upon' }] }])

    t.equal(await client.ask('And then?'), 'Next.')
    t.same(told(llm.requests[1]!), ['user: "Tell me."', 'assistant: "Once upon"', 'user: "And then?"'])
  })

  t.test('in the middle of speech, the transcript holds what was sent, and nothing follows', async t => {
    const { opened, open } = latch()
    const tts = toneTts()
    const { client, llm } = await connect(t, inTurn(() => says('First part, said. Second part, not.'), () => says('Next.')), {
      tts: {
        ...tts,
        async * synthesize (words, options) {
          let count = 0
          for await (const chunk of tts.synthesize(words, options)) {
            if (chunk.text !== '' && count++ === 1) await opened
            yield chunk
          }
        }
      }
    })
    client.say('Tell me.')
    client.send({ type: 'response.create' })
    await client.next('response.output_audio.delta', () => client.audio().length === 17 * 480)
    const from = client.events.length
    client.send({ type: 'response.cancel' })
    const { response } = await client.next('response.done')
    open()
    await client.settle()
    t.same(client.types(from), [
      'response.output_audio.done', 'response.output_audio_transcript.done', 'response.content_part.done',
      'conversation.item.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
    ])
    t.match(response, { status: 'cancelled', output: [{ status: 'incomplete', content: [{ type: 'output_audio', transcript: 'First part, said.' }] }] })
    await client.ask('And then?')
    t.same(told(llm.requests[1]!), ['user: "Tell me."', 'assistant: "First part, said."', 'user: "And then?"'])
  })

  t.test('in the middle of a call, the call is incomplete', async t => {
    const { client } = await connect(t, async function * (request, signal) {
      yield { type: 'tool_call', index: 0, id: 'a', name: 'look' }
      yield { type: 'tool_arguments', index: 0, delta: '{"at":' }
      yield await hang(signal)
    })
    client.say('Where?')
    client.send({ type: 'response.create', response: { ...text, tools: [tool('look')] } })
    await client.next('response.function_call_arguments.delta')
    client.send({ type: 'response.cancel' })
    t.match((await client.next('response.done')).response, { status: 'cancelled', output: [{ type: 'function_call', status: 'incomplete', arguments: '{"at":' }] })
  })

  t.test('ends what the engines do', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, async function * (request, signal) {
      signal.addEventListener('abort', open)
      yield await hang(signal)
    })
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    client.send({ type: 'response.cancel' })
    await opened
    t.pass('the model was told')
  })

  t.test('with nothing to cancel is an error whose message starts as clients expect', async t => {
    const { client } = await connect(t)
    const error = await client.fail({ type: 'response.cancel', event_id: 'mine' })
    t.match(error, { code: 'response_cancel_not_active', param: null, event_id: 'mine' })
    t.ok(error.message.startsWith('Cancellation failed'))
  })

  t.test('a response that is over cannot be cancelled', async t => {
    const { client } = await connect(t)
    await client.ask('hi')
    const { id } = client.of('response.done')[0]!.response
    t.match(await client.fail({ type: 'response.cancel', response_id: id }), { code: 'response_cancel_not_active' })
  })
})

t.test('interrupting by speech', async t => {
  /** A client that has heard a sentence of 27 letters, of which the model goes on. */
  const speaking = async (t: Test, input: object = {}) => {
    const session = await listen(t, {
      input,
      modality: 'audio',
      script: inTurn(async function * (request, signal) {
        yield { type: 'text', delta: 'This is the first sentence. And this' }
        yield await hang(signal)
      }, echo)
    })
    session.client.say('Tell me.')
    session.client.send({ type: 'response.create' })
    await session.client.next('response.output_audio.delta', () => session.client.audio().length === 27 * 480)
    return { ...session, from: session.client.events.length }
  }
  const turn = utterance(320, 640, 640)

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
    const { client } = await listen(t, { script: async function * (request, signal) { yield await hang(signal) } })
    client.say('Tell me.')
    client.send({ type: 'response.create' })
    await client.next('response.created')
    client.append(turn)
    t.match((await client.next('response.done')).response, { status: 'cancelled', status_details: { reason: 'turn_detected' }, output: [] })
  })

  t.test('an answer out of band goes on', async t => {
    const { opened, open } = latch()
    const { client } = await listen(t, {
      script: async function * (request) {
        if (request.messages.at(-1)!.content !== 'aside') return yield * echo(request, new AbortController().signal) as Iterable<never>
        await opened
        yield * says('Aside.')
      }
    })
    client.send({ type: 'response.create', response: { conversation: 'none', input: [userItem('aside')] } })
    const { response: { id } } = await client.next('response.created')
    client.append(turn)
    t.not((await client.next('response.done')).response.id, id)
    open()
    t.match((await client.next('response.done')).response, { id, status: 'completed' })
  })

  t.test('without interrupt_response the answer goes on, and the turn is answered after it', async t => {
    const { opened, open } = latch()
    const { client, from } = await listen(t, {
      input: vad({ interrupt_response: false }),
      script: inTurn(async function * () {
        yield { type: 'text', delta: 'One' }
        await opened
        yield * says(' two.')
      }, echo)
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

import t from 'tap'
import { connect, inTurn, rateLimits, responseObject, text, told, tool, usage } from '../support/conversing.js'
import { hang, says, toneTts } from '../support/engines.js'
import { latch, transcript } from '../support/transcript.js'

// PROTOCOL section 7.8: what ends in the middle.

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

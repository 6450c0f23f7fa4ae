import t from 'tap'
import { textOf } from '../support/client.js'
import { connect, inTurn, rateLimits, responseObject, text, told, tool, usage, userItem } from '../support/conversing.js'
import { base64, hang, says, tone } from '../support/engines.js'
import { latch, transcript } from '../support/transcript.js'

// PROTOCOL sections 7.1, 7.2 and 7.7: answers in writing, aloud and out of band, and what a client may ask of one.

t.test('an answer in writing has the events of PROTOCOL 7.1, with all their keys', async t => {
  const { client } = await connect(t, () => says('Hello you.'))
  client.send({ type: 'conversation.item.create', item: userItem('hi', 'greeting') })
  client.send({ type: 'response.create', response: text })
  await client.next('rate_limits.updated')

  const user = { id: 'greeting', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }
  const open = { id: 'item_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] }
  const done = { ...open, status: 'completed', content: [{ type: 'output_text', text: 'Hello you.' }] }
  const of = { response_id: 'resp_1', item_id: 'item_1', output_index: 0, content_index: 0 }
  t.strictSame(transcript(client.events.slice(1)), [
    { type: 'conversation.item.added', previous_item_id: null, item: user },
    { type: 'conversation.item.done', previous_item_id: null, item: user },
    { type: 'response.created', response: responseObject({}) },
    { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
    { type: 'conversation.item.added', previous_item_id: 'greeting', item: open },
    { type: 'response.content_part.added', ...of, part: { type: 'text', text: '' } },
    { type: 'response.output_text.delta', ...of, delta: 'Hello' },
    { type: 'response.output_text.delta', ...of, delta: ' you.' },
    { type: 'response.output_text.done', ...of, text: 'Hello you.' },
    { type: 'response.content_part.done', ...of, part: { type: 'text', text: 'Hello you.' } },
    { type: 'conversation.item.done', previous_item_id: 'greeting', item: done },
    { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done },
    { type: 'response.done', response: responseObject({ status: 'completed', output: [done], usage: usage(7, 3) }) },
    rateLimits
  ])
})

t.test('an answer aloud has the events of PROTOCOL 7.2, with all their keys', async t => {
  const { client } = await connect(t, () => says('Hey.'))
  client.say('hi')
  client.send({ type: 'response.create' })
  await client.next('rate_limits.updated')

  const open = { id: 'item_2', type: 'message', status: 'in_progress', role: 'assistant', content: [] }
  const done = { ...open, status: 'completed', content: [{ type: 'output_audio', transcript: 'Hey.' }] }
  const of = { response_id: 'resp_1', item_id: 'item_2', output_index: 0, content_index: 0 }
  const modalities = { output_modalities: ['audio'] }
  t.strictSame(transcript(client.events).slice(3), [
    { type: 'response.created', response: responseObject(modalities) },
    { type: 'response.output_item.added', response_id: 'resp_1', output_index: 0, item: open },
    { type: 'conversation.item.added', previous_item_id: 'item_1', item: open },
    { type: 'response.content_part.added', ...of, part: { type: 'audio', transcript: '' } },
    { type: 'response.output_audio_transcript.delta', ...of, delta: 'Hey.' },
    { type: 'response.output_audio.delta', ...of, delta: base64(tone(80, 1000)) },
    { type: 'response.output_audio.done', ...of },
    { type: 'response.output_audio_transcript.done', ...of, transcript: 'Hey.' },
    { type: 'response.content_part.done', ...of, part: { type: 'audio', transcript: 'Hey.' } },
    { type: 'conversation.item.done', previous_item_id: 'item_1', item: done },
    { type: 'response.output_item.done', response_id: 'resp_1', output_index: 0, item: done },
    { type: 'response.done', response: responseObject({ ...modalities, status: 'completed', output: [done], usage: usage(7, 3) }) },
    rateLimits
  ])
})

t.test('every event has an id of its own', async t => {
  const { client } = await connect(t)
  await client.ask('hi')
  t.equal(new Set(client.events.map(event => event.event_id)).size, client.events.length)
})

t.test('a second response in the conversation is refused while one is active, and only that', async t => {
  const { opened, open } = latch()
  const { client } = await connect(t, async function * () {
    await opened
    yield * says('Here.')
  })
  client.say('hi')
  client.send({ type: 'response.create', response: text })
  const { response: { id } } = await client.next('response.created')
  const error = await client.fail({ type: 'response.create', event_id: 'second' })
  t.match(error, { type: 'invalid_request_error', code: 'conversation_already_has_active_response', param: null, event_id: 'second' })
  t.ok(error.message.includes(id))
  open()
  t.match((await client.next('response.done')).response, { id, status: 'completed' })
  await client.settle()
  t.equal(client.of('response.created').length, 1)
})

t.test('out of band', async t => {
  t.test('a response beside the one in the conversation has response events only (PROTOCOL 7.7)', async t => {
    const { opened, open } = latch()
    const { client } = await connect(t, inTurn(async function * () {
      await opened
      yield * says('In the conversation.')
    }, () => says('Aside.')))
    client.say('hi')
    client.send({ type: 'response.create', response: text })
    const { response: active } = await client.next('response.created')
    const from = client.events.length
    client.send({ type: 'response.create', response: { ...text, conversation: 'none', metadata: { topic: 'mood' } } })
    const { response: aside } = await client.next('response.done')
    await client.next('rate_limits.updated')
    t.same(client.types(from), [
      'response.created', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta',
      'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.done', 'rate_limits.updated'
    ])
    t.match(client.events[from], { response: { id: aside.id, conversation_id: null, metadata: { topic: 'mood' } } })
    t.match(aside, { status: 'completed', conversation_id: null, metadata: { topic: 'mood' } })
    t.not(aside.id, active.id)

    open()
    const { response } = await client.next('response.done')
    t.match(response, { id: active.id, status: 'completed', metadata: null })
    t.type(response.conversation_id, 'string')
  })

  t.test('what was said aside is not part of the conversation', async t => {
    const { client, llm } = await connect(t, () => says('Secret.'))
    await client.ask('hi', { ...text, conversation: 'none' })
    const { response } = client.of('response.done')[0]!
    t.match(await client.fail({ type: 'conversation.item.retrieve', item_id: response.output[0]!.id }), { code: 'item_retrieve_invalid_item_id' })
    await client.ask('And?')
    t.same(told(llm.requests[1]!), ['user: "hi"', 'user: "And?"'])
  })

  t.test('any number may run at once, each cancelled by its id', async t => {
    const { client } = await connect(t, (request, signal) => (async function * () { yield await hang(signal) })())
    for (const n of ['1', '2']) client.send({ type: 'response.create', response: { conversation: 'none', input: [userItem('hi')], metadata: { n } } })
    const ids = [(await client.next('response.created')).response.id, (await client.next('response.created')).response.id]
    for (const id of ids.toReversed()) {
      client.send({ type: 'response.cancel', response_id: id })
      t.match((await client.next('response.done')).response, { id, status: 'cancelled' })
    }
  })

  t.test('without an id there is none to cancel but the one in the conversation', async t => {
    const { client } = await connect(t, (request, signal) => (async function * () { yield await hang(signal) })())
    client.send({ type: 'response.create', response: { conversation: 'none', input: [userItem('hi')] } })
    await client.next('response.created')
    t.match(await client.fail({ type: 'response.cancel' }), { code: 'response_cancel_not_active' })
  })
})

t.test('overrides of one response', async t => {
  t.test('hold for that response, and the session keeps its own', async t => {
    const { client, llm } = await connect(t)
    await client.update({ instructions: 'Be long.', tools: [tool('one')], tool_choice: 'auto' })
    await client.ask('hi', {
      ...text,
      instructions: 'Be brief.',
      tools: [tool('two')],
      tool_choice: { type: 'function', name: 'two' },
      max_output_tokens: 17,
      audio: { output: { voice: 'cedar' } },
      metadata: { a: 'b' }
    })
    t.match(llm.requests[0], { tools: [{ name: 'two' }], toolChoice: { name: 'two' }, maxTokens: 17 })
    t.match(llm.requests[0]!.messages[0], { role: 'system', content: 'Be brief.' })
    t.match(client.of('response.created')[0]!.response, {
      output_modalities: ['text'], max_output_tokens: 17, metadata: { a: 'b' }, audio: { output: { voice: 'cedar' } }
    })

    client.send({ type: 'response.create' })
    const { response } = await client.next('response.done')
    t.match(response, { output_modalities: ['audio'], max_output_tokens: 'inf', metadata: null, audio: { output: { voice: 'alloy' } } })
    t.match(llm.requests[1], { tools: [{ name: 'one' }], toolChoice: 'auto', maxTokens: undefined })
    t.match(llm.requests[1]!.messages[0], { content: 'Be long.' })
  })

  t.test('max_output_tokens makes an answer, and its item, incomplete', async t => {
    for (const modality of ['text', 'audio']) {
      const { client } = await connect(t, function * () {
        yield { type: 'text', delta: 'Once upon a' }
        yield { type: 'end', reason: 'length', usage: { inputTokens: 5, outputTokens: 3 } }
      })
      await client.ask('hi', { output_modalities: [modality], max_output_tokens: 3 })
      t.match(client.of('response.done')[0]!.response, {
        status: 'incomplete',
        status_details: { type: 'incomplete', reason: 'max_output_tokens' },
        output: [{ status: 'incomplete' }]
      })
    }
  })

  t.test('a filtered answer is incomplete', async t => {
    const { client } = await connect(t, function * () {
      yield { type: 'text', delta: 'Well, ' }
      yield { type: 'end', reason: 'content_filter' }
    })
    await client.ask('hi')
    t.match(client.of('response.done')[0]!.response, { status: 'incomplete', status_details: { reason: 'content_filter' } })
  })

  t.test('input replaces the conversation, and may refer to its items', async t => {
    const { client, llm } = await connect(t)
    for (const id of ['a', 'b']) client.send({ type: 'conversation.item.create', item: userItem(id, id) })
    client.send({ type: 'response.create', response: { ...text, input: [{ type: 'item_reference', id: 'b' }, userItem('own')] } })
    await client.next('response.done')
    t.same(told(llm.requests[0]!), ['user: "b"', 'user: "own"'])
    await client.ask('end')
    t.same(told(llm.requests[1]!), ['user: "a"', 'user: "b"', 'assistant: "You said: own"', 'user: "end"'])
  })

  t.test('input may be given again and again with the same ids', async t => {
    const { client } = await connect(t)
    for (let n = 0; n < 2; n++) {
      client.send({ type: 'response.create', response: { ...text, conversation: 'none', input: [userItem('own', 'own')] } })
      t.equal(textOf((await client.next('response.done')).response), 'You said: own')
    }
  })

  t.test('a reference to an unknown item is refused', async t => {
    const { client } = await connect(t)
    t.match(await client.fail({ type: 'response.create', response: { input: [userItem('own'), { type: 'item_reference', id: 'ghost' }] } }), {
      code: 'invalid_value', param: 'response.input[1].id'
    })
    await client.settle()
    t.equal(client.of('response.created').length, 0)
  })

  t.test('empty input is no context at all: the instructions are what to do', async t => {
    const { client, llm } = await connect(t)
    client.say('hi')
    client.send({ type: 'response.create', response: { ...text, conversation: 'none', instructions: 'Name a colour.', input: [] } })
    await client.next('response.done')
    t.match(llm.requests[0]!.messages[0], { role: 'system', content: 'Name a colour.' })
    t.notMatch(JSON.stringify(llm.requests[0]!.messages), /hello/i)
  })
})

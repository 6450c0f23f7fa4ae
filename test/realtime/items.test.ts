import t, { type Test } from 'tap'
import type { TestClient } from '../support/client.js'
import { aloud, connect, inTurn, told, userItem } from '../support/conversing.js'
import { base64, echo, hang, says, tone } from '../support/engines.js'
import { latch } from '../support/transcript.js'

// PROTOCOL sections 5 and 8.4: what a client does with the items of a conversation.

t.test('items', async t => {
  const ids = async (client: TestClient, llm: { requests: { messages: { content: unknown }[] }[] }) => {
    await client.ask('end')
    return llm.requests.at(-1)!.messages.slice(1, -1).map(message => message.content)
  }

  t.test('are placed after the item named, first, or last', async t => {
    const { client, llm } = await connect(t)
    const create = async (id: string, after?: string | null) => {
      client.send({ type: 'conversation.item.create', item: userItem(id, id), ...after === undefined ? {} : { previous_item_id: after } })
      const { previous_item_id: added } = await client.next('conversation.item.added')
      const { previous_item_id: done } = await client.next('conversation.item.done')
      t.equal(added, done)
      return added
    }
    t.equal(await create('b'), null)
    t.equal(await create('d'), 'b')
    t.equal(await create('c', 'b'), 'b')
    t.equal(await create('a', 'root'), null)
    t.equal(await create('e', null), 'd')
    t.same(await ids(client, llm), ['a', 'b', 'c', 'd', 'e'])
  })

  t.test('come back as they are, however long and in whatever letters', async t => {
    const { client } = await connect(t)
    // The shortest frame there is, and those whose length takes two bytes, and eight.
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
    for (const text of ['a', 'é'.repeat(200), 'zażółć 你好 😀 \u2028', 'x'.repeat(65_400), '😀'.repeat(30_000)]) {
      client.say(text)
      t.match(await client.next('conversation.item.done'), { item: { content: [{ text }] } })
    }
  })

  t.test('after an unknown one are refused, and not added', async t => {
    const { client, llm } = await connect(t)
    const error = await client.fail({ type: 'conversation.item.create', event_id: 'mine', previous_item_id: 'ghost', item: userItem('a', 'a') })
    t.match(error, { type: 'invalid_request_error', code: 'item_create_invalid_item_id', param: 'previous_item_id', event_id: 'mine' })
    t.match(error.message, /ghost/)
    t.same(await ids(client, llm), [])
  })

  t.test('with an id that is taken are refused, and the first one stays', async t => {
    const { client, llm } = await connect(t)
    client.send({ type: 'conversation.item.create', item: userItem('first', 'a') })
    t.match(await client.fail({ type: 'conversation.item.create', item: userItem('second', 'a') }), { code: 'invalid_value', param: 'item.id' })
    t.same(await ids(client, llm), ['first'])
  })

  t.test('get an id where the client gives none', async t => {
    const { client } = await connect(t)
    client.say('hi')
    t.match((await client.next('conversation.item.added')).item.id, /^item_\w{21}$/)
  })

  t.test('of every kind come back as they were created', async t => {
    const { client } = await connect(t)
    const items = [
      { id: 'a', type: 'message', status: 'completed', role: 'system', content: [{ type: 'input_text', text: 'Be kind.' }] },
      { id: 'b', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: 'Look:' }, { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' }] },
      { id: 'c', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'I see.' }] },
      { id: 'd', type: 'message', status: 'incomplete', role: 'assistant', content: [{ type: 'output_audio', transcript: 'I hea' }] },
      { id: 'e', type: 'function_call', status: 'completed', name: 'look', call_id: 'call', arguments: '{}' },
      { id: 'f', type: 'function_call_output', call_id: 'call', output: 'seen' }
    ]
    for (const item of items) client.send({ type: 'conversation.item.create', item })
    await client.settle()
    t.strictSame(client.of('conversation.item.added').map(event => event.item), items)
    for (const item of items) {
      client.send({ type: 'conversation.item.retrieve', item_id: item.id })
      t.strictSame((await client.next('conversation.item.retrieved')).item, item)
    }
  })

  t.test('that were spoken to are retrieved with their audio', async t => {
    const { client } = await connect(t)
    await client.update({ audio: { input: { turn_detection: null } } })
    const spoken = tone(150, 123)
    client.append(spoken, 40)
    client.send({ type: 'input_audio_buffer.commit' })
    const { item } = await client.next('conversation.item.done')
    t.strictSame(item, { id: item.id, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }] })
    client.send({ type: 'conversation.item.retrieve', item_id: item.id })
    t.match((await client.next('conversation.item.retrieved')).item, { id: item.id, content: [{ type: 'input_audio', audio: base64(spoken) }] })
  })

  t.test('that were spoken by the server are retrieved with their audio', async t => {
    const { client } = await connect(t, () => says('A longer answer, in parts.'))
    const { id } = await aloud(client)
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    const { item } = await client.next('conversation.item.retrieved')
    t.strictSame(item, {
      id,
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_audio', transcript: 'A longer answer, in parts.', audio: base64(client.audio(id)) }]
    })
    t.equal(client.audio(id).length, 26 * 480)
  })

  t.test('are deleted, and the model does not hear of them again', async t => {
    const { client, llm } = await connect(t)
    for (const id of ['a', 'b', 'c']) client.send({ type: 'conversation.item.create', item: userItem(id, id) })
    client.send({ type: 'conversation.item.delete', item_id: 'b' })
    t.equal((await client.next('conversation.item.deleted')).item_id, 'b')
    t.match(await client.fail({ type: 'conversation.item.retrieve', item_id: 'b' }), { code: 'item_retrieve_invalid_item_id' })
    t.same(await ids(client, llm), ['a', 'c'])
    t.equal(client.of('conversation.item.added')[3]!.previous_item_id, 'c')
  })

  t.test('that are unknown can be neither retrieved, nor deleted, nor truncated', async t => {
    const { client } = await connect(t)
    for (const action of ['retrieve', 'delete', 'truncate']) {
      const error = await client.fail({ type: `conversation.item.${action}`, event_id: action, item_id: 'ghost', content_index: 0, audio_end_ms: 0 })
      t.match(error, { type: 'invalid_request_error', code: `item_${action}_invalid_item_id`, event_id: action })
      t.match(error.message, /ghost/)
    }
  })
})

t.test('truncating', async t => {
  // 20 ms of sound a letter; spoken in two passages, of 15 and 26 letters.
  const words = 'One two, three. Four five six seven eight.'
  const speaking = async (t: Test) => {
    const session = await connect(t, inTurn(() => says(words), echo))
    const { id } = await aloud(session.client)
    return { ...session, id }
  }
  const truncate = (id: string, end: unknown) => ({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: end })

  t.test('cuts the audio, and the transcript to the words that were heard', async t => {
    const { client, llm, id } = await speaking(t)
    client.send(truncate(id, 480))
    const { type, event_id: eventId, ...truncated } = await client.next('conversation.item.truncated')
    t.strictSame(truncated, { item_id: id, content_index: 0, audio_end_ms: 480 })

    client.send({ type: 'conversation.item.retrieve', item_id: id })
    const { item } = await client.next('conversation.item.retrieved')
    const [part] = item.type === 'message' ? item.content : []
    const heard = part?.type === 'output_audio' ? part.transcript! : ''
    t.ok(words.startsWith(heard) && heard.startsWith('One two, three.') && heard.length < 30, heard)
    t.equal(part?.type === 'output_audio' && part.audio, base64(client.audio(id).slice(0, 480 * 24)))

    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!), ['user: "hi"', `assistant: ${JSON.stringify(heard)}`, 'user: "What did you say?"'])
  })

  t.test('at zero leaves nothing, and the model has not said a word', async t => {
    const { client, llm, id } = await speaking(t)
    client.send(truncate(id, 0))
    await client.next('conversation.item.truncated')
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    t.match((await client.next('conversation.item.retrieved')).item, { content: [{ type: 'output_audio', transcript: '', audio: '' }] })
    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!), ['user: "hi"', 'user: "What did you say?"'])
  })

  t.test('at the very end changes nothing', async t => {
    const { client, llm, id } = await speaking(t)
    client.send(truncate(id, words.length * 20))
    await client.next('conversation.item.truncated')
    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!)[1], `assistant: ${JSON.stringify(words)}`)
  })

  t.test('beyond the end is refused, and changes nothing', async t => {
    const { client, llm, id } = await speaking(t)
    const error = await client.fail(truncate(id, words.length * 20 + 1))
    t.match(error, { code: 'invalid_value', param: 'audio_end_ms' })
    t.match(error.message, /already shorter than/)
    await client.ask('What did you say?')
    t.same(told(llm.requests[1]!)[1], `assistant: ${JSON.stringify(words)}`)
  })

  t.test('a second time may only cut further', async t => {
    const { client, id } = await speaking(t)
    client.send(truncate(id, 400))
    await client.next('conversation.item.truncated')
    t.match(await client.fail(truncate(id, 401)), { code: 'invalid_value' })
    client.send(truncate(id, 100))
    t.equal((await client.next('conversation.item.truncated')).audio_end_ms, 100)
  })

  t.test('takes whole milliseconds only', async t => {
    const { client, id } = await speaking(t)
    t.match(await client.fail(truncate(id, null)), { code: 'invalid_type', param: 'audio_end_ms' })
    t.match(await client.fail(truncate(id, 1.5)), { param: 'audio_end_ms' })
    t.match(await client.fail(truncate(id, -1)), { param: 'audio_end_ms' })
    t.match(await client.fail({ ...truncate(id, 10), content_index: 1 }), { code: 'invalid_value', param: 'content_index' })
  })

  t.test('is for what was spoken by the server', async t => {
    const { client } = await connect(t)
    await client.ask('hi')
    const written = client.of('response.done')[0]!.response.output[0]!.id
    t.match(await client.fail(truncate(written, 0)), { code: 'unsupported_content_type' })
    client.send({ type: 'conversation.item.create', item: userItem('hi', 'user') })
    t.match(await client.fail(truncate('user', 0)), { code: 'unsupported_content_type', message: 'Only model output audio messages can be truncated.' })
  })

  t.test('works on an answer that the user interrupted', async t => {
    const { client, llm } = await connect(t, inTurn(async function * (request, signal) {
      yield { type: 'text', delta: 'One two three. And' }
      yield await hang(signal)
    }, echo))
    client.say('hi')
    client.send({ type: 'response.create' })
    await client.next('response.output_audio.delta', () => client.audio().length === 14 * 480)
    client.send({ type: 'response.cancel' })
    const { response } = await client.next('response.done')
    client.send(truncate(response.output[0]!.id, 140))
    await client.next('conversation.item.truncated')
    await client.ask('Go on.')
    t.same(told(llm.requests[1]!)[1], 'assistant: "One"')
  })

  t.test('of an answer that is still being spoken stays', async t => {
    const { opened, open } = latch()
    const { client, llm } = await connect(t, inTurn(async function * () {
      yield { type: 'text', delta: 'One two three. And' }
      await opened
      yield * says(' four five.')
    }, echo))
    client.say('hi')
    client.send({ type: 'response.create' })
    const { item_id: id } = await client.next('response.output_audio.delta', () => client.audio().length === 14 * 480)
    client.send(truncate(id, 140))
    await client.next('conversation.item.truncated')
    open()
    await client.next('response.done')
    await client.ask('Go on.')
    t.same(told(llm.requests[1]!)[1], 'assistant: "One"')
  })
})

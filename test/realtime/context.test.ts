import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { createOpenAiLlm } from '../../lib/engines/openai/llm.js'
import type { LoadedCharacter } from '../../lib/characters/loaded-character.js'
import { makePrompt } from '../../lib/realtime/prompt.js'
import { nobody } from '../support/casts.js'
import { startChatServer } from '../support/chat-server.js'
import { base64, cannedEngines, tone } from '../support/engines.js'
import { startServer } from '../support/server.js'

const line = (number: number) => `${number}${' word'.repeat(79)}`.padEnd(400, '.')

async function connect (t: Test, options: DramatisOptions = {}, session: Record<string, unknown> = {}) {
  const engines = cannedEngines()
  const server = await startServer(t, { ...engines, characters: nobody, ...options })
  const client = await server.connect()
  await client.update({ output_modalities: ['text'], instructions: 'Be brief.', ...session })
  /** Numbers of the user's lines that the model was sent last. */
  const sent = () => engines.llm.requests.at(-1)!.messages.filter(({ role }) => role === 'user').map(({ content }) => Number.parseInt(content as string))
  const answer = async (response: Record<string, unknown> = {}) => {
    client.send({ type: 'response.create', response })
    return (await client.next('response.done')).response
  }
  return { client, engines, sent, answer }
}

const limits = { contextTokens: 520 }

t.test('a conversation over the limit loses its oldest items in the model\'s view, and nowhere else', async t => {
  const { client, sent, answer, engines } = await connect(t, { limits })
  for (let number = 1; number <= 8; number++) client.say(line(number))
  const { status } = await answer({ conversation: 'none' })
  t.equal(status, 'completed')
  t.strictSame(sent(), [4, 5, 6, 7, 8])
  t.match(engines.llm.requests[0]!.messages[0], { role: 'system', content: 'Be brief.' })
  const { item } = client.of('conversation.item.done')[0]!
  client.send({ type: 'conversation.item.retrieve', item_id: item.id })
  t.strictSame((await client.next('conversation.item.retrieved')).item, item)
})

t.test('a retention ratio cuts deeper, and stays there while the conversation grows', async t => {
  const { client, sent, answer } = await connect(t, { limits }, { truncation: { type: 'retention_ratio', retention_ratio: 0.5 } })
  for (let number = 1; number <= 6; number++) client.say(line(number))
  await answer({ conversation: 'none' })
  t.strictSame(sent(), [5, 6])
  for (let number = 7; number <= 9; number++) client.say(line(number))
  await answer({ conversation: 'none' })
  t.strictSame(sent(), [5, 6, 7, 8, 9])
  client.say(line(10))
  await answer({ conversation: 'none' })
  t.strictSame(sent(), [9, 10])
})

t.test('token_limits bound what comes after the instructions', async t => {
  const { client, sent, answer } = await connect(t, {}, { truncation: { type: 'retention_ratio', retention_ratio: 1, token_limits: { post_instructions: 250 } } })
  for (let number = 1; number <= 5; number++) client.say(line(number))
  await answer({ conversation: 'none' })
  t.strictSame(sent(), [4, 5])
})

t.test('without truncation a conversation over the limit fails the response, and the session goes on', async t => {
  const { client, engines, answer } = await connect(t, { limits }, { truncation: 'disabled' })
  for (let number = 1; number <= 6; number++) client.say(line(number))
  t.match(await answer(), { status: 'failed', status_details: { type: 'failed', error: { type: 'invalid_request_error', code: 'context_length_exceeded', message: /520/ } }, output: [] })
  t.equal(engines.llm.requests.length, 0)
  t.match(await answer({ input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'short' }] }] }), { status: 'completed' })
})

t.test('the last item is sent however long it is', async t => {
  const { client, sent, answer } = await connect(t, { limits })
  client.say(line(1))
  client.say(line(2).repeat(10))
  t.equal((await answer()).status, 'completed')
  t.strictSame(sent(), [2])
})

t.test('an image is passed on to a model that takes them, and is not counted as text', async t => {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const { client, answer } = await connect(t, { llm: createOpenAiLlm({ baseUrl: chat.url, model: 'test-model' }), limits: { contextTokens: 2000 } }, { truncation: 'disabled' })
  const url = `data:image/png;base64,${'A'.repeat(40_000)}`
  client.send({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'What is it?' }, { type: 'input_image', image_url: url, detail: 'low' }] }
  })
  t.match((await client.next('conversation.item.done')).item, { content: [{}, { type: 'input_image', image_url: url, detail: 'low' }] })
  const { status, usage } = await answer()
  t.equal(status, 'completed')
  t.ok(usage!.input_tokens < 2000)
  t.match(chat.requests[0]!.body.messages.at(-1), {
    role: 'user', content: [{ type: 'text', text: 'What is it?' }, { type: 'image_url', image_url: { url, detail: 'low' } }]
  })
})

t.test('tokens that no model counted are estimated by what it reads and writes, calls included', async t => {
  const llm = {
    name: 'uncounted',
    model: 'uncounted',
    async * generate () {
      yield { type: 'text' as const, delta: 'words '.repeat(100) }
      yield { type: 'end' as const, reason: 'stop' as const }
    }
  }
  const { client, answer } = await connect(t, { llm })
  const tokens = async () => (await answer({ conversation: 'none' })).usage!
  const letters = (count: number) => 'x'.repeat(count)
  client.say('Hello.')
  for (const [expected, item] of [
    [1000, { type: 'message', role: 'user', content: [{ type: 'input_text', text: letters(4000) }] }],
    [500, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: letters(2000) }] }],
    [1500, { type: 'function_call', call_id: 'c', name: 'look', arguments: JSON.stringify({ at: letters(6000) }) }],
    [250, { type: 'function_call_output', call_id: 'c', output: letters(1000) }]
  ] as const) {
    const { input_tokens: before } = await tokens()
    client.send({ type: 'conversation.item.create', item })
    const { input_tokens: after } = await tokens()
    t.ok(Math.abs(after - before - expected) < 20, `${item.type}: ${after - before}`)
  }
  t.equal((await tokens()).output_tokens, 151)
})

t.test('an account without money fails the response with the code that clients know', async t => {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  chat.script({ status: 429, body: { error: { message: 'You exceeded your current quota.', type: 'insufficient_quota', param: null, code: 'insufficient_quota' } } })
  const { answer } = await connect(t, { llm: createOpenAiLlm({ baseUrl: chat.url, model: 'test-model' }) })
  t.match(await answer(), { status: 'failed', status_details: { type: 'failed', error: { code: 'insufficient_quota' } } })
  t.equal(chat.requests.length, 1, 'and is not asked again')
})

t.test('audio in a created item is recognised for the model, and comes back', async t => {
  const { client, engines, answer } = await connect(t)
  const audio = base64(tone(300))
  client.send({ type: 'conversation.item.create', item: { id: 'spoken', type: 'message', role: 'user', content: [{ type: 'input_audio', audio }] } })
  t.strictSame((await client.next('conversation.item.done')).item, {
    id: 'spoken', type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_audio', transcript: null }]
  })
  await answer()
  t.match(engines.llm.requests[0]!.messages.at(-1), { role: 'user', content: '300 ms of audio' })
  client.send({ type: 'conversation.item.retrieve', item_id: 'spoken' })
  t.match((await client.next('conversation.item.retrieved')).item, { content: [{ type: 'input_audio', transcript: '300 ms of audio', audio }] })
})

t.test('a transcript that the client gives is believed, bad audio is refused', async t => {
  const { client, engines, answer } = await connect(t)
  const item = (part: object) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Listen:' }, { type: 'input_audio', ...part }] })
  client.send({ type: 'conversation.item.create', item: item({ audio: base64(tone(300)), transcript: 'As I said' }) })
  await client.next('conversation.item.done')
  await answer({ input: [item({ audio: base64(tone(100)) })] })
  await answer({ conversation: 'none' })
  t.match(engines.llm.requests[0]!.messages.at(-1), { content: 'Listen:\n100 ms of audio' })
  t.match(engines.llm.requests[1]!.messages[1], { content: 'Listen:\nAs I said' })
  t.match(await client.fail({ type: 'conversation.item.create', item: item({ audio: '!!' }) }), { code: 'invalid_value', param: 'item.content[1].audio' })
  t.match(await client.fail({ type: 'response.create', response: { input: [item({ audio: '!!' })] } }), { code: 'invalid_value', param: 'response.input[0].content[1].audio' })
})

t.test('recordings are kept for as long as the option says', async t => {
  const { client } = await connect(t, { limits: { audioHistorySeconds: 1 } })
  for (const id of ['old', 'new']) {
    client.send({ type: 'conversation.item.create', item: { id, type: 'message', role: 'user', content: [{ type: 'input_audio', audio: base64(tone(600)), transcript: id }] } })
  }
  for (const id of ['old', 'new']) client.send({ type: 'conversation.item.retrieve', item_id: id })
  const kept = async () => JSON.stringify((await client.next('conversation.item.retrieved')).item).includes('"audio":')
  t.strictSame([await kept(), await kept()], [false, true])
})

t.test('a session ends when its time is over', async t => {
  const { client } = await connect(t, { limits: { sessionSeconds: 1 } })
  t.match((await client.next('error')).error, { type: 'invalid_request_error', code: 'session_expired', param: null, event_id: null })
  t.match(await client.closed, { reason: 'session_expired' })
})

t.test('reasoning and parallel_tool_calls reach the model, and are left out where its server does not take them', async t => {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const tools = [{ type: 'function', name: 'look' }]
  const { client, answer } = await connect(t, { llm: createOpenAiLlm({ baseUrl: chat.url, model: 'test-model' }) }, { tools })
  /** What each request since had of the two. */
  const sent = () => chat.requests.splice(0).map(({ body }) => [body.reasoning_effort, body.parallel_tool_calls])
  await answer()
  t.strictSame(sent(), [[undefined, undefined]], 'as the model likes')
  await client.update({ reasoning: { effort: 'high' }, parallel_tool_calls: false })
  await answer()
  await answer({ reasoning: { effort: 'low' }, parallel_tool_calls: true })
  await answer({ reasoning: { effort: 'of a later day' } })
  t.strictSame(sent(), [['high', false], ['low', true], [undefined, false]])

  chat.script({ status: 400, body: { error: { message: 'Unsupported value: \'reasoning_effort\' does not support \'high\' with this model.' } } })
  t.equal((await answer()).status, 'completed')
  await answer()
  await answer({ reasoning: { effort: 'low' } })
  t.strictSame(sent(), [['high', false], [undefined, false], [undefined, false], ['low', false]], 'tried once, and no other value is lost')
})

t.test('prompt, reasoning, parallel_tool_calls, tracing and include are taken and shown', async t => {
  const { client, answer } = await connect(t)
  const given = {
    prompt: { id: 'pmpt_1', version: '2', variables: { city: 'Bath' } },
    reasoning: { effort: 'low' },
    parallel_tool_calls: false,
    tracing: 'auto',
    include: ['item.input_audio_transcription.logprobs']
  }
  t.match(await client.update(given), given)
  t.equal((await answer({ prompt: given.prompt, reasoning: { effort: 'high' }, parallel_tool_calls: true })).status, 'completed')
})

t.test('a parameter that nobody knows is ignored, but by a strict server', async t => {
  const lenient = await connect(t)
  await lenient.client.update({ foo: 1, audio: { output: { bar: 2 } } })
  const { client } = await connect(t, { strict: true })
  const wrong: [Record<string, unknown> & { type: string }, string][] = [
    [{ type: 'session.update', session: { type: 'realtime', foo: 1 } }, 'session.foo'],
    [{ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: { type: 'semantic_vad', threshold: 1 } } } } }, 'session.audio.input.turn_detection.threshold'],
    [{ type: 'session.update', session: { type: 'realtime', tools: [{ type: 'function', name: 'f', strict: true }] } }, 'session.tools[0].strict'],
    [{ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'a', b: 1 }] } }, 'item.content[0].b'],
    [{ type: 'response.create', response: { temperature: 1 } }, 'response.temperature'],
    [{ type: 'input_audio_buffer.clear', now: true }, 'now']
  ]
  for (const [event, param] of wrong) {
    t.match(await client.fail({ ...event, event_id: 'mine' }), { type: 'invalid_request_error', code: 'unknown_parameter', param, message: `Unknown parameter: '${param}'.`, event_id: 'mine' })
  }
  await client.update({
    model: 'm',
    tools: [{ type: 'function', name: 'f', description: 'd', parameters: { type: 'object', properties: { any: {} } } }],
    tool_choice: { type: 'function', name: 'f' },
    prompt: { id: 'p', variables: { free: 1 } },
    character: null,
    audio: { input: { transcription: { model: 'w', languages: ['en'], delay: 'low' }, noise_reduction: { type: 'near_field' } }, output: { voice: { id: 'cedar' } } }
  })
  t.equal((await client.ask('hi', { metadata: { any: 'key' } })), 'You said: hi')
})

t.test('examples that wait for the result of a tool are no lines to learn from', async t => {
  const character = {
    name: 'Ann',
    prompt: async () => ({
      system: 'You are Ann.',
      examples: [{ user: 'Roll.', character: 'It is {result}!', tool: { name: 'roll' } }, { user: 'Hello.', character: 'Good day.' }],
      notes: []
    })
  } as unknown as LoadedCharacter
  const { system: prompt } = await makePrompt(character, '', new AbortController().signal, () => [])
  t.match(prompt, 'User: Hello.\nAnn: Good day.')
  t.notMatch(prompt, '{result}')
  t.notMatch(prompt, 'Roll.')
})

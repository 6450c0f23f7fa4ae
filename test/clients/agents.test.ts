import { RealtimeAgent, RealtimeSession, tool, type RealtimeItem } from '@openai/agents-realtime'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { nobody } from '../support/casts.js'
import { cannedEngines, endless, says, tone, type Script } from '../support/engines.js'
import { Inbox } from '../support/inbox.js'
import { startServer } from '../support/server.js'

const key = 'sk-test'

/** A session of the library in front of a server of its own; what either side emits comes to one inbox. */
async function connect (t: Test, script: Script, tools: ReturnType<typeof tool>[] = [], config: object = {}) {
  const server = await startServer(t, { apiKeys: [key], characters: nobody, ...cannedEngines(script) })
  const agent = new RealtimeAgent({ name: 'host', instructions: 'Be kind.', tools: tools as never[] })
  const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime', config })
  const inbox = new Inbox()
  session.on('transport_event', inbox.push)
  session.on('agent_tool_end', (context, agent, tool, result) => inbox.push({ type: 'agent_tool_end', tool: tool.name, result }))
  session.on('audio_interrupted', () => inbox.push({ type: 'audio_interrupted' }))
  session.on('history_updated', history => inbox.push({ type: 'history_updated', history: structuredClone(history) }))
  session.on('error', ({ error }) => inbox.push({ type: 'error', error }))
  t.teardown(() => session.close())
  await session.connect({ apiKey: key, url: `ws://127.0.0.1:${server.port}/v1/realtime?model=gpt-realtime` })
  // It updates the session twice: with what it wants, and with tracing once it was greeted.
  await inbox.next('session.updated')
  await inbox.next('session.updated')
  return { session, inbox, next: inbox.next.bind(inbox) }
}

/** What the library shows of the conversation. */
function said (history: RealtimeItem[]): string[] {
  return history.flatMap(item => item.type === 'message'
    ? item.content.map(part => `${item.role}: ${'text' in part ? part.text : 'transcript' in part ? part.transcript : ''}`)
    : item.type === 'function_call' ? [`${item.name}(${item.arguments}) -> ${item.output}`] : [])
}

t.test('an answer to a message, and the settings it asked for', async t => {
  const { session, inbox, next } = await connect(t, () => says('Good evening to you.'))
  t.match(inbox.of('session.updated').at(-1)!.session, {
    instructions: 'Be kind.', tracing: 'auto', audio: { input: { turn_detection: { type: 'semantic_vad', interrupt_response: true } } }
  })
  session.sendMessage('Good evening')
  const done = await next('response.done')
  t.equal(done.response.status, 'completed')
  t.same(said(session.history), ['user: Good evening', 'assistant: Good evening to you.'])
  t.equal(session.usage.inputTokens, done.response.usage.input_tokens)
  t.same(inbox.of('error'), [])

  session.transport.sendEvent({ type: 'session.characters.list' })
  t.equal((await next('session.characters.listed')).directory, 'default')
})

t.test('two tools of one response are run, and the model told', async t => {
  const weather = tool({
    name: 'weather',
    description: 'The weather of a city.',
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`
  })
  const clock = tool({ name: 'clock', description: 'The time.', parameters: z.object({}), execute: async () => 'noon' })
  const { session, inbox, next } = await connect(t, function * ({ messages }) {
    const results = messages.filter(message => message.role === 'tool')
    if (results.length === 2) return yield * says(`It is ${results.map(result => result.content).join(' and ')}.`)
    yield { type: 'tool_call', index: 0, id: 'call_rome', name: 'weather' }
    yield { type: 'tool_arguments', index: 0, delta: '{"city":"Rome"}' }
    yield { type: 'tool_call', index: 1, id: 'call_time', name: 'clock' }
    yield { type: 'end', reason: 'tool_calls' }
  }, [weather, clock] as never[])
  session.sendMessage('The weather in Rome, and the time?')
  const answer = await next('response.done', event => event.response.output[0]?.type === 'message')
  t.equal(answer.response.status, 'completed')
  t.match(inbox.of('agent_tool_end'), [{ tool: 'weather', result: 'sunny in Rome' }, { tool: 'clock', result: 'noon' }])
  t.same(said(session.history), [
    'user: The weather in Rome, and the time?', 'weather({"city":"Rome"}) -> sunny in Rome', 'clock({}) -> noon',
    'assistant: It is sunny in Rome and noon.'
  ])
  t.same(inbox.of('error'), [])
})

t.test('a spoken turn is heard, and its transcript is in the history', async t => {
  const { session, inbox, next } = await connect(t, () => says('I heard you.'), [], { audio: { input: { turnDetection: { type: 'server_vad' } } } })
  session.sendAudio(tone(500).buffer as ArrayBuffer)
  session.sendAudio(tone(1500, 0).buffer as ArrayBuffer)
  await next('response.done')
  // It asks for the item once it is transcribed, and shows what it is told.
  await inbox.first('conversation.item.retrieved')
  t.match(said(session.history), [/^user: \d+ ms of audio$/, 'assistant: I heard you.'])
  t.same(inbox.of('error'), [])
})

t.test('the user speaks into an answer: it is cut where it was heard, and so is the history', async t => {
  const { session, inbox, next } = await connect(t, endless)
  session.sendMessage('Tell me a story')
  await next('response.output_audio.delta', event => inbox.of('response.output_audio.delta').length === 4)
  // As if it had been played for that long.
  const transport = session.transport as unknown as { _firstAudioTimestamp: number }
  transport._firstAudioTimestamp -= 250
  session.sendAudio(tone(500).buffer as ArrayBuffer)
  await next('audio_interrupted')
  const { response } = await next('response.done')
  t.match(response, { status: 'cancelled', status_details: { type: 'cancelled', reason: 'turn_detected' } })
  const truncated = await next('conversation.item.truncated')
  t.equal(truncated.item_id, response.output[0].id)

  // The library asks for what is left of the item.
  const { item } = await next('conversation.item.retrieved', event => event.item.id === truncated.item_id)
  t.match(item.content[0].transcript, /^This is/)
  t.notMatch(item.content[0].transcript, /many/, 'nothing is kept that was not heard')
  t.same(said(session.history).slice(0, 2), ['user: Tell me a story', `assistant: ${item.content[0].transcript}`])
  t.same(inbox.of('response.cancel'), [])
  t.same(inbox.of('error'), [])
})

t.test('the application interrupts, and asks again', async t => {
  let asked = 0
  const { session, inbox, next } = await connect(t, (request, signal) => asked++ === 0 ? endless(request, signal) : says('Something else.'))
  session.sendMessage('Tell me a story')
  await next('response.output_audio.delta')
  session.interrupt()
  t.match((await next('response.done')).response.status_details, { reason: 'client_cancelled' })
  session.sendMessage('Another one')
  t.match((await next('response.done')).response.status, 'completed')
  t.equal(said(session.history).at(-1), 'assistant: Something else.')
  t.same(inbox.of('error'), [])
})

t.test('history is edited from the client: items deleted and added', async t => {
  const { session, next } = await connect(t, () => says('Yes.'))
  session.sendMessage('First')
  await next('response.done')
  const [first] = session.history
  session.updateHistory(history => history.filter(item => item.itemId !== first!.itemId))
  t.equal((await next('conversation.item.deleted')).item_id, first!.itemId)
  t.same(said(session.history), ['assistant: Yes.'])
})

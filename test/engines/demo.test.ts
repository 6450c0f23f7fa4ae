import t from 'tap'
import { createDemoLlm } from '../../lib/engines/demo/llm.js'
import type { LlmCharacter, LlmEvent, LlmMessage, LlmRequest, LlmTool } from '../../lib/engines/engine.js'

const llm = createDemoLlm()

const keeper: LlmCharacter = {
  name: 'Lantern Lou',
  greeting: 'Evening. Mind the step.',
  examples: [
    { user: 'Who are you?', character: 'I am Lou. I keep the lighthouse.' },
    { user: 'How tall is the lighthouse?', character: 'Forty steps and a sore knee.' },
    { user: 'Tell me about the storm.', character: 'The storm took the boathouse roof clean off.' },
    { user: 'Do you get lonely?', character: 'The gulls are poor company but loyal.' },
    { user: 'Write in the log that the lamp is lit', character: 'It is written: the lamp is lit. {result}', tool: { name: 'write_log', arguments: { entry: 'the lamp is lit' } } },
    { user: 'Read me the log.', character: 'The log says: {result}', tool: { name: 'read_log' } },
    { user: 'How many candles are left?', character: '{result}', tool: { name: 'count', arguments: { what: 'candles' } } },
    { user: 'Give me three candles', character: 'Here you are. {result}', tool: { name: 'give', arguments: { what: 'candles', number: 3 } } }
  ]
}
const what = { type: 'string', enum: ['candles', 'ropes', 'matches'] }
const tools: LlmTool[] = [
  { name: 'write_log', parameters: { type: 'object', properties: { entry: { type: 'string' } }, required: ['entry'] } },
  { name: 'read_log' },
  { name: 'count', parameters: { type: 'object', properties: { what }, required: ['what'] } },
  { name: 'give', parameters: { type: 'object', properties: { what, number: { type: 'integer' } }, required: ['what', 'number'] } }
]

async function run (request: Partial<LlmRequest>, signal = new AbortController().signal): Promise<LlmEvent[]> {
  const events: LlmEvent[] = []
  for await (const event of llm.generate({ messages: [], tools: [], toolChoice: 'auto', character: keeper, ...request }, { signal })) events.push(event)
  return events
}

const textOf = (events: LlmEvent[]) => events.map(event => event.type === 'text' ? event.delta : '').join('')
const callOf = (events: LlmEvent[]) => {
  const call = events.find(event => event.type === 'tool_call')
  const args = events.find(event => event.type === 'tool_arguments')
  return call && { name: call.name, arguments: JSON.parse(args?.delta ?? '{}') }
}
const ask = async (user: string, request: Partial<LlmRequest> = {}) => textOf(await run({ messages: [{ role: 'user', content: user }], ...request }))
const call = async (user: string, request: Partial<LlmRequest> = {}) => callOf(await run({ messages: [{ role: 'user', content: user }], tools, ...request }))

/** Says the lines one after another, as one conversation, and returns the answers. */
async function converse (lines: string[], character: LlmCharacter | undefined = keeper): Promise<string[]> {
  const messages: LlmMessage[] = []
  const answers: string[] = []
  for (const content of lines) {
    messages.push({ role: 'user', content })
    const answer = textOf(await run({ messages, character }))
    messages.push({ role: 'assistant', content: answer })
    answers.push(answer)
  }
  return answers
}

t.test('lines', async t => {
  t.test('an empty conversation begins with the greeting', async t => {
    t.equal(textOf(await run({ messages: [{ role: 'system', content: 'You are Lou.' }] })), 'Evening. Mind the step.')
    t.match(textOf(await run({ character: { name: 'Nell', examples: [] } })), /^Hello, I am Nell\./)
    t.equal(await ask('The conversation begins now. Say hello, in one or two sentences.'), 'Evening. Mind the step.')
    t.equal(await ask('Hello!'), 'Evening. Mind the step.')
  })

  t.test('every example\'s line gets that example\'s answer', async t => {
    for (const { user, character, tool } of keeper.examples) {
      if (tool === undefined) t.equal(await ask(user), character)
    }
  })

  t.test('other words for the same question find the same answer', async t => {
    t.equal(await ask('so how tall is this lighthouse of yours'), 'Forty steps and a sore knee.')
    t.equal(await ask('What about that storm?'), 'The storm took the boathouse roof clean off.')
    t.equal(await ask('Don\'t you get lonely up here?'), 'The gulls are poor company but loyal.')
    t.equal(await ask('and who\'re you'), 'I am Lou. I keep the lighthouse.')
  })

  t.test('the user\'s name is remembered', async t => {
    const answers = await converse(['Hi, my name is ada.', 'How tall is the lighthouse?', 'What is my name?'])
    t.match(answers[0], /Ada/)
    t.equal(answers[1], 'Forty steps and a sore knee.')
    t.match(answers[2], /Ada/)
  })

  t.test('what it does not know it reflects', async t => {
    t.match(await ask('I love my old bicycle.'), /your old bicycle/)
    t.match(await ask('The orchestra was late again.'), /the orchestra/i)
    t.match(await ask('I am so tired'), /tired/)
  })

  t.test('asked to say something, it says just that', async t => {
    t.equal(await ask('Please say: the ferry leaves at noon'), 'The ferry leaves at noon.')
  })

  t.test('it is honest about being a demo now and then', async t => {
    const answers = await converse(['Zebras hum.', 'Tulips argue.', 'Teapots sail.', 'Pigeons knit.'])
    t.equal(answers.filter(answer => /demo brain/.test(answer)).length, 1)
  })

  t.test('it never says the same line twice in a row', async t => {
    for (const line of ['How tall is the lighthouse?', 'hello', 'Zebras hum.', 'why', '', 'yes', 'thanks', 'my name is Ada']) {
      const answers = await converse(Array(12).fill(line))
      answers.forEach((answer, i) => t.not(answer, answers[i - 1], line))
      t.ok(answers.every(answer => answer !== ''), line)
    }
  })

  t.test('it has something to say to silence, to a picture, and when it is its own turn', async t => {
    t.match(await ask('…'), /catch/)
    t.match(await ask('', { messages: [{ role: 'user', content: [{ type: 'image', url: 'data:,' }] }] }), /picture/)
    t.match(await ask('', { messages: [{ role: 'user', content: 'hi' }, { role: 'assistant', content: 'Hello.' }] }), /\w/)
  })

  t.test('a character that speaks French gets French phrases', async t => {
    const colette: LlmCharacter = { name: 'Colette', greeting: 'Bonjour, je suis la boulangère de la rue.', examples: [{ user: 'Du pain ?', character: 'Le pain est dans le four.' }] }
    const [first, second] = await converse(['Je m\'appelle Luc.', 'Les nuages sont bizarres.'], colette)
    t.equal(first, 'Enchantée, Luc.')
    t.match(second, /vous|moi|Tiens|démonstration/)
  })

  t.test('nobody selected: a neutral assistant that can explain the server', async t => {
    t.match(await ask('Who are you?', { character: undefined }), /demo brain/)
    t.match(await ask('how can I connect a language model', { character: undefined }), /base U R L/)
  })
})

t.test('tools', async t => {
  t.test('the example\'s call is made with its arguments', async t => {
    t.same(await call('Read me the log.'), { name: 'read_log', arguments: {} })
    t.same(await call('How many candles are left?'), { name: 'count', arguments: { what: 'candles' } })
  })

  t.test('the user\'s own words take the place of the example\'s', async t => {
    t.same(await call('Please write in the log that the wind has turned.'), { name: 'write_log', arguments: { entry: 'the wind has turned' } })
    t.same(await call('How many ropes are left?'), { name: 'count', arguments: { what: 'ropes' } })
    t.same(await call('Could you give me two ropes, please?'), { name: 'give', arguments: { what: 'ropes', number: 2 } })
    t.same(await call('Give me a dozen matches'), { name: 'give', arguments: { what: 'matches', number: 12 } })
  })

  t.test('what the tool must have and nobody said is not made up', async t => {
    t.equal(await call('Give me three dragons'), undefined)
  })

  t.test('the result is spoken in the example\'s line, with the user\'s own words', async t => {
    const messages: LlmMessage[] = [
      { role: 'user', content: 'Write in the log that the wind has turned' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_a', name: 'write_log', arguments: '{"entry":"the wind has turned"}' }] },
      { role: 'tool', callId: 'call_a', content: 'That makes four entries.' }
    ]
    t.equal(textOf(await run({ messages, tools })), 'It is written: the wind has turned. That makes four entries.')
    t.equal(textOf(await run({ messages, tools, toolChoice: 'required' })), 'It is written: the wind has turned. That makes four entries.', 'and no second call')
  })

  t.test('a tool\'s error is told without the line that expected a success', async t => {
    const messages: LlmMessage[] = [
      { role: 'user', content: 'Give me three candles' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_a', name: 'give', arguments: '{"what":"candles","number":3}' }] },
      { role: 'tool', callId: 'call_a', content: 'Error: The box is empty.' }
    ]
    t.equal(textOf(await run({ messages, tools })), 'The box is empty.')
  })

  t.test('a result without an example is said as it is, an object by its values', async t => {
    const messages: LlmMessage[] = [
      { role: 'user', content: 'Do it' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_a', name: 'other', arguments: '{}' }] },
      { role: 'tool', callId: 'call_a', content: '{"sky":"clear","wind_speed":12}' }
    ]
    t.equal(textOf(await run({ messages, tools: [{ name: 'other' }] })), 'sky: clear, wind speed: 12')
  })

  t.test('a tool that is not offered, or not to be used, is not called', async t => {
    t.equal(await call('Read me the log.', { tools: [] }), undefined)
    t.equal(await call('Read me the log.', { toolChoice: 'none' }), undefined)
    t.notMatch(await ask('Read me the log.'), /\{result\}/)
  })

  t.test('a required tool is called whatever was said', async t => {
    t.same(await call('Hello', { toolChoice: { name: 'count' } }), { name: 'count', arguments: { what: 'candles' } })
    t.ok(await call('Hello', { toolChoice: 'required' }))
  })

  t.test('a tool of the application is called when its name is what it is about', async t => {
    const weather = { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }
    t.same(await call('What is the weather in New York?', { tools: [...tools, weather] }), { name: 'get_weather', arguments: { city: 'New York' } })
  })

  t.test('asked to hand over, it does, and who goes on greets instead of answering the note', async t => {
    const handOver: LlmTool = { name: 'hand_over', parameters: { type: 'object', properties: { to: { type: 'string', enum: ['Bob', 'Cleo'] }, message: { type: 'string' } }, required: ['to'] } }
    t.strictSame(callOf(await run({ messages: [{ role: 'user', content: 'Please hand over to Cleo.' }], tools: [handOver] })), { name: 'hand_over', arguments: { to: 'Cleo' } })
    const note = '[Bob hands the conversation over to you, Lantern Lou. Bob tells you: "They ask how tall the lighthouse is." Go on now.]'
    const said = textOf(await run({ messages: [{ role: 'user', content: 'Please hand over to Lou.' }, { role: 'user', content: note }], tools: [handOver] }))
    t.match(said, /Mind the step/)
    t.notMatch(said, /hands the conversation/)
  })

  t.test('an example that is nothing but its argument takes any answer, but no courtesy and no question', async t => {
    const quiz: LlmCharacter = { name: 'Quill', examples: [{ user: 'Saturn', character: '{result}', tool: { name: 'answer', arguments: { text: 'Saturn' } } }] }
    const tools = [{ name: 'answer', parameters: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } }]
    t.same(await call('I think it is the moon.', { character: quiz, tools }), { name: 'answer', arguments: { text: 'I think it is the moon' } })
    t.equal(await call('Thank you!', { character: quiz, tools }), undefined)
    t.equal(await call('What is the capital of Peru?', { character: quiz, tools }), undefined)
  })
})

t.test('streaming', async t => {
  t.test('the answer comes word by word and ends with stop', async t => {
    const events = await run({ messages: [{ role: 'user', content: 'Who are you?' }] })
    t.same(events.slice(0, 2), [{ type: 'text', delta: 'I ' }, { type: 'text', delta: 'am ' }])
    t.same(events.at(-1), { type: 'end', reason: 'stop' })
  })

  t.test('a call ends with tool_calls', async t => {
    const events = await run({ messages: [{ role: 'user', content: 'Read me the log.' }], tools })
    t.match(events[0], { type: 'tool_call', index: 0, id: /^call_\w+$/, name: 'read_log' })
    t.same(events.at(-1), { type: 'end', reason: 'tool_calls' })
  })

  t.test('maxTokens ends it after so many words', async t => {
    const events = await run({ messages: [{ role: 'user', content: 'Who are you?' }], maxTokens: 3 })
    t.equal(textOf(events).trim(), 'I am Lou.')
    t.same(events.at(-1), { type: 'end', reason: 'length' })
  })

  t.test('an abort rejects with its reason, before and in the middle', async t => {
    await t.rejects(run({}, AbortSignal.abort(new Error('late'))), { message: 'late' })
    const controller = new AbortController()
    const events = llm.generate({ messages: [], tools: [], toolChoice: 'auto', character: keeper }, { signal: controller.signal })[Symbol.asyncIterator]()
    await events.next()
    controller.abort(new Error('enough'))
    await t.rejects(events.next(), { message: 'enough' })
  })

  t.test('other work goes on between two words', async t => {
    let turns = 0
    const count = () => {
      turns++
      handle = setImmediate(count)
    }
    let handle = setImmediate(count)
    await run({ messages: [{ role: 'user', content: 'Tell me about the storm.' }] })
    clearImmediate(handle)
    t.ok(turns >= 5)
  })

  t.test('a thought takes less than two milliseconds', async t => {
    const times: number[] = []
    for (let i = 0; i < 200; i++) {
      const started = performance.now()
      for await (const event of llm.generate({ messages: [{ role: 'user', content: `Number ${i}, the strom and the boathouse, how was that again?` }], tools, toolChoice: 'auto', character: keeper }, { signal: new AbortController().signal })) {
        if (event) break
      }
      times.push(performance.now() - started)
    }
    t.ok(times.sort((a, b) => a - b)[100]! < 2)
  })
})

import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import type { LlmEvent } from '../../lib/engines/engine.js'
import { characterSource } from '../support/casts.js'
import { calls, cannedEngines, says, type Script } from '../support/engines.js'
import { startServer } from '../support/server.js'

// Tools of characters, run by the server (PROTOCOL section 13, as mcp_call items where they are visible).

const directory = t.testdir({
  'ada.ts': characterSource('Ada', `
  tools: [
    {
      name: 'add', description: 'Adds.', run: ({ a, b }) => a + b,
      parameters: { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' }, unit: { enum: ['cm', 'm'] } }, required: ['a', 'b'], additionalProperties: false }
    },
    { name: 'odd', description: 'Has no schema that is one.', parameters: { type: 'object', required: 5 }, run: () => 'never' },
    { name: 'wait', description: 'Waits for a signal.', parameters: { type: 'object' }, run: (args, { signal, log }) => new Promise((resolve, reject) => {
      log.info('waiting')
      signal.addEventListener('abort', () => { log.info('aborted'); reject(signal.reason) })
    }) },
    { name: 'hold', description: 'Ends when it is told to.', parameters: { type: 'object' }, run: () => new Promise(resolve => { globalThis.letGo = resolve }) },
    { name: 'release', description: 'Tells it to.', parameters: { type: 'object' }, run: () => { globalThis.letGo('held'); return 'released' } }
  ]`)
})

function inTurn (...scripts: Script[]): Script {
  let count = 0
  return (request, signal) => scripts[Math.min(count++, scripts.length - 1)]!(request, signal)
}

async function connect (t: Test, script: Script, options: DramatisOptions = {}) {
  const engines = cannedEngines(script)
  const server = await startServer(t, { ...engines, ...options, characters: { directory } })
  return { server, client: await server.connect('?character=Ada'), llm: engines.llm }
}

t.test('arguments that do not fit', async t => {
  const wrong: [string, string, object, RegExp][] = [
    ['of another type', 'add', { a: 'two', b: 3 }, /^Error: the arguments do not fit the tool's parameters: \/a must be number\.$/],
    ['that are missing', 'add', { a: 2 }, /they must have required property 'b'/],
    ['that nobody asked for', 'add', { a: 2, b: 3, c: 4 }, /additional properties \('c'\)/],
    ['beside what is allowed', 'add', { a: 2, b: 3, unit: 'km' }, /\/unit must be equal to one of the allowed values \(cm, m\)/],
    ['for a schema that is none', 'odd', {}, /parameters are no JSON Schema/]
  ]
  for (const [name, tool, args, message] of wrong) {
    t.test(`${name} are told to the model, which may try again`, async t => {
      const { client, llm } = await connect(t, inTurn(() => calls(tool, args), () => calls('add', { a: 2, b: 3 }), () => says('Five.')))
      t.equal(await client.ask('2 and 3?'), 'Five.')
      t.match(llm.requests[2]!.messages.filter(({ role }) => role === 'tool').map(({ content }) => content), [message, '5'])
      t.equal(client.of('response.done').length, 1, 'in the same response')
    })
  }

  t.test('and are no JSON at all are told too', async t => {
    const broken = function * (): Iterable<LlmEvent> {
      yield { type: 'tool_call', index: 0, id: 'call_1', name: 'add' }
      yield { type: 'tool_arguments', index: 0, delta: '{"a": 2, ' }
      yield { type: 'end', reason: 'tool_calls' }
    }
    const { client, llm } = await connect(t, inTurn(broken, () => says('Sorry.')))
    t.equal(await client.ask('2 and 3?'), 'Sorry.')
    t.match(llm.requests[1]!.messages.at(-1), { role: 'tool', content: 'Error: the arguments are not valid JSON.' })
  })
})

t.test('what was said before a call is heard while the tool still runs', async t => {
  const { client } = await connect(t, inTurn(function * () {
    yield { type: 'text', delta: 'Let me see.' }
    yield * calls('wait', {})
  }, () => says('Done.')))
  client.say('Wait.')
  client.send({ type: 'response.create' })
  await client.next('response.output_audio.delta')
  await client.next('response.output_audio.done')
  t.equal(client.of('response.done').length, 0)
  client.send({ type: 'response.cancel' })
  t.match((await client.next('response.done')).response, { status: 'cancelled', output: [{ content: [{ transcript: 'Let me see.' }] }] })
  t.equal(await client.ask('And now?'), 'Done.')
})

t.test('two calls of one answer run at the same time', async t => {
  const both = function * (): Iterable<LlmEvent> {
    for (const [index, name] of ['hold', 'release'].entries()) {
      yield { type: 'tool_call', index, id: `call_${index}`, name }
      yield { type: 'tool_arguments', index, delta: '{}' }
    }
    yield { type: 'end', reason: 'tool_calls' }
  }
  const { client, llm } = await connect(t, inTurn(both, () => says('Both.')))
  t.equal(await client.ask('Both?'), 'Both.')
  t.match(llm.requests[1]!.messages.slice(-2), [{ callId: 'call_0', content: 'held' }, { callId: 'call_1', content: 'released' }])
})

t.test('several rounds are one response', async t => {
  const { client, llm } = await connect(t, inTurn(() => calls('add', { a: 1, b: 1 }), () => calls('add', { a: 2, b: 2 }), () => calls('add', { a: 4, b: 4 }), () => says('Eight.')))
  await client.update({ character_tools: 'visible' })
  t.equal(await client.ask('Double, twice.'), 'Eight.')
  t.match(client.of('response.done'), [{ response: { output: [{ output: '2' }, { output: '4' }, { output: '8' }, { type: 'message' }] } }])
  t.match(llm.requests[3]!.messages.filter(({ role }) => role === 'tool').map(({ content }) => content), ['2', '4', '8'])
})

t.test('a call of the client\'s tool and one of the character\'s are made in one response', async t => {
  const both = function * (): Iterable<LlmEvent> {
    yield { type: 'tool_call', index: 0, id: 'call_own', name: 'add' }
    yield { type: 'tool_call', index: 1, id: 'call_theirs', name: 'look' }
    yield { type: 'tool_arguments', index: 1, delta: '{"at":"sky"}' }
    yield { type: 'tool_arguments', index: 0, delta: '{"a":2,"b":3}' }
    yield { type: 'end', reason: 'tool_calls' }
  }
  const { client, llm } = await connect(t, inTurn(both, () => says('Five stars.')))
  await client.update({ tools: [{ type: 'function', name: 'look', description: 'Looks.', parameters: { type: 'object' } }] })
  t.equal(await client.ask('How many stars?'), '')
  const { response } = client.of('response.done')[0]!
  t.match(response.output, [{ type: 'function_call', call_id: 'call_theirs', name: 'look', arguments: '{"at":"sky"}' }])
  t.equal(response.output.length, 1, 'the character\'s own is not shown')
  client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_theirs', output: 'many' } })
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await client.next('response.done')
  const told = llm.requests[1]!.messages.filter(({ role }) => role === 'tool').map(message => message.content)
  t.strictSame(told.sort(), ['5', 'many'])
})

import { checkContent, checkOrder, mustComplete, readAnswer, type Answer } from '../answer.js'
import { equal, expect, NotExercised, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import { create, userText } from './items.js'

const TOOL = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string', description: 'Such as Paris.' } }, required: ['city'] }
}

/** Asks what only the tool can tell; a model that does not call it proves nothing. */
async function call ({ open }: Bench): Promise<{ client: Client, answer: Answer, item: Record<string, any> }> {
  const client = await open()
  await create(client, userText('What is the weather in Paris?'))
  client.send({ type: 'response.create', response: { output_modalities: ['text'], tools: [TOOL], tool_choice: 'required' } })
  const answer = await readAnswer(client)
  mustComplete(answer, 'function_call')
  return { client, answer, item: answer.done.response.output.find(({ type }: { type: string }) => type === 'function_call') }
}

const checks: Check[] = [
  {
    name: 'the order of a function call',
    section: '7.3',
    async run (bench) {
      const { answer } = await call(bench)
      checkOrder(answer)
    }
  },
  {
    name: 'its arguments are told alike everywhere, and are JSON',
    section: '7.3',
    async run (bench) {
      const { answer, item } = await call(bench)
      checkContent(answer)
      let args: unknown
      try {
        args = JSON.parse(item.arguments)
      } catch {}
      expect(typeof args === 'object' && args !== null, 'arguments that are a JSON object', item.arguments, item)
    }
  },
  {
    name: 'the call begins empty, has no content parts, and ends completed',
    section: '7.3',
    async run (bench) {
      const { answer, item } = await call(bench)
      const { frames } = answer.items.find(({ kind }) => kind === 'function_call')!
      const opened = frames[0]!
      equal([opened.item.status, opened.item.name, opened.item.arguments], ['in_progress', 'get_weather', ''], 'the new item with', opened)
      expect(!frames.some(frame => frame.type.startsWith('response.content_part.')), 'no content parts', 'some')
      equal(item.status, 'completed', 'in the end status', answer.done)
      const done = frames.find(frame => frame.type === 'response.function_call_arguments.done')
      equal([done?.call_id, done?.name], [item.call_id, 'get_weather'], 'response.function_call_arguments.done with', done)
    }
  },
  {
    name: 'several calls in one response each have their own place and call_id',
    section: '7.3',
    async run ({ open }) {
      const client = await open()
      await create(client, userText('What is the weather in Paris, and what is it in Rome? Look both up at once.'))
      client.send({ type: 'response.create', response: { output_modalities: ['text'], tools: [TOOL], tool_choice: 'required' } })
      const answer = await readAnswer(client)
      const calls = answer.done.response.output.filter(({ type }: { type: string }) => type === 'function_call')
      if (calls.length < 2) throw new NotExercised('the model made one call')
      checkOrder(answer)
      checkContent(answer)
      equal(new Set(calls.map((call: { call_id: string }) => call.call_id)).size, calls.length, 'different call_ids', answer.done)
    }
  },
  {
    name: 'tool_choice none: no call',
    section: '3.1',
    async run ({ open }) {
      const client = await open()
      await create(client, userText('What is the weather in Paris?'))
      client.send({ type: 'response.create', response: { output_modalities: ['text'], tools: [TOOL], tool_choice: 'none' } })
      const answer = await readAnswer(client)
      mustComplete(answer)
      expect(answer.items.every(({ kind }) => kind === 'message'), 'only messages', answer.items.map(({ kind }) => kind), answer.done)
    }
  },
  {
    name: 'its output is an item, and the next response can tell it',
    section: '7.3',
    async run (bench) {
      const { client, item } = await call(bench)
      const output = await create(client, { type: 'function_call_output', call_id: item.call_id, output: '{"sky":"clear"}' })
      equal(output.previous, item.id, 'previous_item_id', output.item)
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const answer = await readAnswer(client)
      mustComplete(answer)
      checkOrder(answer)
    }
  }
]

export default checks

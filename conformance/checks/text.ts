import { checkContent, checkOrder, mustComplete, readAnswer, type Answer } from '../answer.js'
import { equal, expect, type Check } from '../check.js'
import type { Client } from '../client.js'
import { create, userText } from './items.js'

/** Says something in writing and asks for a written answer. */
export async function ask (client: Client, text: string, response: Record<string, unknown> = {}): Promise<Answer> {
  await create(client, userText(text))
  client.send({ type: 'response.create', response: { output_modalities: ['text'], ...response } })
  return readAnswer(client)
}

const checks: Check[] = [
  {
    name: 'the order of a written answer',
    section: '7.1',
    async run ({ open }) {
      const answer = await ask(await open(), 'Say good morning.')
      mustComplete(answer)
      checkOrder(answer)
    }
  },
  {
    name: 'deltas, done events, parts, item and response tell the same',
    section: '7.1',
    async run ({ open }) {
      const answer = await ask(await open(), 'Say good morning.')
      mustComplete(answer)
      checkContent(answer)
      const [part] = answer.done.response.output[0].content
      equal(part.type, 'output_text', 'the content type of the item', answer.done)
    }
  },
  {
    name: 'the item begins empty and in progress, and comes after the last one',
    section: '7.1',
    async run ({ open }) {
      const client = await open()
      await create(client, userText('Say good morning.', 'asked'))
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const answer = await readAnswer(client)
      mustComplete(answer)
      const { frames } = answer.items.find(({ kind }) => kind === 'message')!
      const opened = frames.find(frame => frame.type === 'response.output_item.added')
      equal([opened?.item.status, opened?.item.content], ['in_progress', []], 'the new item with', opened)
      const added = frames.find(frame => frame.type === 'conversation.item.added')
      equal(added?.previous_item_id, 'asked', 'previous_item_id', added)
      const done = frames.find(frame => frame.type === 'conversation.item.done')
      // The hosted server says null here, though it knew better before.
      expect(done?.previous_item_id === null || done?.previous_item_id === 'asked', 'previous_item_id "asked" or null', done?.previous_item_id, done)
      equal([done?.item.status, done?.item.role], ['completed', 'assistant'], 'the finished item with', done)
    }
  },
  {
    name: 'the response begins in progress and ends with its usage',
    section: '9',
    async run ({ open }) {
      const { created, done, ...answer } = await ask(await open(), 'Say good morning.')
      mustComplete({ created, done, ...answer })
      equal([created.response.status, created.response.output, created.response.usage], ['in_progress', [], null], 'response.created with', created)
      equal(created.response.output_modalities, ['text'], 'output_modalities', created)
      const { usage, conversation_id: conversation } = done.response
      equal(usage.total_tokens, usage.input_tokens + usage.output_tokens, 'total_tokens', usage)
      equal(conversation, created.response.conversation_id, 'conversation_id', done)
    }
  },
  {
    name: 'rate_limits.updated follows response.done',
    section: '7.1',
    async run ({ open }) {
      const client = await open()
      await ask(client, 'Say good morning.')
      await client.sequence('rate_limits.updated')
    }
  },
  {
    name: 'response.create right behind conversation.item.create is answered after it',
    section: '7.1',
    async run ({ open }) {
      const client = await open()
      client.send({ type: 'conversation.item.create', item: userText('Say good morning.') })
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const [,, created] = await client.sequence('conversation.item.added', 'conversation.item.done', 'response.created')
      checkOrder(await readAnswer(client, created))
    }
  },
  {
    name: 'a second turn continues the conversation',
    section: '7.1',
    async run ({ open }) {
      const client = await open()
      const first = await ask(client, 'Say good morning.')
      mustComplete(first)
      const { previous } = await create(client, userText('And good night.'))
      equal(previous, first.items.at(-1)?.id, 'after the answer previous_item_id')
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const second = await readAnswer(client)
      checkOrder(second)
      equal(second.done.response.conversation_id, first.done.response.conversation_id, 'conversation_id', second.done)
    }
  }
]

export default checks

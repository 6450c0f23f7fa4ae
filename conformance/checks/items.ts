import { equal, expect, type Check } from '../check.js'
import type { Client } from '../client.js'
import type { Frame } from '../ledger.js'

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

export const userText = (text: string, id?: string) =>
  ({ ...id === undefined ? {} : { id }, type: 'message', role: 'user', content: [{ type: 'input_text', text }] })

/** Creates an item; both events that answer, which must agree. */
export async function create (client: Client, item: Record<string, unknown>, previous?: string | null): Promise<{ item: Frame, previous: string | null }> {
  client.send({ type: 'conversation.item.create', item, ...previous === undefined ? {} : { previous_item_id: previous } })
  const [added, done] = await client.sequence('conversation.item.added', 'conversation.item.done')
  equal(done!.item, added!.item, 'in conversation.item.done the same item', done)
  equal(done!.previous_item_id, added!.previous_item_id, 'in conversation.item.done the same previous_item_id', done)
  return { item: added!.item, previous: added!.previous_item_id }
}

const checks: Check[] = [
  {
    name: 'a created item is added and done, and no response follows',
    section: '7.1',
    async run ({ open }) {
      const client = await open()
      const { item } = await create(client, userText('Hello'))
      equal([item.role, item.status, item.content], ['user', 'completed', [{ type: 'input_text', text: 'Hello' }]], 'the item', item)
      equal((await client.settle()).map(frame => frame.type), [], 'further events')
    }
  },
  {
    name: 'the client\'s own id is kept',
    section: '4',
    async run ({ open }) {
      equal((await create(await open(), userText('Hello', 'my_own_id'))).item.id, 'my_own_id', 'id')
    }
  },
  {
    name: 'previous_item_id: none for the first, the last one by default, `root`, and an id',
    section: '5',
    async run ({ open }) {
      const client = await open()
      equal((await create(client, userText('1', 'one'))).previous, null, 'for the first previous_item_id')
      equal((await create(client, userText('3', 'three'))).previous, 'one', 'by default previous_item_id')
      equal((await create(client, userText('2', 'two'), 'one')).previous, 'one', 'after a named item previous_item_id')
      equal((await create(client, userText('0', 'zero'), 'root')).previous, null, 'after root previous_item_id')
      equal((await create(client, userText('4', 'four'))).previous, 'three', 'at the end previous_item_id')
    }
  },
  {
    name: 'after an unknown item nothing is added',
    section: '5',
    async run ({ open }) {
      const client = await open()
      const id = client.send({ type: 'conversation.item.create', previous_item_id: 'nowhere', item: userText('Lost', 'lost') })
      const [error] = await client.sequence('error')
      equal(error!.error.event_id, id, 'error.event_id', error)
      client.send({ type: 'conversation.item.retrieve', item_id: 'lost' })
      await client.sequence('error')
    }
  },
  {
    name: 'messages of system and assistant',
    section: '4',
    async run ({ open }) {
      const client = await open()
      const system = await create(client, { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Be kind.' }] })
      equal([system.item.role, system.item.content], ['system', [{ type: 'input_text', text: 'Be kind.' }]], 'the item', system.item)
      const assistant = await create(client, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I am.' }] })
      equal([assistant.item.role, assistant.item.content], ['assistant', [{ type: 'output_text', text: 'I am.' }]], 'the item', assistant.item)
    }
  },
  {
    name: 'a function call and its output',
    section: '4',
    async run ({ open }) {
      const client = await open()
      const call = await create(client, { type: 'function_call', call_id: 'call_a', name: 'look_up', arguments: '{"word":"cat"}' })
      equal([call.item.call_id, call.item.name, call.item.arguments], ['call_a', 'look_up', '{"word":"cat"}'], 'the item', call.item)
      const output = await create(client, { type: 'function_call_output', call_id: 'call_a', output: 'an animal' })
      equal([output.item.type, output.item.call_id, output.item.output], ['function_call_output', 'call_a', 'an animal'], 'the item', output.item)
    }
  },
  {
    name: 'an image from the user',
    section: '13',
    async run ({ open }) {
      const { item } = await create(await open(), {
        type: 'message', role: 'user', content: [{ type: 'input_text', text: 'What is it?' }, { type: 'input_image', image_url: `data:image/png;base64,${PIXEL}` }]
      })
      equal(item.content.map((part: Frame) => part.type), ['input_text', 'input_image'], 'content', item)
    }
  },
  {
    name: 'audio from the user has a transcript key and no bytes',
    section: '4',
    async run ({ open, speech }) {
      const { item } = await create(await open(), { type: 'message', role: 'user', content: [{ type: 'input_audio', audio: speech.toString('base64') }] })
      expect('transcript' in item.content[0], 'the key transcript', item.content[0], item)
      expect(typeof item.content[0].audio !== 'string', 'no audio bytes', 'some', item)
    }
  },
  {
    name: 'an item can be retrieved',
    section: '5',
    async run ({ open }) {
      const client = await open()
      const { item } = await create(client, userText('Keep me', 'kept'))
      client.send({ type: 'conversation.item.retrieve', item_id: 'kept' })
      const [frame] = await client.sequence('conversation.item.retrieved')
      equal(frame!.item.content, item.content, 'the content', frame)
    }
  },
  {
    name: 'a deleted item is gone, and the next one follows the item before it',
    section: '5',
    async run ({ open }) {
      const client = await open()
      await create(client, userText('1', 'one'))
      await create(client, userText('2', 'two'))
      client.send({ type: 'conversation.item.delete', item_id: 'two' })
      const [frame] = await client.sequence('conversation.item.deleted')
      equal(frame!.item_id, 'two', 'item_id', frame)
      client.send({ type: 'conversation.item.retrieve', item_id: 'two' })
      await client.sequence('error')
      equal((await create(client, userText('3', 'three'))).previous, 'one', 'previous_item_id')
    }
  }
]

export default checks

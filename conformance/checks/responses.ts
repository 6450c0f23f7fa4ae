import { checkOrder, readAnswer } from '../answer.js'
import { equal, expect, NotExercised, type Check } from '../check.js'
import { create, userText } from './items.js'
import { ask } from './text.js'

/** What takes a while to be answered. */
export const LONG = 'Count from one to two hundred in words, and leave nothing out.'

const checks: Check[] = [
  {
    name: 'metadata comes back in created and done',
    section: '9',
    async run ({ open }) {
      const metadata = { purpose: 'conformance', number: '1' }
      const { created, done } = await ask(await open(), 'Say good morning.', { metadata })
      equal(created.response.metadata, metadata, 'in response.created metadata', created)
      equal(done.response.metadata, metadata, 'in response.done metadata', done)
    }
  },
  {
    name: 'without metadata the key is there, and null',
    section: '9',
    async run ({ open }) {
      const { done } = await ask(await open(), 'Say good morning.')
      equal(done.response.metadata, null, 'metadata', done)
    }
  },
  {
    name: 'a second response beside a running one is refused, and names it',
    section: '9',
    async run ({ open }) {
      const client = await open()
      await create(client, userText(LONG))
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const second = client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const created = await client.next('response.created')
      const frame = await client.nextOf(['error', 'response.done'])
      if (frame.type === 'response.done') throw new NotExercised('the first response ended too soon')
      const { code, message, event_id: eventId } = frame.error
      equal([code, eventId], ['conversation_already_has_active_response', second], 'error.code and error.event_id', frame)
      expect(message.includes(created.response.id), `a message with ${created.response.id}`, message, frame)
      client.send({ type: 'response.cancel' })
      await client.next('response.done')
    }
  },
  {
    name: 'max_output_tokens ends a response as incomplete',
    section: '9',
    async run ({ open }) {
      const answer = await ask(await open(), LONG, { max_output_tokens: 16 })
      const { status, status_details: details, usage, max_output_tokens: bound } = answer.done.response
      equal(bound, 16, 'max_output_tokens', answer.done)
      if (status === 'completed' && usage.output_tokens <= 16) throw new NotExercised('the model said too little')
      equal([status, details?.type, details?.reason], ['incomplete', 'incomplete', 'max_output_tokens'], 'status and details', answer.done)
      checkOrder(answer)
    }
  },
  {
    name: 'an answer to one\'s own input leaves the conversation as it is',
    section: '5',
    async run ({ open }) {
      const client = await open()
      await create(client, userText('My name is Ada.', 'told'))
      client.send({
        type: 'response.create',
        response: { output_modalities: ['text'], conversation: 'none', input: [{ type: 'item_reference', id: 'told' }, userText('Say my name.')] }
      })
      checkOrder(await readAnswer(client))
      equal((await create(client, userText('Hello'))).previous, 'told', 'previous_item_id')
    }
  }
]

export default checks

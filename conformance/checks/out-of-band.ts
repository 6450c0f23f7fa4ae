import { checkOrder, readAnswer } from '../answer.js'
import { equal, expect, NotExercised, type Check } from '../check.js'
import { create, userText } from './items.js'
import { LONG } from './responses.js'

const aside = (response: Record<string, unknown> = {}) => ({
  type: 'response.create',
  response: { conversation: 'none', output_modalities: ['text'], input: [userText('Say good morning.')], metadata: { topic: 'aside' }, ...response }
})

const checks: Check[] = [
  {
    name: 'only events of the response, and no conversation',
    section: '7.7',
    async run ({ open }) {
      const client = await open()
      client.send(aside())
      const answer = await readAnswer(client)
      equal([answer.created.response.conversation_id, answer.done.response.conversation_id], [null, null], 'conversation_id', answer.done)
      checkOrder(answer)
      const stray = client.frames.find(frame => frame.type.startsWith('conversation.item.'))
      expect(stray === undefined, 'no conversation.item.*', stray?.type, stray)
    }
  },
  {
    name: 'its metadata tells it apart',
    section: '7.7',
    async run ({ open }) {
      const client = await open()
      client.send(aside())
      const { created, done } = await readAnswer(client)
      equal([created.response.metadata, done.response.metadata], [{ topic: 'aside' }, { topic: 'aside' }], 'metadata', done)
    }
  },
  {
    name: 'with an empty input it has no context, and still answers',
    section: '5',
    async run ({ open }) {
      const client = await open()
      client.send(aside({ input: [], instructions: 'Say good morning.' }))
      checkOrder(await readAnswer(client))
    }
  },
  {
    name: 'it may run beside the response of the conversation',
    section: '7.7',
    async run ({ open }) {
      const client = await open()
      await create(client, userText(LONG))
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      client.send(aside())
      const first = await client.next('response.created')
      const second = await client.next('response.created')
      if (client.frames.some(frame => frame.type === 'response.done' && frame.response.id === first.response.id)) throw new NotExercised('the first response ended too soon')
      equal(second.response.conversation_id, null, 'conversation_id', second)
      checkOrder(await readAnswer(client, second))
      client.send({ type: 'response.cancel' })
    }
  }
]

export default checks

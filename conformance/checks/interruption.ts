import { checkOrder, readAnswer, type Answer } from '../answer.js'
import { equal, expect, NotExercised, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import type { Frame } from '../ledger.js'
import { silence } from '../speech.js'
import { create, userText } from './items.js'
import { LONG } from './responses.js'
import { update } from './session.js'
import { ask } from './text.js'

/** A client to whom something long is being said, and the response that says it. */
async function midway ({ open }: Bench, modality: 'text' | 'audio', session: Record<string, unknown> = {}): Promise<{ client: Client, created: Frame }> {
  const client = await open()
  await update(client, session)
  await create(client, userText(LONG))
  client.send({ type: 'response.create', response: { output_modalities: [modality] } })
  const created = await client.next('response.created')
  const { type } = await client.nextOf([modality === 'text' ? 'response.output_text.delta' : 'response.output_audio.delta', 'response.done'])
  if (type === 'response.done') throw new NotExercised('the response ended too soon')
  return { client, created }
}

/** The rest of a response that was stopped on the way. */
async function stopped (client: Client, created: Frame, reason: string): Promise<Answer> {
  const answer = await readAnswer(client, created)
  const { status, status_details: details } = answer.done.response
  if (status === 'completed') throw new NotExercised('the response ended too soon')
  equal([status, details], ['cancelled', { type: 'cancelled', reason }], 'status and details', answer.done)
  checkOrder(answer)
  for (const item of answer.done.response.output) expect(item.status !== 'in_progress', 'a status other than in_progress', item.status, item)
  equal(answer.done.response.output.at(-1)?.status, 'incomplete', 'of the last item status', answer.done)
  return answer
}

const checks: Check[] = [
  {
    name: 'response.cancel closes what is open, in order (text)',
    section: '7.8',
    async run (bench) {
      const { client, created } = await midway(bench, 'text')
      client.send({ type: 'response.cancel' })
      await stopped(client, created, 'client_cancelled')
    }
  },
  {
    name: 'response.cancel closes what is open, in order (audio)',
    section: '7.8',
    async run (bench) {
      const { client, created } = await midway(bench, 'audio')
      client.send({ type: 'response.cancel', response_id: created.response.id })
      await stopped(client, created, 'client_cancelled')
    }
  },
  {
    name: 'a cancel right behind response.create ends it in good order',
    section: '7.8',
    async run ({ open }) {
      const client = await open()
      await create(client, userText(LONG))
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      client.send({ type: 'response.cancel' })
      const answer = await readAnswer(client)
      if (answer.done.response.status === 'completed') throw new NotExercised('the response ended too soon')
      equal(answer.done.response.status, 'cancelled', 'status', answer.done)
      checkOrder(answer)
    }
  },
  {
    name: 'after a cancel the conversation goes on',
    section: '7.8',
    async run (bench) {
      const { client, created } = await midway(bench, 'text')
      client.send({ type: 'response.cancel' })
      await stopped(client, created, 'client_cancelled')
      const answer = await ask(client, 'Say good morning.')
      equal(answer.done.response.status, 'completed', 'status', answer.done)
    }
  },
  {
    name: 'speaking interrupts the answer',
    section: '8.3',
    async run (bench) {
      const { client, created } = await midway(bench, 'audio')
      client.append(Buffer.concat([bench.speech, silence(200)]))
      const started = await client.next('input_audio_buffer.speech_started')
      const { done } = await stopped(client, created, 'turn_detected')
      expect(client.frames.indexOf(done) > client.frames.indexOf(started), 'speech_started before the end of the response', 'the other way round', started)
    }
  },
  {
    name: 'after an interruption: the answer is cut, and what was said instead is answered',
    section: '8.3',
    async run (bench) {
      const { client, created } = await midway(bench, 'audio', {
        audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 1200 } } }
      })
      client.append(Buffer.concat([bench.speech, silence(3000)]))
      const { item_id: turn } = await client.next('input_audio_buffer.speech_started')
      const { items } = await stopped(client, created, 'turn_detected')
      client.send({ type: 'conversation.item.truncate', item_id: items[0]!.id, content_index: 0, audio_end_ms: 100 })
      // The turn may end, and be answered, before the server comes to the cut.
      await readAnswer(client)
      const committed = client.frames.find(frame => frame.type === 'input_audio_buffer.committed')
      equal(committed?.item_id, turn, 'of the committed turn item_id', committed)
      expect(client.frames.some(frame => frame.type === 'conversation.item.truncated'), 'conversation.item.truncated', 'none')
    }
  },
  {
    name: 'interrupt_response false lets the answer go on',
    section: '8.1',
    async run (bench) {
      const { client, created } = await midway(bench, 'audio', {
        audio: { input: { turn_detection: { type: 'server_vad', interrupt_response: false, create_response: false } } }
      })
      client.append(Buffer.concat([bench.speech, silence(200)]))
      await client.next('input_audio_buffer.speech_started')
      await client.settle()
      const done = client.frames.find(frame => frame.type === 'response.done')
      expect(done?.response.status !== 'cancelled', 'a response that goes on', done?.response.status, done)
      if (done !== undefined) return
      client.send({ type: 'response.cancel' })
      await stopped(client, created, 'client_cancelled')
    }
  }
]

export default checks

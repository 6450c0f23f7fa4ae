import { checkContent, checkOrder, mustComplete, readAnswer, type Answer } from '../answer.js'
import { equal, expect, NotExercised, type Check } from '../check.js'
import type { Client } from '../client.js'
import { create, userText } from './items.js'
import { ask } from './text.js'

/** Says something in writing and asks for a spoken answer. */
export async function listen (client: Client, text: string, response: Record<string, unknown> = {}): Promise<Answer> {
  await create(client, userText(text))
  client.send({ type: 'response.create', response: { output_modalities: ['audio'], ...response } })
  return readAnswer(client)
}

/** All audio of an answer. */
export function audioOf ({ frames }: Answer): Buffer {
  return Buffer.concat(frames.filter(frame => frame.type === 'response.output_audio.delta').map(frame => Buffer.from(frame.delta, 'base64')))
}

const checks: Check[] = [
  {
    name: 'the order of a spoken answer',
    section: '7.2',
    async run ({ open }) {
      const answer = await listen(await open(), 'Say good morning.')
      mustComplete(answer)
      checkOrder(answer)
    }
  },
  {
    name: 'its transcript: deltas, done events, parts, item and response tell the same',
    section: '7.2',
    async run ({ open }) {
      const answer = await listen(await open(), 'Say good morning.')
      mustComplete(answer)
      checkContent(answer)
      const [part] = answer.done.response.output[0].content
      equal(part.type, 'output_audio', 'the content type of the item', answer.done)
      expect(part.transcript !== '', 'a transcript', part.transcript, answer.done)
    }
  },
  {
    name: 'the audio is 16-bit samples in base64',
    section: '12',
    async run ({ open }) {
      const answer = await listen(await open(), 'Say good morning.')
      mustComplete(answer)
      const deltas = answer.frames.filter(frame => frame.type === 'response.output_audio.delta')
      expect(deltas.length > 0, 'response.output_audio.delta', 'none')
      for (const frame of deltas) {
        const bytes = Buffer.from(frame.delta, 'base64')
        equal(bytes.toString('base64'), frame.delta, 'plain base64', { ...frame, delta: undefined })
        expect(bytes.length % 2 === 0, 'an even number of bytes', bytes.length, { ...frame, delta: undefined })
      }
    }
  },
  {
    name: 'the bytes of a spoken answer can be retrieved',
    section: '5',
    async run ({ open }) {
      const client = await open()
      const answer = await listen(client, 'Say good morning.')
      mustComplete(answer)
      client.send({ type: 'conversation.item.retrieve', item_id: answer.items[0]!.id })
      const { item } = await client.next('conversation.item.retrieved')
      const { audio } = item.content[0]
      expect(typeof audio === 'string' && audio !== '', 'audio in the content', item)
      equal(Buffer.from(audio, 'base64').length, audioOf(answer).length, 'bytes')
    }
  },
  {
    name: 'G.711 output: one response asks for it, and has it',
    section: '12',
    async run ({ open }) {
      const client = await open()
      const answer = await listen(client, 'Say good morning.', { audio: { output: { format: { type: 'audio/pcmu' } } } })
      mustComplete(answer)
      equal(answer.done.response.audio.output.format.type, 'audio/pcmu', 'audio.output.format.type', answer.done)
      const item = answer.done.response.output[0]
      client.send({ type: 'conversation.item.truncate', item_id: item.id, content_index: 0, audio_end_ms: 3_600_000 })
      const { error } = await client.next('error')
      // The refusal tells how long the audio is, which the number of bytes must agree with.
      const told = /of (\d+(?:\.\d+)?) ?ms/.exec(error.message)
      if (told === null) throw new NotExercised('the length of the audio is not told')
      const ms = audioOf(answer).length / 8
      expect(Math.abs(ms - Number(told[1])) < 60, `${told[1]} ms of audio at 8 bytes a millisecond`, `${ms} ms`)
    }
  },
  {
    name: 'an override of one response leaves the session as it was',
    section: '5',
    async run ({ open }) {
      const client = await open()
      equal((await ask(client, 'Say good morning.')).created.response.output_modalities, ['text'], 'of the response output_modalities')
      client.send({ type: 'response.create' })
      const answer = await readAnswer(client)
      equal(answer.created.response.output_modalities, ['audio'], 'of the next one output_modalities', answer.created)
    }
  }
]

export default checks

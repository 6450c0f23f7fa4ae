import { mustComplete } from '../answer.js'
import { equal, expect, NotExercised, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import { audioOf, listen } from './audio.js'
import { create, userText } from './items.js'

/** A client with a spoken answer: its item, its words, and how long it is. */
async function spoken ({ open }: Bench): Promise<{ client: Client, id: string, transcript: string, ms: number }> {
  const client = await open()
  const answer = await listen(client, 'Say: one, two, three, four, five, six, seven, eight, nine, ten.')
  mustComplete(answer)
  const [item] = answer.done.response.output
  const ms = Math.floor(audioOf(answer).length / 48)
  if (ms < 400) throw new NotExercised('the answer is too short to be cut')
  return { client, id: item.id, transcript: item.content[0].transcript, ms }
}

const checks: Check[] = [
  {
    name: 'audio and transcript beyond the cut are gone',
    section: '8.4',
    async run (bench) {
      const { client, id, transcript } = await spoken(bench)
      client.send({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: 200 })
      const frame = await client.next('conversation.item.truncated')
      equal([frame.item_id, frame.content_index, frame.audio_end_ms], [id, 0, 200], 'conversation.item.truncated with', frame)
      client.send({ type: 'conversation.item.retrieve', item_id: id })
      const { item } = await client.next('conversation.item.retrieved')
      const [part] = item.content
      expect((part.transcript ?? '').length < transcript.length, 'a transcript without what was not heard', part.transcript, { ...item, content: [{ ...part, audio: undefined }] })
      expect(Buffer.from(part.audio ?? '', 'base64').length <= 200 * 48 + 2, '200 ms of audio', `${Buffer.from(part.audio ?? '', 'base64').length / 48} ms`)
    }
  },
  {
    name: 'a cut beyond the end of the audio is refused',
    section: '8.4',
    async run (bench) {
      const { client, id, ms } = await spoken(bench)
      client.send({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: ms + 60_000 })
      const { error } = await client.next('error')
      equal(error.code, 'invalid_value', 'error.code', error)
    }
  },
  {
    name: 'a cut at null is refused as the wrong type',
    section: '8.4',
    async run (bench) {
      const { client, id } = await spoken(bench)
      client.send({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: null })
      const { error } = await client.next('error')
      equal(error.code, 'invalid_type', 'error.code', error)
    }
  },
  {
    name: 'only spoken answers can be cut',
    section: '8.4',
    async run ({ open }) {
      const client = await open()
      const { item } = await create(client, userText('Hello'))
      client.send({ type: 'conversation.item.truncate', item_id: item.id, content_index: 0, audio_end_ms: 0 })
      const { error } = (await client.sequence('error'))[0]!
      expect(error.code === null || error.code === 'unsupported_content_type', 'error.code unsupported_content_type or null', error.code, error)
    }
  }
]

export default checks

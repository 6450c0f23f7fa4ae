import { checkOrder, readAnswer } from '../answer.js'
import { equal, expect, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import { lengthOf, silence } from '../speech.js'
import { create, userText } from './items.js'
import { update } from './session.js'

const COMMITTED = ['input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done']

/** A session without voice detection. */
async function quiet ({ open }: Bench, transcription: object | null = null): Promise<Client> {
  const client = await open()
  await update(client, { audio: { input: { turn_detection: null, transcription } } })
  return client
}

const checks: Check[] = [
  {
    name: 'a commit makes an item, and no response',
    section: '7.5',
    async run (bench) {
      const client = await quiet(bench)
      await create(client, userText('Hello', 'before'))
      client.append(bench.speech)
      client.send({ type: 'input_audio_buffer.commit' })
      const [committed, added, done] = await client.sequence(...COMMITTED)
      equal(committed!.previous_item_id, 'before', 'previous_item_id', committed)
      equal([added!.item.id, done!.item.id], [committed!.item_id, committed!.item_id], 'the id of the item', added)
      equal([added!.previous_item_id, added!.item.role], ['before', 'user'], 'previous_item_id and role', added)
      equal(added!.item.content, [{ type: 'input_audio', transcript: null }], 'content', added)
      const more = (await client.settle()).filter(frame => frame.type.startsWith('response.'))
      equal(more.map(frame => frame.type), [], 'responses', more[0])
    }
  },
  {
    name: 'response.create answers what was said',
    section: '7.5',
    async run (bench) {
      const client = await quiet(bench)
      client.append(bench.speech)
      client.send({ type: 'input_audio_buffer.commit' })
      client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
      const frames = await client.sequence(...COMMITTED)
      const answer = await readAnswer(client)
      checkOrder(answer)
      const added = answer.frames.find(frame => frame.type === 'conversation.item.added')
      if (added !== undefined) equal(added.previous_item_id, frames[0]!.item_id, 'previous_item_id', added)
    }
  },
  {
    name: 'the transcript of what was said, with its usage',
    section: '7.4',
    async run (bench) {
      const client = await quiet(bench, { model: 'whisper-1' })
      client.append(bench.speech)
      client.send({ type: 'input_audio_buffer.commit' })
      const { item_id: id } = await client.next('input_audio_buffer.committed')
      const completed = await client.next('conversation.item.input_audio_transcription.completed')
      equal([completed.item_id, completed.content_index], [id, 0], 'item_id and content_index', completed)
      const deltas = client.frames.filter(frame => frame.type === 'conversation.item.input_audio_transcription.delta' && frame.item_id === id)
      equal(deltas.map(frame => frame.delta).join('').trim(), completed.transcript.trim(), 'deltas that make', completed)
    }
  },
  {
    name: 'the bytes of what was said can be retrieved',
    section: '5',
    async run (bench) {
      const client = await quiet(bench)
      client.append(bench.speech)
      client.send({ type: 'input_audio_buffer.commit' })
      const [committed] = await client.sequence(...COMMITTED)
      client.send({ type: 'conversation.item.retrieve', item_id: committed!.item_id })
      const { item } = await client.next('conversation.item.retrieved')
      const ms = Buffer.from(item.content[0].audio ?? '', 'base64').length / 48
      expect(Math.abs(ms - lengthOf(bench.speech)) < 100, `${Math.round(lengthOf(bench.speech))} ms of audio`, `${ms} ms`)
    }
  },
  {
    name: 'less than 100 ms cannot be committed',
    section: '10',
    async run (bench) {
      const client = await quiet(bench)
      client.append(silence(50))
      const id = client.send({ type: 'input_audio_buffer.commit' })
      const { error } = (await client.sequence('error'))[0]!
      equal([error.code, error.param, error.event_id], ['input_audio_buffer_commit_empty', null, id], 'code, param and event_id', error)
      expect(error.message.includes('100ms') && error.message.includes('50.00ms'), 'a message with 100ms and 50.00ms', error.message, error)
    }
  },
  {
    name: 'a clear is answered, and empties the buffer',
    section: '5',
    async run (bench) {
      const client = await quiet(bench)
      client.append(silence(500))
      client.send({ type: 'input_audio_buffer.clear' })
      await client.sequence('input_audio_buffer.cleared')
      client.send({ type: 'input_audio_buffer.commit' })
      const [frame] = await client.sequence('error')
      equal(frame!.error.code, 'input_audio_buffer_commit_empty', 'error.code', frame)
    }
  },
  {
    name: 'G.711 input: 800 bytes are 100 ms',
    section: '12',
    async run (bench) {
      const client = await quiet(bench)
      await update(client, { audio: { input: { format: { type: 'audio/pcmu' } } } })
      client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(400, 0xff).toString('base64') })
      client.send({ type: 'input_audio_buffer.commit' })
      await client.sequence('error')
      client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(800, 0xff).toString('base64') })
      client.send({ type: 'input_audio_buffer.commit' })
      await client.sequence(...COMMITTED)
    }
  }
]

export default checks

import { checkOrder, readAnswer } from '../answer.js'
import { equal, expect, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import type { Frame } from '../ledger.js'
import { lengthOf, silence } from '../speech.js'
import { update } from './session.js'

const BEFORE_MS = 1000
const AFTER_MS = 3000

/** A session that listens. */
async function listening ({ open }: Bench, detection: Record<string, unknown> = {}, transcription: object | null = null): Promise<Client> {
  const client = await open()
  await update(client, {
    output_modalities: ['text'],
    audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 1200, ...detection }, transcription } }
  })
  return client
}

/** Somebody says a sentence, with silence around it; the events of the turn, up to its item. */
async function speak (client: Client, speech: Buffer): Promise<Record<'started' | 'stopped' | 'committed' | 'added' | 'done', Frame>> {
  client.append(Buffer.concat([silence(BEFORE_MS), speech, silence(AFTER_MS)]))
  const pass = async (type: string): Promise<Frame> => {
    let [frame] = [await client.take(type)]
    // Words may be recognised while they are spoken.
    while (/transcription\.delta$|^rate_limits/.test(frame.type)) frame = await client.take(type)
    expect(frame.type === type, type, frame.type === 'error' ? frame.error.message : frame.type, frame)
    return frame
  }
  return {
    started: await pass('input_audio_buffer.speech_started'),
    stopped: await pass('input_audio_buffer.speech_stopped'),
    committed: await pass('input_audio_buffer.committed'),
    added: await pass('conversation.item.added'),
    done: await pass('conversation.item.done')
  }
}

const checks: Check[] = [
  {
    name: 'the order of a spoken turn, and its answer',
    section: '7.4',
    async run (bench) {
      const client = await listening(bench)
      const { committed } = await speak(client, bench.speech)
      const answer = await readAnswer(client)
      checkOrder(answer)
      const added = answer.frames.find(frame => frame.type === 'conversation.item.added')
      if (added !== undefined) equal(added.previous_item_id, committed.item_id, 'of the answer previous_item_id', added)
    }
  },
  {
    name: 'one item id from the first sound on',
    section: '7.4',
    async run (bench) {
      const { started, stopped, committed, added, done } = await speak(await listening(bench, { create_response: false }), bench.speech)
      const id = started.item_id
      equal([stopped.item_id, committed.item_id, added.item.id, done.item.id], [id, id, id, id], 'the item id of speech_started', added)
    }
  },
  {
    name: 'positions are those of the audio that was sent',
    section: '8.2',
    async run (bench) {
      const { started, stopped } = await speak(await listening(bench, { create_response: false }), bench.speech)
      const { audio_start_ms: start } = started
      const { audio_end_ms: end } = stopped
      const spoken = lengthOf(bench.speech)
      expect(start >= BEFORE_MS - 350 && start <= BEFORE_MS + 600, 'audio_start_ms about 300 ms before the first sound', start, started)
      expect(end >= BEFORE_MS + spoken - 500 && end <= BEFORE_MS + spoken + AFTER_MS, 'audio_end_ms after the last sound', end, stopped)
    }
  },
  {
    name: 'positions go on over several turns',
    section: '8.2',
    async run (bench) {
      const client = await listening(bench, { create_response: false })
      await speak(client, bench.speech)
      const { started, committed } = await speak(client, bench.speech)
      const length = BEFORE_MS + lengthOf(bench.speech) + AFTER_MS
      expect(Math.abs(started.audio_start_ms - length - BEFORE_MS) < 700, `audio_start_ms about ${Math.round(length + BEFORE_MS - 300)}`, started.audio_start_ms, started)
      expect(committed.previous_item_id !== null, 'previous_item_id of the first turn', committed.previous_item_id, committed)
    }
  },
  {
    name: 'create_response false: the turn is an item, and no response',
    section: '8.1',
    async run (bench) {
      const client = await listening(bench, { create_response: false })
      await speak(client, bench.speech)
      const more = (await client.settle()).filter(frame => frame.type.startsWith('response.'))
      equal(more.map(frame => frame.type), [], 'responses', more[0])
    }
  },
  {
    name: 'the transcript of a turn comes with its item id',
    section: '7.4',
    async run (bench) {
      const client = await listening(bench, { create_response: false }, { model: 'whisper-1' })
      const { started } = await speak(client, bench.speech)
      const completed = await client.next('conversation.item.input_audio_transcription.completed')
      equal(completed.item_id, started.item_id, 'item_id', completed)
    }
  },
  {
    name: 'a client may commit though the server listens',
    section: '7.5',
    async run (bench) {
      const client = await listening(bench, { create_response: false })
      client.append(silence(1000))
      client.send({ type: 'input_audio_buffer.commit' })
      await client.sequence('input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done')
    }
  },
  {
    name: 'semantic_vad sends the same events',
    section: '8.1',
    async run (bench) {
      const client = await bench.open()
      await update(client, { audio: { input: { turn_detection: { type: 'semantic_vad', eagerness: 'low', create_response: false } } } })
      // Long enough for the longest wait of 8 s.
      client.append(Buffer.concat([bench.speech, silence(10_000)]))
      await client.next('input_audio_buffer.speech_started')
      await client.next('input_audio_buffer.speech_stopped')
      await client.next('input_audio_buffer.committed')
      await client.sequence('conversation.item.added', 'conversation.item.done')
    }
  }
]

export default checks

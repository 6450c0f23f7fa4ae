import { equal, expect, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import type { Frame } from '../ledger.js'
import { silence } from '../speech.js'

async function open (bench: Bench): Promise<{ client: Client, session: Frame }> {
  const client = await bench.connect({ query: { intent: 'transcription' } })
  const [created] = await client.sequence('session.created')
  return { client, session: created!.session }
}

async function update (client: Client, input: Record<string, unknown>): Promise<Frame> {
  client.send({ type: 'session.update', session: { type: 'transcription', audio: { input: { transcription: { model: 'whisper-1' }, ...input } } } })
  return (await client.next('session.updated')).session
}

const checks: Check[] = [
  {
    name: 'a transcription session has its own session object',
    section: '3.2',
    async run (bench) {
      const { client, session } = await open(bench)
      equal([session.type, session.object], ['transcription', 'realtime.transcription_session'], 'type and object', session)
      const updated = await update(client, { turn_detection: { type: 'server_vad' } })
      equal([updated.type, updated.audio.input.transcription?.model], ['transcription', 'whisper-1'], 'type and model', updated)
      const { turn_detection: detection } = updated.audio.input
      expect(!('create_response' in detection), 'turn detection without create_response', detection, updated)
    }
  },
  {
    name: 'what is committed is transcribed, and never answered',
    section: '11',
    async run (bench) {
      const { client } = await open(bench)
      await update(client, { turn_detection: null })
      client.append(bench.speech)
      client.send({ type: 'input_audio_buffer.commit' })
      const { item_id: id } = await client.next('input_audio_buffer.committed')
      const completed = await client.next('conversation.item.input_audio_transcription.completed')
      equal(completed.item_id, id, 'item_id', completed)
      await client.settle('transcription')
      checkNoAnswer(client)
    }
  },
  {
    name: 'a spoken turn is transcribed, and never answered',
    section: '11',
    async run (bench) {
      const { client } = await open(bench)
      await update(client, { turn_detection: { type: 'server_vad', silence_duration_ms: 1200 } })
      client.append(Buffer.concat([silence(1000), bench.speech, silence(3000)]))
      const { item_id: id } = await client.next('input_audio_buffer.speech_started')
      await client.next('input_audio_buffer.speech_stopped')
      const completed = await client.next('conversation.item.input_audio_transcription.completed')
      equal(completed.item_id, id, 'item_id', completed)
      await client.settle('transcription')
      checkNoAnswer(client)
    }
  },
  {
    name: 'response.create is an error',
    section: '11',
    async run (bench) {
      const { client } = await open(bench)
      client.send({ type: 'response.create' })
      await client.sequence('error')
    }
  }
]

function checkNoAnswer (client: Client): void {
  const stray = client.frames.find(frame => frame.type.startsWith('response.') || frame.type === 'rate_limits.updated')
  expect(stray === undefined, 'no response.* and no rate_limits.updated', stray?.type, stray)
}

export default checks

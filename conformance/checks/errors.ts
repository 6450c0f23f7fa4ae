import { equal, expect, type Check } from '../check.js'
import { userText } from './items.js'
import { update } from './session.js'

interface Wrong {
  name: string
  section?: string
  event: Record<string, unknown> & { type: string }
  /** Any of these; none: whatever it is. */
  codes?: (string | null)[]
  param?: string | null
  /** What the message must match. */
  message?: RegExp
}

const session = (fields: Record<string, unknown>) => ({ type: 'session.update', session: { type: 'realtime', ...fields } })

/** Events that are wrong in one way each, PROTOCOL section 10. */
const wrongs: Wrong[] = [
  { name: 'an unknown event type', event: { type: 'session.destroy' }, codes: ['invalid_value'], param: 'type' },
  { name: 'an update without the session\'s type', event: { type: 'session.update', session: { instructions: 'x' } }, codes: ['missing_required_parameter'], param: 'session.type', message: /session\.type/ },
  { name: 'another type of session', event: { type: 'session.update', session: { type: 'transcription' } } },
  { name: 'a type of session that does not exist', event: { type: 'session.update', session: { type: 'opera' } }, codes: ['invalid_value'], param: 'session.type' },
  { name: 'both modalities at once', event: session({ output_modalities: ['text', 'audio'] }), codes: ['invalid_value'], param: 'session.output_modalities' },
  { name: 'a modality that does not exist', event: session({ output_modalities: ['smell'] }), codes: ['invalid_value'] },
  { name: 'a voice that does not exist', event: session({ audio: { output: { voice: 'nobody at all' } } }), codes: ['invalid_value'], param: 'session.audio.output.voice' },
  { name: 'a number where a string belongs', event: session({ instructions: 42 }), codes: ['invalid_type'], param: 'session.instructions' },
  { name: 'a threshold beyond its range', event: session({ audio: { input: { turn_detection: { type: 'server_vad', threshold: 7 } } } }), param: 'session.audio.input.turn_detection.threshold' },
  { name: 'a speed beyond its range', event: session({ audio: { output: { speed: 9 } } }), param: 'session.audio.output.speed' },
  { name: 'a rate of samples other than 24000', event: session({ audio: { input: { format: { type: 'audio/pcm', rate: 8000 } } } }) },
  { name: 'an append without audio', event: { type: 'input_audio_buffer.append' }, codes: ['missing_required_parameter'], param: 'audio' },
  { name: 'audio that is not base64', event: { type: 'input_audio_buffer.append', audio: '!!! no base64 !!!' } },
  { name: 'a commit of nothing', event: { type: 'input_audio_buffer.commit' }, codes: ['input_audio_buffer_commit_empty'], param: null, message: /100ms.*0\.00ms/s },
  { name: 'an item of an unknown type', event: { type: 'conversation.item.create', item: { type: 'poem' } }, codes: ['invalid_value'], param: 'item.type' },
  { name: 'a message without a role', event: { type: 'conversation.item.create', item: { type: 'message', content: [] } }, codes: ['missing_required_parameter'], param: 'item.role' },
  { name: 'an item after one that does not exist', event: { type: 'conversation.item.create', previous_item_id: 'nowhere', item: userText('x') } },
  { name: 'an id of more than 32 characters', event: { type: 'conversation.item.create', item: userText('x', 'x'.repeat(33)) } },
  { name: 'a retrieve of an unknown item', event: { type: 'conversation.item.retrieve', item_id: 'nowhere' }, codes: ['item_retrieve_invalid_item_id'], message: /nowhere/ },
  { name: 'a delete of an unknown item', event: { type: 'conversation.item.delete', item_id: 'nowhere' }, codes: ['item_delete_invalid_item_id'], message: /nowhere/ },
  { name: 'a truncate of an unknown item', event: { type: 'conversation.item.truncate', item_id: 'nowhere', content_index: 0, audio_end_ms: 0 }, codes: ['item_truncate_invalid_item_id'], message: /nowhere/ },
  { name: 'a cancel with nothing to cancel', event: { type: 'response.cancel' }, codes: ['response_cancel_not_active'], param: null, message: /^Cancellation failed/ },
  { name: 'seventeen pairs of metadata', section: '12', event: { type: 'response.create', response: { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`key${index}`, 'x'])) } } },
  { name: 'an out-of-band input that refers to nothing', section: '5', event: { type: 'response.create', response: { conversation: 'none', input: [{ type: 'item_reference', id: 'nowhere' }] } } }
]

const checks: Check[] = [
  ...wrongs.map(({ name, section = '10', event, codes, param, message }): Check => ({
    name,
    section,
    async run ({ open }) {
      const client = await open()
      const id = client.send(event)
      const [frame] = await client.sequence('error')
      const { error } = frame!
      equal(error.event_id, id, 'error.event_id', frame)
      if (codes !== undefined) expect(codes.includes(error.code), `code ${codes.join(' or ')}`, error.code, frame)
      if (param !== undefined) equal(error.param, param, 'param', frame)
      if (message !== undefined) expect(message.test(error.message), `a message like ${message}`, error.message, frame)
      equal((await client.settle()).map(frame => frame.type), [], 'after the error')
    }
  })),
  {
    name: 'a frame that is not JSON',
    section: '10',
    async run ({ open }) {
      const client = await open()
      client.socket.send('{"type":')
      const [frame] = await client.sequence('error')
      equal([frame!.error.code, frame!.error.event_id], ['invalid_json', null], 'code and event_id', frame)
    }
  },
  {
    name: 'an event without a type',
    section: '10',
    async run ({ open }) {
      const client = await open()
      client.socket.send('{"event_id":"typeless"}')
      const [frame] = await client.sequence('error')
      equal(frame!.error.code, 'invalid_event', 'code', frame)
    }
  },
  {
    name: 'a binary frame',
    section: '10',
    async run ({ open }) {
      const client = await open()
      client.socket.send(Buffer.from([1, 2, 3]))
      const [frame] = await client.sequence('error')
      equal(frame!.error.code, 'invalid_event', 'code', frame)
    }
  },
  {
    name: 'event_id is null for an event that had none',
    section: '10',
    async run ({ open }) {
      const client = await open()
      client.socket.send('{"type":"response.cancel"}')
      const [frame] = await client.sequence('error')
      equal(frame!.error.event_id, null, 'error.event_id', frame)
    }
  },
  {
    name: 'an error changes nothing of the session',
    section: '10',
    async run ({ open }) {
      const client = await open()
      const before = await update(client, { instructions: 'Be brief.' })
      client.send(session({ instructions: 'Be long.', tools: 'none' }))
      await client.sequence('error')
      equal(await update(client, {}), before, 'the session')
    }
  }
]

export default checks

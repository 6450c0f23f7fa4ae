import { equal, expect, type Bench, type Check } from '../check.js'
import type { Client } from '../client.js'
import type { Frame } from '../ledger.js'

const TOOL = { type: 'function', name: 'look_up', description: 'Looks a word up.', parameters: { type: 'object', properties: { word: { type: 'string' } } } }

/** Sends an update and returns the whole session that it made. */
export async function update (client: Client, session: Record<string, unknown>): Promise<Frame> {
  client.send({ type: 'session.update', session: { type: 'realtime', ...session } })
  return (await client.next('session.updated')).session
}

/** A check that one update shows in `session.updated` as it should. */
function echoes (name: string, section: string, sent: Record<string, unknown>, read: (session: Frame) => unknown, wanted: unknown): Check {
  return {
    name,
    section,
    async run ({ open }: Bench) {
      equal(read(await update(await open(), sent)), wanted, 'in session.updated')
    }
  }
}

const checks: Check[] = [
  {
    name: 'session.created has the whole effective session',
    section: '3.1',
    async run ({ connect }) {
      const { session } = await (await connect()).next('session.created')
      equal(session.output_modalities, ['audio'], 'output_modalities', session)
      equal(session.audio.input.format, { type: 'audio/pcm', rate: 24000 }, 'input format', session)
      equal(session.audio.input.turn_detection?.type, 'server_vad', 'turn detection', session)
      expect(session.expires_at > Date.now() / 1000, 'expires_at in the future, in seconds', session.expires_at, session)
    }
  },
  {
    name: 'what an update leaves out stays as it was',
    section: '3.1',
    async run ({ open }) {
      const client = await open()
      const before = await update(client, { tools: [TOOL], audio: { input: { transcription: { model: 'whisper-1' } }, output: { voice: 'cedar', speed: 1.25 } } })
      const after = await update(client, { instructions: 'Be brief.', audio: { input: { noise_reduction: { type: 'near_field' } } } })
      equal(after.instructions, 'Be brief.', 'instructions', after)
      for (const key of ['model', 'output_modalities', 'tools', 'tool_choice', 'max_output_tokens', 'id', 'expires_at']) equal(after[key], before[key], `the same ${key}`, after)
      for (const key of ['format', 'transcription', 'turn_detection']) equal(after.audio.input[key], before.audio.input[key], `the same audio.input.${key}`, after)
      equal(after.audio.output, before.audio.output, 'the same audio.output', after)
    }
  },
  {
    name: 'an invalid update is refused, and nothing of it applied',
    section: '3.1',
    async run ({ open }) {
      const client = await open()
      client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Not this.', output_modalities: ['text', 'audio'] } })
      await client.sequence('error')
      const { instructions } = await update(client, {})
      expect(instructions !== 'Not this.', 'the instructions from before', instructions)
    }
  },
  {
    name: 'turn detection that names only its type gets the defaults',
    section: '8.1',
    async run ({ open }) {
      const { turn_detection: detection } = (await update(await open(), { audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 700 } } } })).audio.input
      equal(detection, {
        type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 700, idle_timeout_ms: null, create_response: true, interrupt_response: true
      }, 'turn_detection')
    }
  },
  {
    name: 'empty instructions and tools clear what was there',
    section: '3.1',
    async run ({ open }) {
      const client = await open()
      await update(client, { instructions: 'Be brief.', tools: [TOOL] })
      const { instructions, tools } = await update(client, { instructions: '', tools: [] })
      equal({ instructions, tools }, { instructions: '', tools: [] }, 'in session.updated')
    }
  },
  {
    name: 'the model of an update is no error, and changes nothing',
    section: '3.1',
    async run ({ connect }) {
      const client = await connect()
      const { session } = await client.next('session.created')
      equal((await update(client, { model: 'another-model' })).model, session.model, 'the model of before')
    }
  },
  echoes('turn detection null turns it off', '8.1', { audio: { input: { turn_detection: null } } }, ({ audio }) => audio.input.turn_detection, null),
  echoes('semantic_vad with eagerness', '8.1',
    { audio: { input: { turn_detection: { type: 'semantic_vad', eagerness: 'low', create_response: false, interrupt_response: false } } } },
    ({ audio }) => audio.input.turn_detection, { type: 'semantic_vad', eagerness: 'low', create_response: false, interrupt_response: false }),
  echoes('transcription is echoed with its language and prompt', '3.1', { audio: { input: { transcription: { model: 'whisper-1', language: 'en' } } } },
    ({ audio }) => audio.input.transcription, { model: 'whisper-1', language: 'en', prompt: null }),
  echoes('noise reduction is echoed', '3.1', { audio: { input: { noise_reduction: { type: 'far_field' } } } }, ({ audio }) => audio.input.noise_reduction, { type: 'far_field' }),
  echoes('G.711 both ways is echoed', '12', { audio: { input: { format: { type: 'audio/pcmu' } }, output: { format: { type: 'audio/pcma' } } } },
    ({ audio }) => [audio.input.format.type, audio.output.format.type], ['audio/pcmu', 'audio/pcma']),
  echoes('a stock voice and a speed', '3.1', { audio: { output: { voice: 'cedar', speed: 1.1 } } }, ({ audio }) => [audio.output.voice, audio.output.speed], ['cedar', 1.1]),
  echoes('tools and a tool choice', '3.1', { tools: [TOOL], tool_choice: { type: 'function', name: 'look_up' } },
    ({ tools, tool_choice: choice }) => [tools, choice], [[TOOL], { type: 'function', name: 'look_up' }]),
  echoes('text only, and a bound of tokens', '3.1', { output_modalities: ['text'], max_output_tokens: 100 },
    session => [session.output_modalities, session.max_output_tokens], [['text'], 100]),
  echoes('truncation by retention ratio', '13', { truncation: { type: 'retention_ratio', retention_ratio: 0.8 } },
    ({ truncation }) => [truncation?.type, truncation?.retention_ratio], ['retention_ratio', 0.8]),
  echoes('tracing', '13', { tracing: 'auto' }, session => session.tracing, 'auto'),
  echoes('log probabilities in `include`', '3.1', { include: ['item.input_audio_transcription.logprobs'] }, session => session.include, ['item.input_audio_transcription.logprobs'])
]

export default checks

import type { Test } from 'tap'
import { concat } from '../../lib/audio/pcm.js'
import type { SttEngine } from '../../lib/engines/engine.js'
import type { TestClient } from './client.js'
import { connect } from './conversing.js'
import { echo, tone, type Script } from './engines.js'

// What the tests of what is heard share. Their voice detection takes loud for speech in frames of 32 ms, and
// what is recognised is how long it was.

interface Given { script?: Script, stt?: SttEngine, input?: object, modality?: 'text' | 'audio' }

/** A client whose session listens as `input` says. */
export async function listen (t: Test, { script = echo, stt, input = {}, modality = 'text' }: Given = {}) {
  const { client, llm } = await connect(t, script, stt === undefined ? {} : { stt })
  await client.update({ output_modalities: [modality], audio: { input } })
  return { client, llm, from: client.events.length }
}

export const pushToTalk = { turn_detection: null }
export const vad = (fields: object) => ({ turn_detection: { type: 'server_vad', ...fields } })
export const silence = (ms: number) => tone(ms, 0)
export const speech = (ms: number) => tone(ms)

/** Speech between two stretches of silence, all in milliseconds. */
export const utterance = (before: number, spoken: number, after: number) => concat([silence(before), speech(spoken), silence(after)])

/** What the model was told last. */
export const heard = (request: { messages: { content: unknown }[] }) => request.messages.at(-1)!.content

export const commit = { type: 'input_audio_buffer.commit' }

/** Commits what was heard, and returns what the server says of it. */
export async function committed (client: TestClient) {
  client.send(commit)
  return await client.next('input_audio_buffer.committed')
}

/** The samples of an item, as the server kept them. */
export async function recorded (client: TestClient, { item_id: id }: { item_id: string }): Promise<string | undefined> {
  const item = await client.retrieve(id)
  const part = item.type === 'message' ? item.content[0] : undefined
  return part?.type === 'input_audio' ? part.audio : undefined
}

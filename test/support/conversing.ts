import type { Test } from 'tap'
import type { SttEngine, TtsEngine } from '../../lib/engines/engine.js'
import type { Item } from '../../lib/realtime/events/items.js'
import { nobody } from './casts.js'
import type { TestClient } from './client.js'
import { cannedEngines, echo, type Script } from './engines.js'
import { startServer } from './server.js'

// What the tests of PROTOCOL section 7 share.

/** A client whose model follows a script, in a session without a character. */
export async function connect (t: Test, script: Script = echo, engines: { stt?: SttEngine, tts?: TtsEngine } = {}) {
  const canned = { ...cannedEngines(script), ...engines }
  const server = await startServer(t, { ...canned, characters: nobody })
  const client = await server.connect()
  return { client, server, llm: canned.llm }
}

/** A script for each time the model is asked. */
export function inTurn (...scripts: Script[]): Script {
  let count = 0
  return (request, signal) => scripts[Math.min(count++, scripts.length - 1)]!(request, signal)
}

export const text = { output_modalities: ['text'] }
export const tool = (name: string) => ({ type: 'function', name, description: `Does ${name}.`, parameters: { type: 'object', properties: {} } })
export const userItem = (words: string, id?: string) => ({ ...id === undefined ? {} : { id }, type: 'message', role: 'user', content: [{ type: 'input_text', text: words }] })
export const usage = (input: number, output: number) => ({
  total_tokens: input + output,
  input_tokens: input,
  output_tokens: output,
  input_token_details: {
    text_tokens: input,
    audio_tokens: 0,
    image_tokens: 0,
    cached_tokens: 0,
    cached_tokens_details: { text_tokens: 0, audio_tokens: 0, image_tokens: 0 }
  },
  output_token_details: { text_tokens: output, audio_tokens: 0 }
})
export const responseObject = (fields: object) => ({
  object: 'realtime.response',
  id: 'resp_1',
  status: 'in_progress',
  status_details: null,
  output: [],
  conversation_id: 'conv_1',
  output_modalities: ['text'],
  max_output_tokens: 'inf',
  audio: { output: { format: { type: 'audio/pcm', rate: 24000 }, voice: 'alloy' } },
  usage: null,
  metadata: null,
  ...fields
})
export const rateLimits = { type: 'rate_limits.updated', rate_limits: [{ name: 'tokens', limit: 1_000_000, remaining: 1_000_000, reset_seconds: 0 }] }

/** What the model was told, without the system prompt. */
export const told = (request: { messages: { role: string, content: unknown }[] }) => request.messages.slice(1).map(({ role, content }) => `${role}: ${JSON.stringify(content)}`)

/** Asks for an answer aloud, and gives the item that was said. */
export async function aloud (client: TestClient, words = 'hi'): Promise<Item> {
  client.say(words)
  client.send({ type: 'response.create' })
  return (await client.next('response.done')).response.output[0]!
}

import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import type { LlmMessage } from '../../lib/engines/engine.js'
import { castOf, characterSource } from './casts.js'
import type { TestClient } from './client.js'
import { text } from './conversing.js'
import { cannedEngines, says, type Script } from './engines.js'
import { startServer } from './server.js'

// What the tests of several characters in one conversation share (docs/several-characters.md).

export const cast = t.testdir({
  ...castOf('Ada', 'Cleo'),
  'bob.ts': characterSource('Bob', `
  greeting: 'Bob here.',
  llm: { model: 'bobs-model' },
  tts: { voice: 'high' },
  tools: [{ name: 'secret', description: 'Tells it.', parameters: { type: 'object' }, run: () => 'bobs-result' }]`)
})

/** Answers with who speaks and what it was told last. */
export const signed: Script = ({ character, messages }) => says(`${character?.name ?? 'Nobody'} hears ${heard(messages)}.`)

/** What the user said last, as the model reads it. */
export const heard = (messages: readonly LlmMessage[]) => messages.filter(({ role }) => role === 'user').map(({ content }) => String(content)).at(-1)

/** A client that talks with Ada in writing, where Bob and Cleo are there as well. */
export async function connect (t: Test, script: Script = signed, settings: Record<string, unknown> = {}, options: DramatisOptions = {}) {
  const engines = cannedEngines(script)
  const server = await startServer(t, { ...engines, ...options, characters: { directory: cast } })
  const client = await server.connect('?character=Ada')
  await client.update({ ...text, ...settings })
  return { client, server, llm: engines.llm }
}

/** The setting under which each character has a history of its own. */
export const own = { memory: 'own' }

/** Selects a character and asks it. */
export async function askAs (client: TestClient, character: string | null, words: string): Promise<string> {
  await client.update({ character })
  return await client.ask(words)
}

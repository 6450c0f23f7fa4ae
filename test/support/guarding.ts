import type { Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { guardEngines, type GuardOptions } from '../../lib/engines/guard/engines.js'
import { nobody } from './casts.js'
import { startChatServer } from './chat-server.js'
import { cannedEngines } from './engines.js'
import { startServer } from './server.js'

// What the tests of the guard of the engines share.

/** Sessions without a character, whose model is a chat server that follows a script. */
export async function withModel (t: Test, llm: object = {}) {
  const chat = await startChatServer()
  t.teardown(() => chat.close())
  const server = await startServer(t, { characters: nobody, llm: { baseUrl: chat.url, model: 'test-model', ...llm } as DramatisOptions['llm'] })
  return { chat, server, client: await server.connect() }
}

/** A guard on its own, for what cannot be seen from outside. */
export function guarded (engines: Partial<GuardOptions['engines']>, more: Partial<GuardOptions> = {}) {
  return guardEngines({ engines: { ...cannedEngines(), ...engines }, ...more })
}

/** What a model is asked. */
export const request = { messages: [{ role: 'user' as const, content: 'Hi' }], tools: [], toolChoice: 'auto' as const }
export const signal = (): EventTarget & globalThis.AbortSignal => new AbortController().signal

/** How a response ended whose engine failed. */
export const failing = { type: 'failed', error: { type: 'server_error', code: 'engine_failed' } }

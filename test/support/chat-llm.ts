import type { Test } from 'tap'
import type { LlmEvent, LlmRequest } from '../../lib/engines/engine.js'
import { createOpenAiLlm, type OpenAiLlmOptions } from '../../lib/engines/openai/llm.js'
import { startChatServer } from './chat-server.js'

/** A language model at a chat server that answers by script; both end with the test. It asks once only, unless the options say otherwise. */
export async function startChatLlm (t: Test, options: OpenAiLlmOptions = {}) {
  const server = await startChatServer()
  const llm = createOpenAiLlm({ baseUrl: server.url, model: 'test-model', retries: 0, ...options })
  t.teardown(async () => {
    await llm.close?.()
    await server.close()
  })
  const ask = (request: Partial<LlmRequest> = {}, signal: EventTarget & globalThis.AbortSignal = new AbortController().signal): AsyncIterable<LlmEvent> =>
    llm.generate({ messages: [{ role: 'user', content: 'Hi' }], tools: [], toolChoice: 'auto', ...request }, { signal })
  return { server, llm, ask }
}

/** The words of an answer. */
export const spoken = (events: LlmEvent[]) => events.map(event => event.type === 'text' ? event.delta : '').join('')

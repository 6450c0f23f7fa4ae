import { randomUUID } from 'node:crypto'
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import type { LlmEngine } from '../engine.js'
import { think } from './brain.js'

/**
 * The language model of a server that has none: it answers from the character's own examples and
 * greeting, calls the tools they name, and reflects the user's words where they have no answer.
 * It needs nothing, is ready at once, and reports no usage, as it has no tokens; `maxTokens` counts words.
 */
export function createDemoLlm (): LlmEngine {
  return {
    name: 'demo',
    model: 'demo',

    async * generate (request, { signal }) {
      signal.throwIfAborted()
      const thought = think(request)
      if ('call' in thought) {
        yield { type: 'tool_call', index: 0, id: `call_${randomUUID().replaceAll('-', '')}`, name: thought.call.name }
        signal.throwIfAborted()
        yield { type: 'tool_arguments', index: 0, delta: JSON.stringify(thought.call.arguments) }
        signal.throwIfAborted()
        yield { type: 'end', reason: 'tool_calls' }
        return
      }
      let left = request.maxTokens ?? Infinity
      for (const word of thought.say.match(/\S+\s*/g) ?? []) {
        if (left-- <= 0) {
          yield { type: 'end', reason: 'length' }
          return
        }
        yield { type: 'text', delta: word }
        // Other sessions get their turn, and an abort is noticed.
        await yieldToLoop()
        signal.throwIfAborted()
      }
      yield { type: 'end', reason: 'stop' }
    }
  }
}

import type { ChatCompletionCreateParamsStreaming, ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { LlmContent, LlmMessage, LlmRequest } from '../engine.js'

/** The request's body, but for `model` and what differs between servers. */
export function toChatRequest (request: LlmRequest): Omit<ChatCompletionCreateParamsStreaming, 'model'> {
  return {
    ...request.extra,
    stream: true,
    messages: request.messages.map(toChatMessage),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.effort === undefined ? {} : { reasoning_effort: request.effort }),
    // Several servers refuse an empty list of tools, and a tool_choice without one.
    ...(request.tools.length === 0
      ? {}
      : {
          tools: request.tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            function: {
              name,
              ...(description === undefined ? {} : { description }),
              parameters: (parameters ?? { type: 'object', properties: {} }) as Record<string, unknown>
            }
          })),
          tool_choice: typeof request.toolChoice === 'string'
            ? request.toolChoice
            : { type: 'function' as const, function: { name: request.toolChoice.name } },
          ...(request.parallelToolCalls === undefined ? {} : { parallel_tool_calls: request.parallelToolCalls })
        })
  }
}

function toChatMessage (message: LlmMessage): ChatCompletionMessageParam {
  switch (message.role) {
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.content }
    case 'assistant': {
      if (message.toolCalls === undefined || message.toolCalls.length === 0) return { role: 'assistant', content: message.content }
      return {
        role: 'assistant',
        content: message.content === '' ? null : message.content,
        tool_calls: message.toolCalls.map(call => ({
          id: call.id,
          type: 'function',
          function: { name: call.name, arguments: call.arguments }
        }))
      }
    }
    case 'system':
      return { role: 'system', content: plainText(message.content) }
    case 'user':
      return { role: 'user', content: typeof message.content === 'string' ? message.content : message.content.map(toChatPart) }
  }
}

function toChatPart (part: Exclude<LlmContent, string>[number]) {
  if (part.type === 'text') return { type: 'text' as const, text: part.text }
  return { type: 'image_url' as const, image_url: { url: part.url, ...(part.detail === undefined ? {} : { detail: part.detail }) } }
}

/** System messages as a string: many chat templates take nothing else. */
function plainText (content: LlmContent): string {
  if (typeof content === 'string') return content
  return content.flatMap(part => part.type === 'text' ? [part.text] : []).join('\n')
}

import { RealtimeError } from '../errors.js'
import type { FunctionTool, ToolChoice } from './events/session-object.js'

const WORDS = ['auto', 'none', 'required']

/**
 * A choice as GA writes it. LiveKit names the function it insists on by a bare string: taken if it is one of the tools.
 *
 * @param param where it stands in the event, for the error
 */
export function readToolChoice (choice: ToolChoice, tools: readonly FunctionTool[], param: string): ToolChoice {
  if (typeof choice !== 'string' || WORDS.includes(choice)) return choice
  if (tools.some(tool => tool.name === choice)) return { type: 'function', name: choice }
  throw new RealtimeError('invalid_value', {
    param,
    message: `Invalid value: '${String(choice)}'. Supported values are: ${WORDS.map(word => `'${word}'`).join(', ')}, and the tools by name.`
  })
}

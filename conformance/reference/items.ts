import { absent, array, boolean, integer, nullable, object, oneOf, string, tagged, type Shape } from '../shape.js'

// Items and content parts, PROTOCOL section 4.

const status = oneOf('in_progress', 'completed', 'incomplete')
const callError = object({ type: string, message: string })

/** @param audio shape of the base64 of audio parts: only one event carries it */
function itemWith (audio: Shape, transcript: Record<string, Shape>): Shape {
  const message = (parts: Record<string, Shape>): Shape => object({ status, content: array(tagged('type', parts)) })
  return (value, path) => object({ id: string })(value, path) ?? tagged('type', {
    message: tagged('role', {
      system: message({ input_text: object({ text: string }) }),
      user: message({
        input_text: object({ text: string }),
        input_audio: object({ transcript: nullable(string) }, { audio }),
        input_image: object({ image_url: string })
      }),
      assistant: message({ output_text: object({ text: string }), output_audio: object(transcript, { audio }) })
    }),
    function_call: object({ status, name: string, call_id: string, arguments: string }),
    function_call_output: object({ call_id: string, output: string }),
    mcp_list_tools: object({ server_label: string, tools: array(object({ name: string })) }),
    mcp_call: object({ server_label: string, name: string, arguments: string }, { output: nullable(string), error: nullable(callError) }),
    mcp_approval_request: object({ server_label: string, name: string, arguments: string }),
    mcp_approval_response: object({ approval_request_id: string, approve: boolean })
  })(value, path)
}

export const item = itemWith(absent, { transcript: nullable(string) })
/** As `conversation.item.retrieved` has it: with bytes; a truncated answer may have no transcript left. */
export const retrievedItem = itemWith(nullable(string), {})

/** Content parts have a vocabulary of their own. */
export const part = tagged('type', { text: object({ text: string }), audio: object({ transcript: string }, { audio: absent }) })

export const ofResponse = { response_id: string, output_index: integer }
export const ofItem = { ...ofResponse, item_id: string }
export const ofPart = { ...ofItem, content_index: integer }

import { array, integer, nullable, object, oneOf, string, tagged, type Shape } from '../shape.js'
import { item } from './items.js'
import { format, maxTokens, modalities } from './session.js'

// The response object, PROTOCOL section 9.

const usage = object({
  total_tokens: integer,
  input_tokens: integer,
  output_tokens: integer,
  input_token_details: object({
    text_tokens: integer,
    audio_tokens: integer,
    cached_tokens: integer
  }, {
    image_tokens: integer,
    cached_tokens_details: object({ text_tokens: integer, audio_tokens: integer })
  }),
  output_token_details: object({ text_tokens: integer, audio_tokens: integer })
})

const details = nullable(tagged('type', {
  cancelled: object({ reason: oneOf('turn_detected', 'client_cancelled') }),
  incomplete: object({ reason: oneOf('max_output_tokens', 'content_filter') }),
  failed: object({ error: object({ type: string, code: nullable(string) }) })
}))

const common = {
  object: oneOf('realtime.response'),
  id: string,
  output: array(item),
  conversation_id: nullable(string),
  output_modalities: modalities,
  max_output_tokens: maxTokens,
  audio: object({ output: object({ format, voice: string }) }),
  metadata: nullable(object({}))
}

export const createdResponse: Shape = object({ ...common, status: oneOf('in_progress'), status_details: oneOf(null), usage: oneOf(null) })

export const doneResponse: Shape = tagged('status', {
  completed: object({ ...common, status_details: oneOf(null), usage }),
  incomplete: object({ ...common, status_details: details, usage }),
  cancelled: object({ ...common, status_details: details, usage: nullable(usage) }),
  failed: object({ ...common, status_details: details, usage: nullable(usage) })
})

import { any, array, boolean, either, integer, nullable, number, object, oneOf, string, tagged, type Shape } from '../shape.js'

// The session object, PROTOCOL section 3.

export const format: Shape = tagged('type', {
  'audio/pcm': object({ rate: oneOf(24000) }),
  'audio/pcmu': object({}),
  'audio/pcma': object({})
})

const transcription = nullable(object({ model: string, language: nullable(string), prompt: nullable(string) }))
const noiseReduction = nullable(object({ type: string }))

const turnDetection: Shape = nullable(tagged('type', {
  server_vad: object({
    threshold: number,
    prefix_padding_ms: integer,
    silence_duration_ms: integer,
    idle_timeout_ms: nullable(integer),
    create_response: boolean,
    interrupt_response: boolean
  }),
  semantic_vad: object({ eagerness: oneOf('low', 'medium', 'high', 'auto'), create_response: boolean, interrupt_response: boolean })
}))

export const modalities: Shape = (value, path) =>
  Array.isArray(value) && value.length === 1 && (value[0] === 'text' || value[0] === 'audio')
    ? null
    : `${path} should be ["text"] or ["audio"], but is ${JSON.stringify(value)}`

export const maxTokens = either(integer, oneOf('inf'))

const realtime = object({
  object: oneOf('realtime.session'),
  id: string,
  model: string,
  output_modalities: modalities,
  instructions: string,
  tools: array(object({ type: string })),
  tool_choice: either(string, object({ type: string })),
  max_output_tokens: maxTokens,
  tracing: any,
  truncation: any,
  prompt: any,
  expires_at: integer,
  audio: object({
    input: object({ format, transcription, noise_reduction: noiseReduction, turn_detection: turnDetection }),
    output: object({ format, voice: either(string, object({ id: string })), speed: number })
  }),
  include: nullable(array(string))
})

const transcriptionSession = object({
  object: oneOf('realtime.transcription_session'),
  id: string,
  expires_at: integer,
  audio: object({
    input: object({
      format,
      transcription,
      noise_reduction: noiseReduction,
      turn_detection: nullable(tagged('type', {
        server_vad: object({ threshold: number, prefix_padding_ms: integer, silence_duration_ms: integer }),
        semantic_vad: object({})
      }))
    })
  }),
  include: nullable(array(string))
})

export const session: Shape = tagged('type', { realtime, transcription: transcriptionSession })

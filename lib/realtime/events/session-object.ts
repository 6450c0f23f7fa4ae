import { Type, type Static } from '@sinclair/typebox'
import { Index, Nullable, OneOf } from './common.js'

// The session object, PROTOCOL section 3: what a client may write, and what it reads.

export const AudioFormat = Type.Union([
  Type.Object({ type: Type.Literal('audio/pcm'), rate: Type.Optional(Type.Literal(24000)) }),
  Type.Object({ type: Type.Literal('audio/pcmu') }),
  Type.Object({ type: Type.Literal('audio/pcma') })
])
export type AudioFormat = Static<typeof AudioFormat>

export const ServerVad = Type.Object({
  type: Type.Literal('server_vad'),
  threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'Speech probability that counts as speech.' })),
  prefix_padding_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 5000 })),
  silence_duration_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 10000 })),
  idle_timeout_ms: Type.Optional(Nullable(Type.Integer({ minimum: 5000, maximum: 30000 }))),
  create_response: Type.Optional(Type.Boolean()),
  interrupt_response: Type.Optional(Type.Boolean())
})

export const SemanticVad = Type.Object({
  type: Type.Literal('semantic_vad'),
  eagerness: Type.Optional(OneOf('low', 'medium', 'high', 'auto')),
  create_response: Type.Optional(Type.Boolean()),
  interrupt_response: Type.Optional(Type.Boolean())
})

export const TurnDetection = Type.Union([ServerVad, SemanticVad])
/** Turn detection with every parameter filled in. */
export type TurnDetection = Required<Static<typeof ServerVad>> | Required<Static<typeof SemanticVad>>

/** Typed as what is known today, and any string is taken: one that is not known is shown, not applied. */
const Effort = Type.Unsafe<'minimal' | 'low' | 'medium' | 'high' | 'xhigh'>(Type.String({ description: 'minimal, low, medium, high or xhigh.' }))

export const InputTranscription = Type.Object({
  model: Type.Optional(Type.String({ maxLength: 200 })),
  language: Type.Optional(Nullable(Type.String({ maxLength: 35 }))),
  prompt: Type.Optional(Nullable(Type.String({ maxLength: 10_000 }))),
  languages: Type.Optional(Nullable(Type.Array(Type.String({ maxLength: 35 })))),
  keywords: Type.Optional(Nullable(Type.Array(Type.String({ maxLength: 1000 })))),
  delay: Type.Optional(Nullable(Effort))
})
export type InputTranscription = Static<typeof InputTranscription>

export const FunctionTool = Type.Object({
  type: Type.Literal('function'),
  name: Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9_-]+$' }),
  description: Type.Optional(Type.String()),
  parameters: Type.Optional(Type.Unknown({ description: 'JSON Schema of the arguments.' }))
})
export type FunctionTool = Static<typeof FunctionTool>

export const ToolChoice = Type.Union([
  OneOf('auto', 'none', 'required'),
  Type.Object({ type: Type.Literal('function'), name: Type.String() })
])
export type ToolChoice = Static<typeof ToolChoice>
/** As clients write it: some name a function without more. {@link readToolChoice} looks for it among the tools. */
export const GivenToolChoice = Type.Unsafe<ToolChoice>(Type.Union([...ToolChoice.anyOf, Type.String({ maxLength: 64 })]))

export const Voice = Type.Union([Type.String({ minLength: 1, maxLength: 1024 }), Type.Object({ id: Type.String({ minLength: 1, maxLength: 1024 }) })])
export const MaxOutputTokens = Type.Union([Type.Integer({ minimum: 1, maximum: 4096 }), Type.Literal('inf')])
export const OutputModalities = Type.Array(OneOf('text', 'audio'), { minItems: 1, maxItems: 2 })
export const Tools = Type.Array(FunctionTool, { maxItems: 128 })
export const Instructions = Type.String({ maxLength: 256_000 })
export const Prompt = Type.Object({
  id: Type.String(),
  version: Type.Optional(Nullable(Type.String())),
  variables: Type.Optional(Nullable(Type.Record(Type.String(), Type.Unsafe<string | { type: 'input_text', text: string }>(Type.Unknown()))))
})
export const Truncation = Type.Union([
  OneOf('auto', 'disabled'),
  Type.Object({
    type: Type.Literal('retention_ratio'),
    retention_ratio: Type.Number({ minimum: 0, maximum: 1 }),
    token_limits: Type.Optional(Type.Object({ post_instructions: Type.Optional(Index) }))
  })
])
export const Tracing = Type.Union([
  Type.Literal('auto'),
  Type.Object({
    workflow_name: Type.Optional(Type.String()),
    group_id: Type.Optional(Type.String()),
    metadata: Type.Optional(Type.Unknown())
  })
])
export const NoiseReduction = Type.Object({ type: OneOf('near_field', 'far_field'), strength: Type.Optional(Type.Unsafe<number>(Type.Unknown())) })
export const ParallelToolCalls = Type.Boolean()
export const Reasoning = Type.Object({ effort: Type.Optional(Nullable(Effort)) })
export const Include = Type.Array(OneOf('item.input_audio_transcription.logprobs'))
export const UserName = Type.String({ minLength: 1, maxLength: 100, description: 'What characters call the user.' })
export const CharacterTools = OneOf('hidden', 'visible')
export const Memory = OneOf('shared', 'own')
export const HandOver = Type.Union([Type.Boolean(), Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 64 })])

/** What `session.update` may carry; unknown keys are ignored, since clients run ahead of servers. */
export const SessionUpdate = Type.Object({
  type: OneOf('realtime', 'transcription'),
  model: Type.Optional(Type.String()),
  output_modalities: Type.Optional(OutputModalities),
  instructions: Type.Optional(Instructions),
  tools: Type.Optional(Tools),
  tool_choice: Type.Optional(GivenToolChoice),
  parallel_tool_calls: Type.Optional(ParallelToolCalls),
  reasoning: Type.Optional(Reasoning),
  max_output_tokens: Type.Optional(MaxOutputTokens),
  tracing: Type.Optional(Nullable(Tracing)),
  truncation: Type.Optional(Truncation),
  prompt: Type.Optional(Nullable(Prompt)),
  include: Type.Optional(Nullable(Include)),
  character: Type.Optional(Nullable(Type.String({ maxLength: 1024 }))),
  character_tools: Type.Optional(CharacterTools),
  memory: Type.Optional(Memory),
  hand_over: Type.Optional(HandOver),
  user_name: Type.Optional(Nullable(UserName)),
  audio: Type.Optional(Type.Object({
    input: Type.Optional(Type.Object({
      format: Type.Optional(AudioFormat),
      transcription: Type.Optional(Nullable(InputTranscription)),
      noise_reduction: Type.Optional(Nullable(NoiseReduction)),
      turn_detection: Type.Optional(Nullable(TurnDetection))
    })),
    output: Type.Optional(Type.Object({
      format: Type.Optional(AudioFormat),
      voice: Type.Optional(Voice),
      speed: Type.Optional(Type.Number({ minimum: 0.25, maximum: 1.5 }))
    }))
  }))
})
export type SessionUpdate = Static<typeof SessionUpdate>

/** How a session can be taken up again: in `session.created`, for clients that asked. */
export const Resume = Type.Object({
  token: Type.String({ description: 'For `?resume=` of the next connection; it works once.' }),
  expires_in_seconds: Type.Number({ description: 'How long it works once the connection is gone.' }),
  resumed: Type.Boolean({ description: 'Whether this session was taken up.' }),
  item_count: Type.Integer({ description: 'Items that it has already.' })
})

/** The effective session, as `session.created` and `session.updated` carry it, with all its keys. */
export const SessionObject = Type.Object({
  type: Type.Literal('realtime'),
  object: Type.Literal('realtime.session'),
  id: Type.String(),
  model: Type.String(),
  output_modalities: OutputModalities,
  instructions: Type.String(),
  tools: Tools,
  tool_choice: ToolChoice,
  parallel_tool_calls: Type.Optional(ParallelToolCalls),
  reasoning: Type.Optional(Reasoning),
  max_output_tokens: MaxOutputTokens,
  tracing: Nullable(Tracing),
  truncation: Truncation,
  prompt: Nullable(Prompt),
  expires_at: Type.Integer({ description: 'Unix seconds.' }),
  audio: Type.Object({
    input: Type.Object({
      format: AudioFormat,
      transcription: Nullable(InputTranscription),
      noise_reduction: Nullable(NoiseReduction),
      turn_detection: Nullable(TurnDetection)
    }),
    output: Type.Object({ format: AudioFormat, voice: Type.String(), speed: Type.Number() })
  }),
  include: Nullable(Include),
  characters: Type.Array(Type.String(), { description: 'Names that can be selected.' }),
  character: Nullable(Type.String({ description: 'The selected one.' })),
  character_tools: CharacterTools,
  memory: Memory,
  hand_over: HandOver,
  user_name: Type.Optional(UserName),
  engines: Type.Object({ stt: Type.String(), llm: Type.String(), tts: Type.String() }),
  resume: Type.Optional(Resume)
})
export type SessionObject = Static<typeof SessionObject>

/** The session object of a session that only transcribes (PROTOCOL section 3.2). */
export const TranscriptionSessionObject = Type.Object({
  type: Type.Literal('transcription'),
  object: Type.Literal('realtime.transcription_session'),
  id: Type.String(),
  expires_at: Type.Integer({ description: 'Unix seconds.' }),
  audio: Type.Object({
    input: Type.Object({
      format: AudioFormat,
      transcription: Nullable(InputTranscription),
      noise_reduction: Nullable(NoiseReduction),
      turn_detection: Nullable(Type.Union([
        Type.Pick(ServerVad, ['type', 'threshold', 'prefix_padding_ms', 'silence_duration_ms']),
        Type.Pick(SemanticVad, ['type', 'eagerness'])
      ]))
    })
  }),
  include: Nullable(Include),
  resume: Type.Optional(Resume)
})
export type TranscriptionSessionObject = Static<typeof TranscriptionSessionObject>

/** What `session.created` and `session.updated` show. Typed as what all but transcription clients read. */
export const AnySessionObject = Type.Unsafe<SessionObject>(Type.Union([SessionObject, TranscriptionSessionObject]))

import { isDeepStrictEqual } from 'node:util'
import { RealtimeError } from '../errors.js'
import type { AudioFormat, SessionObject, SessionUpdate, TurnDetection } from './events/session-object.js'
import { readToolChoice } from './tool-choice.js'

/** The part of the session object that a client sets and that is not about who speaks. Immutable: an update makes a new one. */
export interface Settings extends Pick<SessionObject, 'parallel_tool_calls' | 'reasoning' | 'output_modalities' | 'instructions' | 'tools' | 'tool_choice' |
  'max_output_tokens' | 'tracing' | 'truncation' | 'prompt' | 'include' | 'character_tools' | 'memory' | 'hand_over'> {
  /** Null while nobody has said it. */
  readonly user_name: string | null
  readonly type: 'realtime' | 'transcription'
  readonly input: Readonly<Omit<SessionObject['audio']['input'], 'turn_detection'> & { turn_detection: TurnDetection | null }>
  readonly output: Readonly<Omit<SessionObject['audio']['output'], 'voice'>>
}

const pcm = { type: 'audio/pcm', rate: 24000 } as const

const serverVad: Extract<TurnDetection, { type: 'server_vad' }> = {
  type: 'server_vad',
  threshold: 0.5,
  prefix_padding_ms: 300,
  silence_duration_ms: 500,
  idle_timeout_ms: null,
  create_response: true,
  interrupt_response: true
}

const semanticVad: Extract<TurnDetection, { type: 'semantic_vad' }> = { type: 'semantic_vad', eagerness: 'auto', create_response: true, interrupt_response: true }

/** What every session starts with (PROTOCOL section 3.1); one object for all of them. */
export const defaultSettings: Settings = {
  type: 'realtime',
  output_modalities: ['audio'],
  instructions: '',
  tools: [],
  tool_choice: 'auto',
  max_output_tokens: 'inf',
  tracing: null,
  truncation: 'auto',
  prompt: null,
  include: null,
  character_tools: 'hidden',
  memory: 'shared',
  hand_over: false,
  user_name: null,
  input: Object.freeze({ format: pcm, transcription: null, noise_reduction: null, turn_detection: serverVad }),
  output: Object.freeze({ format: pcm, speed: 1 })
}

const transcriptionSettings: Settings = { ...defaultSettings, type: 'transcription' }

/** What a session starts with: one that answers, or one that only transcribes (PROTOCOL section 3.2). */
export function startingSettings (type: Settings['type']): Settings {
  return type === 'transcription' ? transcriptionSettings : defaultSettings
}

/**
 * The settings after `session.update`: an absent key stays, a given object replaces the one before, its
 * own absent keys taking their defaults. Throws before anything is applied.
 */
export function updateSettings (now: Settings, update: SessionUpdate): Settings {
  if (update.type !== now.type) {
    throw new RealtimeError('invalid_value', { param: 'session.type', message: `Invalid value: '${update.type}'. The type of a session cannot change: this one is '${now.type}'.` })
  }
  checkModalities(update.output_modalities, 'session.output_modalities')
  const { input = {}, output = {} } = update.audio ?? {}
  const given = <T extends object>(fields: T): Partial<T> =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>

  return {
    ...now,
    ...given({
      output_modalities: update.output_modalities,
      instructions: update.instructions,
      tools: update.tools,
      tool_choice: update.tool_choice && readToolChoice(update.tool_choice, update.tools ?? now.tools, 'session.tool_choice'),
      parallel_tool_calls: update.parallel_tool_calls,
      reasoning: update.reasoning,
      max_output_tokens: update.max_output_tokens,
      tracing: update.tracing,
      truncation: update.truncation,
      prompt: update.prompt,
      include: update.include,
      character_tools: update.character_tools,
      memory: update.memory,
      hand_over: update.hand_over,
      user_name: update.user_name
    }),
    input: {
      ...now.input,
      ...given({
        format: input.format && fullFormat(input.format),
        transcription: input.transcription && { model: 'default', language: null, prompt: null, ...input.transcription },
        noise_reduction: input.noise_reduction,
        turn_detection: input.turn_detection && unchanged(now.input.turn_detection, fullTurnDetection(input.turn_detection))
      })
    },
    output: {
      ...now.output,
      ...given({
        format: output.format && fullFormat(output.format),
        speed: output.speed
      })
    }
  } as Settings
}

/** Text and audio exclude each other: audio comes with its transcript. */
export function checkModalities (modalities: readonly string[] | undefined, param: string): void {
  if (modalities !== undefined && new Set(modalities).size > 1) {
    throw new RealtimeError('invalid_value', { param, message: `Invalid value: '${JSON.stringify(modalities)}'. Supported values are: '["text"]', '["audio"]'.` })
  }
}

/** G.711 has one rate, which the wire does not name (PROTOCOL section 12). */
export function fullFormat ({ type }: AudioFormat): AudioFormat {
  return type === 'audio/pcm' ? pcm : { type }
}

/** Clients repeat the whole session in every update: what is the same stays the same object, so that nobody starts over. */
function unchanged<T> (before: T, after: T): T {
  return isDeepStrictEqual(before, after) ? before : after
}

function fullTurnDetection (given: NonNullable<NonNullable<NonNullable<SessionUpdate['audio']>['input']>['turn_detection']>): TurnDetection {
  return given.type === 'server_vad' ? { ...serverVad, ...given } : { ...semanticVad, ...given }
}

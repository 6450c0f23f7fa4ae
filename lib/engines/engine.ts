/**
 * The four engine interfaces. Audio between the session and every engine is 16-bit mono PCM at
 * {@link SAMPLE_RATE}; an engine that works at another rate resamples on its own side.
 *
 * Every stage is an async iterable that ends when its input ends and rejects with the signal's
 * reason as soon as the signal aborts, having released whatever it held upstream.
 */

import type { Policy } from './guard/policy.js'

/** Samples a second of all audio that crosses an engine boundary. */
export const SAMPLE_RATE = 24_000

/** A fault of an engine, worded for the person who runs the server: one line, no stack needed. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  /**
   * Stable: `engine_unavailable` (cannot start or be reached), `engine_failed` (broke while working), or the
   * code with which the engine's own provider refuses an account: clients stop trying at those.
   */
  readonly code: 'engine_unavailable' | 'engine_failed' | 'insufficient_quota' | 'account_deactivated' | 'billing_hard_limit_reached'
  readonly engine: string

  constructor (code: EngineError['code'], engine: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.engine = engine
  }
}

/** What all engines share. Whoever made an engine closes it; an engine passed in by an embedder is left open. */
export interface Engine {
  /** How its streams are to be guarded, where that is not as for every engine of its kind. */
  readonly policy?: Partial<Policy> | undefined
  /** Shown in `session.engines`, health and metrics, such as `local` or `openai`. */
  readonly name: string
  /** What it found or chose when it started, in one line for the log. */
  readonly about?: string | undefined
  /** Loads models or opens pools, off the event loop; once, before first use. Rejects with an {@link EngineError}. */
  start? (): Promise<void>
  /** Resolves when the engine could serve a request now; asked by health probes, which cache the answer. */
  check? (signal: AbortSignal): Promise<void>
  /** Ends workers and connections. Idempotent. */
  close? (): Promise<void>
}

/** How likely the audio up to a point is speech. */
export interface SpeechFrame {
  /** Samples of the stream (at {@link SAMPLE_RATE}) that this frame and all before it cover. */
  position: number
  /** 0..1 */
  probability: number
}

export interface VadEngine extends Engine {
  /** One stream of a session: PCM of any chunk length in, a frame for about every 32 ms out. */
  detect (audio: AsyncIterable<Int16Array>, options: { signal: AbortSignal }): AsyncIterable<SpeechFrame>
}

/** How sure recognition is of a token: a word, or a part of one. */
export interface TokenLogprob {
  token: string
  /** Natural logarithm of its probability: 0 is certain. */
  logprob: number
  /** Its UTF-8: a letter may be cut in two. */
  bytes: number[]
}

export interface TranscriptChunk {
  /** Text recognised since the last chunk, never taken back; the concatenation of all is the transcript. */
  delta: string
  /** What seems to follow, and may be taken back: the next chunk's replaces it. Semantic turn detection reads it. */
  tentative?: string | undefined
  /** 0..1, how likely the speaker is done, from engines that can tell; then it decides when the turn ends, not the words. */
  pause?: number | undefined
  /** Of the tokens recognised since the last chunk that had any, from engines that can tell and were asked. */
  logprobs?: TokenLogprob[] | undefined
}

export interface SttOptions {
  signal: AbortSignal
  /** ISO-639-1, such as `en`. */
  language?: string | undefined
  /** Words to expect. */
  prompt?: string | undefined
  model?: string | undefined
  /** Whether somebody reads the log probabilities of the tokens. Default false. */
  logprobs?: boolean | undefined
}

export interface SttEngine extends Engine {
  /** One utterance: its audio as it arrives, from just before speech until the turn's end. */
  transcribe (audio: AsyncIterable<Int16Array>, options: SttOptions): AsyncIterable<TranscriptChunk>
}

export interface SpeechChunk {
  /** What is said from the start of this chunk on; empty on the later chunks of the same words. */
  text: string
  audio: Int16Array
}

export interface TtsOptions {
  signal: AbortSignal
  /** One of the engine's voices. */
  voice: string
  /** 0.25..1.5, 1 is normal. */
  speed?: number | undefined
  language?: string | undefined
  /** Overrides the engine's own model. */
  model?: string | undefined
  /** How to speak, in words, for engines that follow them. */
  instructions?: string | undefined
  /** What else the character's `tts` says, for engines that know it. */
  extra?: Readonly<Record<string, unknown>> | undefined
}

export interface TtsEngine extends Engine {
  /** Its own voices' names, known once started. A character without a voice of its own here gets one of them. */
  readonly voices: readonly string[]
  /** Whether it may know voices that it does not list: a character's own choice is then taken as it is. */
  readonly openVoices?: boolean
  /** Whether a character's voice path names one of its voices. */
  voicePath? (path: string): boolean
  /** Speaks text that arrives in sentences or clauses. `text` of all chunks joined equals what came in. */
  synthesize (text: AsyncIterable<string>, options: TtsOptions): AsyncIterable<SpeechChunk>
}

export type LlmContent = string | LlmContentPart[]
export type LlmContentPart =
  | { type: 'text', text: string }
  | { type: 'image', url: string, detail?: 'auto' | 'low' | 'high' | undefined }

export type LlmMessage =
  | { role: 'system' | 'user', content: LlmContent }
  | { role: 'assistant', content: string, toolCalls?: LlmToolCall[] | undefined }
  | { role: 'tool', callId: string, content: string }

export interface LlmToolCall {
  id: string
  name: string
  /** JSON text. */
  arguments: string
}

export interface LlmTool {
  name: string
  description?: string | undefined
  /** JSON Schema of the arguments. */
  parameters?: unknown
}

export type LlmToolChoice = 'auto' | 'none' | 'required' | { name: string }

export const EFFORTS = ['minimal', 'low', 'medium', 'high', 'xhigh'] as const
/** How much a model may think before it answers. */
export type LlmEffort = typeof EFFORTS[number]

export interface LlmRequest {
  messages: LlmMessage[]
  tools: LlmTool[]
  toolChoice: LlmToolChoice
  /** Whether one answer may call several tools; the model's own way when absent. */
  parallelToolCalls?: boolean | undefined
  /** The model's own way when absent. */
  effort?: LlmEffort | undefined
  /** Overrides the engine's own model. */
  model?: string | undefined
  temperature?: number | undefined
  /** Tokens; unlimited when absent. */
  maxTokens?: number | undefined
  /** What else the character's `llm` says, for engines that know it. */
  extra?: Readonly<Record<string, unknown>> | undefined
  /** Who speaks: the script of the demo brain. Other engines find it all in `messages`. */
  character?: LlmCharacter | undefined
}

export interface LlmCharacter {
  name: string
  greeting?: string | undefined
  examples: readonly { user: string, character: string, tool?: { name: string, arguments?: unknown } | undefined }[]
}

export interface LlmUsage {
  inputTokens: number
  outputTokens: number
  cachedTokens?: number | undefined
}

export type LlmEvent =
  | { type: 'text', delta: string }
  /** A call begins; `index` counts the calls of one answer from 0. */
  | { type: 'tool_call', index: number, id: string, name: string }
  | { type: 'tool_arguments', index: number, delta: string }
  /** Last event of an answer. `usage` only if the engine knows. */
  | { type: 'end', reason: 'stop' | 'length' | 'tool_calls' | 'content_filter', usage?: LlmUsage | undefined }

export interface LlmEngine extends Engine {
  /** The model in use; known once started. */
  readonly model: string
  generate (request: LlmRequest, options: { signal: AbortSignal }): AsyncIterable<LlmEvent>
}

/** The set a server runs with. */
export interface Engines {
  vad: VadEngine
  stt: SttEngine
  llm: LlmEngine
  tts: TtsEngine
}

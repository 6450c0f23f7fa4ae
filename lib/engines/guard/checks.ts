import type { LlmEvent, SpeechChunk, SpeechFrame, TokenLogprob, TranscriptChunk } from '../engine.js'
import { garbled } from './faults.js'

// What engines answer comes from outside: of the wrong kind, it would break the session at some later point.

export function checkFrame (frame: SpeechFrame, engine: string): void {
  if (!isObject(frame) || !Number.isFinite(frame.position) || !(frame.probability >= 0 && frame.probability <= 1)) {
    throw garbled('vad', engine, 'something that is no speech probability')
  }
}

export function checkTranscript (chunk: TranscriptChunk, engine: string): void {
  if (!isObject(chunk) || typeof chunk.delta !== 'string' || !isOptionalText(chunk.tentative) || !(chunk.pause === undefined || Number.isFinite(chunk.pause))) throw garbled('stt', engine, 'something that is no text')
  const { logprobs } = chunk
  if (logprobs !== undefined && !(Array.isArray(logprobs) && logprobs.every(isLogprob))) throw garbled('stt', engine, 'something that is no log probability')
}

export function checkSpeech (chunk: SpeechChunk, engine: string): void {
  if (!isObject(chunk) || typeof chunk.text !== 'string' || !(chunk.audio instanceof Int16Array)) throw garbled('tts', engine, 'something that is no audio')
}

export function checkEvent (event: LlmEvent, engine: string): void {
  if (!isObject(event) || !isKnown(event)) throw garbled('llm', engine, 'something that is neither text nor a call')
}

function isLogprob (one: TokenLogprob): boolean {
  return isObject(one) && typeof one.token === 'string' && Number.isFinite(one.logprob) && Array.isArray(one.bytes) && one.bytes.every(isByte)
}

function isByte (value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 255
}

function isKnown (event: LlmEvent): boolean {
  switch (event.type) {
    case 'text': return typeof event.delta === 'string'
    case 'tool_call': return Number.isInteger(event.index) && typeof event.name === 'string'
    case 'tool_arguments': return Number.isInteger(event.index) && typeof event.delta === 'string'
    case 'end': return typeof event.reason === 'string'
    default: return false
  }
}

function isObject (value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isOptionalText (value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

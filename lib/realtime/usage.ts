import type { LlmMessage, LlmUsage } from '../engines/engine.js'
import type { Usage } from './events/response-object.js'

/** English text has about four characters a token: good enough where an engine does not count. */
const CHARACTERS_PER_TOKEN = 4
/** What a message, and a call in it, takes beside its words: who says it, and brackets. Characters. */
const WRAPPED = 16
/** What hosted models count for a picture of middling size. */
export const IMAGE_TOKENS = 765

/** Tokens of a response over all its rounds; counted by the engine where it does, else estimated. */
export class TokenCount {
  #input = 0
  #output = 0
  #cached = 0

  add (counted: LlmUsage | undefined, messages: readonly LlmMessage[], answer: string): void {
    this.#input += counted?.inputTokens ?? estimateMessages(messages)
    this.#output += counted?.outputTokens ?? estimateTokens(answer.length)
    this.#cached += counted?.cachedTokens ?? 0
  }

  /** PROTOCOL section 9. The model reads and writes text, whatever the client hears: all tokens are text tokens. */
  toUsage (): Usage {
    return {
      total_tokens: this.#input + this.#output,
      input_tokens: this.#input,
      output_tokens: this.#output,
      input_token_details: {
        text_tokens: this.#input,
        audio_tokens: 0,
        image_tokens: 0,
        cached_tokens: this.#cached,
        cached_tokens_details: { text_tokens: this.#cached, audio_tokens: 0, image_tokens: 0 }
      },
      output_token_details: { text_tokens: this.#output, audio_tokens: 0 }
    }
  }
}

/** @param length characters of text */
export function estimateTokens (length: number): number {
  return Math.ceil(length / CHARACTERS_PER_TOKEN)
}

/** Reads lengths only: a long conversation is estimated anew in every turn. */
function estimateMessages (messages: readonly LlmMessage[]): number {
  let length = 0
  let images = 0
  for (const message of messages) {
    length += WRAPPED
    if (typeof message.content === 'string') length += message.content.length
    else {
      for (const part of message.content) {
        // An image is no text: its address would count for thousands.
        if (part.type === 'image') images++
        else length += part.text.length
      }
    }
    if (message.role !== 'assistant' || message.toolCalls === undefined) continue
    for (const call of message.toolCalls) length += WRAPPED + call.name.length + call.arguments.length
  }
  return estimateTokens(length) + images * IMAGE_TOKENS
}

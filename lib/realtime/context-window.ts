import { RealtimeError } from '../errors.js'
import type { Entry } from './conversation.js'
import type { Item } from './events/items.js'
import type { Settings } from './settings.js'
import { estimateTokens, IMAGE_TOKENS } from './usage.js'

/** What a call, and what its result, take besides their words: an id, a role, brackets. */
const CALL_TOKENS = 12

/**
 * How much of a conversation the model is sent (PROTOCOL section 13: truncation). Only its view is cut:
 * the items stay, and the client is told nothing. Tokens are estimated.
 */
export class ContextWindow {
  readonly #limit: number
  /** With a retention ratio the cut stays where it is until the next one, so that the model finds what it has cached: one for everybody who reads. */
  readonly #firstKept = new Map<string | null, string>()

  /** @param limit tokens of instructions, tools and items together */
  constructor (limit: number) {
    this.#limit = limit
  }

  /**
   * The newest items that fit, at least the last one. Throws `context_length_exceeded` if truncation is disabled and not all do.
   *
   * @param instructions tokens that come before the items
   * @param reader the character that reads them
   */
  fit (entries: readonly Entry[], instructions: number, truncation: Settings['truncation'], reader: string | null = null): readonly Entry[] {
    const ratio = typeof truncation === 'string' ? 1 : truncation.retention_ratio
    const post = typeof truncation === 'string' ? undefined : truncation.token_limits?.post_instructions
    const room = Math.min(Math.max(0, this.#limit - instructions), post ?? Infinity)
    const kept = ratio === 1 ? entries : this.#afterCut(entries, reader)
    let total = 0
    for (const { item } of kept) total += tokensOf(item)
    if (total <= room) return kept
    if (truncation === 'disabled') {
      throw new RealtimeError('context_length_exceeded', {
        message: `The conversation has about ${total + instructions} tokens with its instructions, more than the ${this.#limit} that the model is sent, and truncation is disabled.`
      })
    }

    let from = kept.length
    let left = Math.floor(room * ratio)
    while (from > 0 && (left -= tokensOf(kept[from - 1]!.item)) >= 0) from--
    const newest = kept.slice(Math.min(from, kept.length - 1))
    if (ratio !== 1 && newest.length > 0) this.#keep(reader, newest[0]!.item.id)
    return newest
  }

  #keep (reader: string | null, firstKept: string): void {
    // Names of casts that came and went: what is forgotten is cut again.
    if (this.#firstKept.size >= 64) this.#firstKept.clear()
    this.#firstKept.set(reader, firstKept)
  }

  #afterCut (entries: readonly Entry[], reader: string | null): readonly Entry[] {
    const firstKept = this.#firstKept.get(reader)
    if (firstKept === undefined) return entries
    const cut = entries.findIndex(({ item }) => item.id === firstKept)
    return cut <= 0 ? entries : entries.slice(cut)
  }
}

/** Reads lengths only: it is asked of every item in every turn. */
function tokensOf (item: Item): number {
  switch (item.type) {
    case 'function_call': return estimateTokens(item.name.length + item.arguments.length) + CALL_TOKENS
    case 'function_call_output': return estimateTokens(item.output.length) + CALL_TOKENS
    case 'mcp_call': return estimateTokens(item.name.length + item.arguments.length + (item.output ?? item.error?.message ?? '').length) + 2 * CALL_TOKENS
  }
  let tokens = 0
  for (const part of item.content) {
    if (part.type === 'input_image') tokens += IMAGE_TOKENS
    else tokens += estimateTokens(('text' in part ? part.text : part.transcript ?? '').length)
  }
  return tokens
}

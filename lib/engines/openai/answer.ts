import { randomUUID } from 'node:crypto'
import type { ChatCompletionChunk } from 'openai/resources/chat/completions'
import type { LlmEvent, LlmUsage } from '../engine.js'

type EndReason = Extract<LlmEvent, { type: 'end' }>['reason']

/** Where a call of the answer stands: `key` is the server's index, `id` its name for the call. */
interface OpenCall { key: number, id: string | undefined, name: string, index: number }

/**
 * Reads the chunks of one streamed answer. Servers differ: some leave out ids, number every call 0,
 * repeat the name, send whole arguments at once, say `stop` after a call, or never say how it ended.
 */
export class AnswerReader {
  /** Whether the server has said that the answer is complete; only usage may follow. */
  finished = false
  /** Whether anything at all was read. */
  begun = false
  #reason: EndReason | undefined
  #usage: LlmUsage | undefined
  #calls: OpenCall[] = []
  // Without its semicolon the next line would be a product.
  #thoughts = new ThoughtFilter();

  * read (chunk: ChatCompletionChunk): Iterable<LlmEvent> {
    if (typeof chunk !== 'object' || chunk === null) throw new SyntaxError('not a chunk')
    this.begun = true
    if (chunk.usage != null) this.#usage = readUsage(chunk.usage)
    const choice = chunk.choices?.[0]
    if (choice === undefined) return
    const { delta } = choice
    if (delta != null) {
      const said = (delta.content ?? '') + (delta.refusal ?? '')
      const text = this.#thoughts.pass(said)
      if (text !== '') yield { type: 'text', delta: text }
      for (const call of delta.tool_calls ?? []) yield * this.#readCall(call)
    }
    if (choice.finish_reason != null) {
      this.finished = true
      this.#reason = choice.finish_reason === 'function_call' ? 'tool_calls' : choice.finish_reason
    }
  }

  * end (): Iterable<LlmEvent> {
    const rest = this.#thoughts.flush()
    if (rest !== '') yield { type: 'text', delta: rest }
    let reason = this.#reason ?? 'stop'
    if (reason === 'stop' || reason === 'tool_calls') reason = this.#calls.length > 0 ? 'tool_calls' : 'stop'
    yield { type: 'end', reason, ...(this.#usage === undefined ? {} : { usage: this.#usage }) }
  }

  * #readCall (delta: ChatCompletionChunk.Choice.Delta.ToolCall): Iterable<LlmEvent> {
    const name = delta.function?.name
    const key = delta.index ?? (name === undefined ? this.#calls.at(-1)?.key ?? 0 : this.#calls.length)
    let call = this.#calls.findLast(open => open.key === key)
    if (call === undefined || isAnother(call, delta)) {
      // Without a name there is nothing to call yet: such a server sends it again with the name.
      if (!name) return
      call = { key, id: delta.id, name, index: this.#calls.length }
      this.#calls.push(call)
      yield { type: 'tool_call', index: call.index, id: delta.id || `call_${randomUUID().replaceAll('-', '')}`, name }
    }
    const args: unknown = delta.function?.arguments
    if (args == null || args === '') return
    yield { type: 'tool_arguments', index: call.index, delta: typeof args === 'string' ? args : JSON.stringify(args) }
  }
}

/** Whether a delta under the number of an open call begins another one nevertheless. */
function isAnother (call: OpenCall, { id, function: fn }: ChatCompletionChunk.Choice.Delta.ToolCall): boolean {
  if (!fn?.name) return false
  return id ? id !== call.id : fn.name !== call.name
}

function readUsage (usage: NonNullable<ChatCompletionChunk['usage']>): LlmUsage {
  const cached = usage.prompt_tokens_details?.cached_tokens
  return {
    inputTokens: usage.prompt_tokens ?? 0,
    outputTokens: usage.completion_tokens ?? 0,
    ...(cached == null ? {} : { cachedTokens: cached })
  }
}

/** Drops the `<think>…</think>` with which some models begin: it is not meant to be spoken. */
class ThoughtFilter {
  #state: 'start' | 'thinking' | 'speaking' = 'start'
  #held = ''

  pass (text: string): string {
    if (this.#state === 'speaking') return text
    this.#held += text
    if (this.#state === 'start') {
      const start = this.#held.trimStart()
      if (start.startsWith('<think>')) this.#state = 'thinking'
      else if ('<think>'.startsWith(start)) return ''
      else return this.#speak(this.#held)
    }
    const end = this.#held.indexOf('</think>')
    return end === -1 ? '' : this.#speak(this.#held.slice(end + '</think>'.length).trimStart())
  }

  flush (): string {
    return this.#state === 'start' ? this.#speak(this.#held) : ''
  }

  #speak (text: string): string {
    this.#state = 'speaking'
    this.#held = ''
    return text
  }
}

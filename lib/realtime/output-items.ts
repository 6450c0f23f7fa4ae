import type { Conversation, Entry } from './conversation.js'
import type { AssistantItem, FunctionCallItem, Item, ItemStatus, McpCallItem } from './events/items.js'
import { createId } from './ids.js'
import { belonging } from './memory.js'
import type { Outbox, PartAddress } from './outbox.js'
import { Recording } from './recording.js'

/** What an output item needs of the response it belongs to. */
export interface OutputScope {
  readonly responseId: string
  readonly outbox: Outbox
  /** Absent for a response outside of the conversation: its items are not part of it. */
  readonly conversation: Conversation | null
  /** Who alone knows what becomes of it; absent: everybody. */
  readonly owner?: Entry['owner']
  /** Takes the item's place in `response.output`. */
  place (item: Item): number
}

/**
 * One item of a response's output from `response.output_item.added` to `.done` (PROTOCOL section 7).
 * The subclasses send what comes between. Ending twice does nothing.
 */
abstract class OutputItem<T extends Item> {
  readonly item: T
  readonly index: number
  protected readonly scope: OutputScope
  readonly #entry: Entry
  #previousId: string | null = null
  #open = true

  constructor (scope: OutputScope, entry: Entry & { item: T }) {
    this.scope = scope
    this.#entry = belonging(entry, scope.owner)
    this.item = entry.item
    this.index = entry.hidden ? -1 : scope.place(entry.item)
    if (scope.conversation !== null) this.#previousId = scope.conversation.add(entry)
    if (entry.hidden) return
    scope.outbox.send({ type: 'response.output_item.added', response_id: scope.responseId, output_index: this.index, item: this.item })
    if (scope.conversation !== null) {
      scope.outbox.send({ type: 'conversation.item.added', previous_item_id: this.#previousId, item: this.item })
    }
  }

  get open (): boolean {
    return this.#open
  }

  end (status: ItemStatus): void {
    if (!this.#open) return
    this.#open = false
    this.finish(status)
    this.scope.conversation?.finish(this.#entry)
    if (this.index === -1) return
    if (this.scope.conversation !== null) {
      this.scope.outbox.send({ type: 'conversation.item.done', previous_item_id: this.#previousId, item: this.item })
    }
    this.scope.outbox.send({ type: 'response.output_item.done', response_id: this.scope.responseId, output_index: this.index, item: this.item })
  }

  protected abstract finish (status: ItemStatus): void

  protected get of (): { response_id: string, item_id: string, output_index: number } {
    return { response_id: this.scope.responseId, item_id: this.item.id, output_index: this.index }
  }
}

function assistantMessage (): AssistantItem {
  return { id: createId('item'), type: 'message', status: 'in_progress', role: 'assistant', content: [] }
}

/** An answer in writing: one text part. */
export class TextMessage extends OutputItem<AssistantItem> {
  readonly #part: PartAddress
  #text = ''

  constructor (scope: OutputScope) {
    super(scope, { item: assistantMessage() })
    this.#part = { ...this.of, content_index: 0 }
    scope.outbox.send({ type: 'response.content_part.added', ...this.#part, part: { type: 'text', text: '' } })
  }

  write (delta: string): void {
    this.#text += delta
    this.scope.outbox.sendText('response.output_text.delta', this.#part, delta)
  }

  protected override finish (status: ItemStatus): void {
    const text = this.#text
    this.item.content = [{ type: 'output_text', text }]
    this.item.status = status
    this.scope.outbox.send({ type: 'response.output_text.done', ...this.#part, text })
    this.scope.outbox.send({ type: 'response.content_part.done', ...this.#part, part: { type: 'text', text } })
  }
}

/** An answer aloud: one audio part with its transcript, which holds only what was sent as audio. */
export class AudioMessage extends OutputItem<AssistantItem> {
  readonly recording: Recording
  readonly #part: PartAddress
  /** When its first audio left, in milliseconds of `performance.now()`. */
  soundedAt: number | null = null

  constructor (scope: OutputScope) {
    const recording = new Recording(scope.conversation?.audioBytes ?? 0)
    super(scope, { item: assistantMessage(), recording })
    this.recording = recording
    this.#part = { ...this.of, content_index: 0 }
    scope.outbox.send({ type: 'response.content_part.added', ...this.#part, part: { type: 'audio', transcript: '' } })
  }

  /** Milliseconds of its sound that cannot have been played yet. */
  get aheadMs (): number {
    return this.soundedAt === null ? 0 : this.soundedAt + this.recording.durationMs - performance.now()
  }

  /** @param encoded the samples in the format that the client asked for */
  say (text: string, samples: Int16Array, encoded: Buffer): void {
    this.recording.append(samples, text)
    if (text !== '') this.scope.outbox.sendText('response.output_audio_transcript.delta', this.#part, text)
    if (encoded.length === 0) return
    this.soundedAt ??= performance.now()
    this.scope.outbox.sendAudio(this.#part, encoded)
  }

  protected override finish (status: ItemStatus): void {
    // Less than was sent if the client has truncated it meanwhile.
    const transcript = this.recording.text
    const { outbox } = this.scope
    this.scope.conversation?.trimAudio()
    this.item.content = [{ type: 'output_audio', transcript }]
    this.item.status = status
    outbox.send({ type: 'response.output_audio.done', ...this.#part })
    outbox.send({ type: 'response.output_audio_transcript.done', ...this.#part, transcript })
    outbox.send({ type: 'response.content_part.done', ...this.#part, part: { type: 'audio', transcript } })
  }
}

/** A call of one of the client's own tools. */
export class FunctionCall extends OutputItem<FunctionCallItem> {
  readonly #callId: string

  constructor (scope: OutputScope, name: string, callId: string) {
    super(scope, { item: { id: createId('item'), type: 'function_call', status: 'in_progress', name, call_id: callId, arguments: '' } })
    this.#callId = callId
  }

  write (delta: string): void {
    this.item.arguments += delta
    this.scope.outbox.send({ type: 'response.function_call_arguments.delta', ...this.of, call_id: this.#callId, delta })
  }

  protected override finish (status: ItemStatus): void {
    // Clients parse the arguments: a call without any still needs an object.
    if (this.item.arguments.trim() === '') this.item.arguments = '{}'
    this.item.status = status
    this.scope.outbox.send({
      type: 'response.function_call_arguments.done', ...this.of, call_id: this.#callId, name: this.item.name, arguments: this.item.arguments
    })
  }
}

/** A call of a character's tool, run here; hidden unless the session asked to see them (PROTOCOL section 13). */
export class CharacterCall extends OutputItem<McpCallItem> {
  constructor (scope: OutputScope, name: string, args: string, visible: boolean) {
    super(scope, {
      item: { id: createId('item'), type: 'mcp_call', server_label: 'character', name, arguments: args, output: null, error: null },
      hidden: !visible
    })
    if (!visible) return
    const { outbox } = scope
    outbox.send({ type: 'response.mcp_call_arguments.delta', ...this.of, delta: args, obfuscation: '' })
    outbox.send({ type: 'response.mcp_call_arguments.done', ...this.of, arguments: args })
    outbox.send({ type: 'response.mcp_call.in_progress', item_id: this.item.id, output_index: this.index })
  }

  succeed (output: string): void {
    this.item.output = output
    this.end('completed')
  }

  fail (message: string): void {
    this.item.error = { type: 'tool_execution_error', message }
    this.end('completed')
  }

  protected override finish (status: ItemStatus): void {
    if (status === 'incomplete') this.item.error ??= { type: 'tool_execution_error', message: 'The response ended before the tool did.' }
    if (this.index === -1) return
    const type = this.item.error === null ? 'response.mcp_call.completed' : 'response.mcp_call.failed'
    this.scope.outbox.send({ type, item_id: this.item.id, output_index: this.index })
  }
}

export type AnyOutputItem = TextMessage | AudioMessage | FunctionCall | CharacterCall

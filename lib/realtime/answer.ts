import { Channel } from '../channel.js'
import type { Engines, LlmEvent, LlmMessage, LlmTool } from '../engines/engine.js'
import type { ItemStatus } from './events/items.js'
import { createId } from './ids.js'
import type { SessionObserver } from './observer.js'
import { CharacterCall, FunctionCall, TextMessage, type AnyOutputItem, type OutputScope } from './output-items.js'
import { llmOverrides } from './overrides.js'
import { chatMessages, makePrompt, placeNotes, spokenIn } from './prompt.js'
import type { ResponsePlan } from './response.js'
import { Speaker } from './speaker.js'
import { estimateTokens, type TokenCount } from './usage.js'

/** How often the model may call a character's tools before it has to answer. */
const MAX_ROUNDS = 8

export interface AnswerScope {
  readonly output: OutputScope
  readonly engines: Pick<Engines, 'llm' | 'tts'>
  readonly observer: SessionObserver
  readonly aheadMs: number
  readonly tokens: TokenCount
  readonly signal: AbortSignal
  /** Hands an item to the response, which ends it if nobody else has. */
  opened<T extends AnyOutputItem> (item: T): T
  /** Ends the response at once: what it still waits for may never come. */
  fail (error: unknown): void
}

type EndReason = Extract<LlmEvent, { type: 'end' }>['reason']

interface Round {
  text: string
  reason: EndReason
  characterCalls: { id: string, name: string, arguments: string }[]
  clientCalls: number
}

/** A message under way. */
interface Writing {
  push: (words: string) => void
  end: () => void
  /** Makes sure that it has its place in the conversation. */
  open: () => void
}

/**
 * What the model says and does in one response: it is asked, its words go to the speaker as they come,
 * its calls to the client or to the character's tools, whose results it is told in another round.
 */
export class Answer {
  readonly #scope: AnswerScope
  readonly #plan: ResponsePlan
  readonly #speaker: Speaker
  /** The character's own, but for those that one of the client's hides, of the same name. */
  readonly #characterTools: readonly LlmTool[]
  readonly #tools: LlmTool[]

  constructor (scope: AnswerScope, plan: ResponsePlan) {
    this.#scope = scope
    this.#plan = plan
    this.#speaker = new Speaker(scope, plan)
    this.#characterTools = [
      ...plan.character?.tools.filter(({ name }) => !plan.tools.some(tool => tool.name === name)) ?? [],
      ...plan.handOver === null ? [] : [plan.handOver.tool]
    ]
    this.#tools = [...plan.tools.map(({ name, description, parameters }) => ({ name, description, parameters })), ...this.#characterTools]
  }

  async run (): Promise<EndReason> {
    const { signal } = this.#scope
    const { character, opens, greeting: number } = this.#plan
    const entries = this.#plan.context()
    const greeting = number !== null || (entries.length === 0 && opens) ? character?.greet(number ?? 0) : undefined
    if (greeting !== undefined) {
      const message = this.#write(() => 'completed')
      message.push(greeting)
      message.end()
      await this.#speaker.done()
      return 'stop'
    }

    const { system, notes } = await makePrompt(character, this.#plan.instructions, signal, () => spokenIn(entries.map(({ item }) => item)))
    const noted = notes.reduce((sum, { text }) => sum + text.length, 0)
    const fitting = this.#plan.fit(entries, estimateTokens(system.length + noted + JSON.stringify(this.#tools).length))
    const messages = placeNotes(chatMessages(system, fitting.map(entry => entry.item), opens), notes)
    let reason: EndReason = 'stop'
    for (let count = 0; count < MAX_ROUNDS; count++) {
      const round = await this.#ask(messages, count)
      reason = round.reason
      if (round.characterCalls.length === 0) break
      messages.push({ role: 'assistant', content: round.text, toolCalls: round.characterCalls })
      const results = await Promise.all(round.characterCalls.map(call => this.#runTool(call, round.clientCalls === 0)))
      messages.push(...results)
      // The model goes on when the client has run its own calls too, in the response it then asks for.
      if (round.clientCalls > 0 || (this.#plan.handOver?.to ?? null) !== null) break
    }
    await this.#speaker.done()
    return reason
  }

  async #ask (messages: LlmMessage[], count: number): Promise<Round> {
    const { engines: { llm }, output, signal, observer, tokens } = this.#scope
    const { character, maxTokens, toolChoice, temperature, parallelToolCalls, effort } = this.#plan
    const mustAnswer = count === MAX_ROUNDS - 1
    // A call that the client insists on is made once: after it the model is free to answer.
    const choice = count === 0 || toolChoice === 'none' ? toolChoice : 'auto'
    const round: Round = { text: '', reason: 'stop', characterCalls: [], clientCalls: 0 }
    const calls = new Map<number, FunctionCall | Round['characterCalls'][number]>()
    const asked = performance.now()
    const status = (): ItemStatus => round.reason === 'length' || round.reason === 'content_filter' ? 'incomplete' : 'completed'
    let message: Writing | null = null
    let first = true
    let usage: Extract<LlmEvent, { type: 'end' }>['usage']

    const events = llm.generate({
      messages,
      tools: mustAnswer ? [] : this.#tools,
      toolChoice: mustAnswer ? 'none' : choice,
      parallelToolCalls,
      effort,
      ...llmOverrides(character, llm.name),
      ...temperature === undefined ? {} : { temperature },
      maxTokens: maxTokens === 'inf' ? undefined : maxTokens,
      character: character === null ? undefined : { name: character.name, greeting: character.greeting, examples: character.examples ?? [] }
    }, { signal })
    for await (const event of events) {
      signal.throwIfAborted()
      if (first) observer.stage?.('llm_first_token', (performance.now() - asked) / 1000)
      first = false
      // A client that does not read is not written for.
      if (!output.outbox.roomy) await output.outbox.room(signal)
      switch (event.type) {
        case 'text':
          round.text += event.delta
          message ??= this.#write(status)
          message.push(event.delta)
          break
        case 'tool_call': {
          // Not every model can be told.
          if (parallelToolCalls === false && calls.size > 0) break
          if (round.text.trim() !== '') message?.open()
          const id = event.id || createId('call')
          if (this.#characterTools.some(tool => tool.name === event.name)) calls.set(event.index, { id, name: event.name, arguments: '' })
          else calls.set(event.index, this.#scope.opened(new FunctionCall(this.#scope.output, event.name, id)))
          break
        }
        case 'tool_arguments': {
          const call = calls.get(event.index)
          if (call instanceof FunctionCall) call.write(event.delta)
          else if (call !== undefined) call.arguments += event.delta
          break
        }
        case 'end':
          round.reason = event.reason
          usage = event.usage
      }
    }

    message?.end()
    for (const call of calls.values()) {
      if (call instanceof FunctionCall) {
        round.clientCalls++
        call.end(status())
      } else round.characterCalls.push(call)
    }
    tokens.add(usage, messages, round.text + JSON.stringify(round.characterCalls))
    return round
  }

  /** Opens a message, written or spoken; what is pushed becomes its words. */
  #write (status: () => ItemStatus): Writing {
    if (this.#plan.modality === 'text') {
      const message = this.#scope.opened(new TextMessage(this.#scope.output))
      return { push: delta => message.write(delta), end: () => message.end(status()), open: () => {} }
    }
    const words = new Channel<string>()
    return { push: delta => words.push(delta), end: () => words.end(), open: this.#speaker.speak(words, status) }
  }

  async #runTool (call: { id: string, name: string, arguments: string }, alone: boolean): Promise<LlmMessage> {
    const { observer, signal, output } = this.#scope
    const { character, handOver } = this.#plan
    const handsOver = call.name === handOver?.tool.name
    // It is nobody else's: to the others it would be a call of their own.
    const scope = handsOver ? { ...output, owner: character!.name } : output
    const item = this.#scope.opened(new CharacterCall(scope, call.name, call.arguments, this.#plan.showCharacterTools))
    const called = { name: call.name, signal, startedAt: performance.now() }
    let content: string
    try {
      const args: unknown = call.arguments.trim() === '' ? {} : JSON.parse(call.arguments)
      const result = handsOver ? handOver!.accept(args, alone) : await character!.runTool(call.name, args, signal)
      content = typeof result === 'string' ? result : JSON.stringify(result) ?? 'null'
      observer.toolCall?.('ok', called)
      item.succeed(content)
    } catch (error) {
      signal.throwIfAborted()
      observer.toolCall?.('error', called)
      observer.fault?.(`tool ${call.name} failed`, error)
      content = faultOf(error)
      item.fail(content)
    }
    return { role: 'tool', callId: call.id, content }
  }
}

/** What went wrong, for the model: where in the source it did is for the log. */
function faultOf (error: unknown): string {
  if (error instanceof SyntaxError) return 'Error: the arguments are not valid JSON.'
  const { details, message } = error as { details?: { message?: unknown }, message?: unknown }
  const words = String(details?.message ?? message ?? error)
  // Faults of character code begin with the name of what was thrown.
  return /^\w*Error\b/.test(words) ? words : `Error: ${words}`
}

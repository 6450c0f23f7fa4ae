import type { LoadedCharacter } from '../characters/loaded-character.js'
import type { LlmTool } from '../engines/engine.js'
import type { Casting } from './casting.js'
import type { Entry } from './conversation.js'
import type { ResponseOptions } from './events/response-object.js'
import type { FunctionTool, SessionObject } from './events/session-object.js'
import { createId } from './ids.js'
import type { ResponsePlan } from './response.js'
import type { RealtimeSession } from './session.js'

/** Name of the tool with which a character lets another go on. */
export const HAND_OVER = 'hand_over'
/** How often characters may hand over before it is the user's turn again. */
const MAX_IN_A_ROW = 4
/** Names that the model is offered. */
const MAX_NAMES = 64
/** Characters of what one tells the other. */
const MAX_MESSAGE = 2000

const description = 'Lets another character go on in your place, at once and in their own voice: when the user asks for them, or when it is for them to answer. ' +
  'Say nothing in their name.'

export interface HandOverScope {
  allowed: SessionObject['hand_over']
  casting: Casting
  character: LoadedCharacter | null
  tools: readonly FunctionTool[]
  options: ResponseOptions
  /** How many there were since it was the user's turn. */
  inARow: number
}

/** The `hand_over` tool in one response, and what came of it. */
export class HandOver {
  readonly tool: LlmTool
  readonly from: string
  readonly options: ResponseOptions
  readonly inARow: number
  readonly #names: readonly string[]
  #to: string | null = null
  #message = ''

  private constructor ({ options, inARow }: HandOverScope, from: string, names: readonly string[]) {
    this.from = from
    this.options = options
    this.inARow = inARow
    this.#names = names
    this.tool = {
      name: HAND_OVER,
      description,
      parameters: {
        type: 'object',
        properties: {
          to: { type: 'string', enum: names, description: 'Who goes on.' },
          message: { type: 'string', maxLength: MAX_MESSAGE, description: 'What they need to know: they may not have heard what you talked about.' }
        },
        required: ['to'],
        additionalProperties: false
      }
    }
  }

  /** Null where it is not offered: not allowed, nobody to hand over to, often enough already, or no turn of the conversation. */
  static offer (scope: HandOverScope): HandOver | null {
    const { allowed, casting, character, tools, options, inARow } = scope
    if (allowed === false || character === null || inARow >= MAX_IN_A_ROW) return null
    if (options.input !== undefined || options.conversation === 'none') return null
    // Who has a tool of this name means that one.
    if ([...tools, ...character.tools].some(({ name }) => name === HAND_OVER)) return null
    const cast = casting.names()
    const wanted = allowed === true ? cast : cast.filter(name => allowed.includes(name))
    const others = wanted.filter(name => name !== character.name).slice(0, MAX_NAMES)
    return others.length === 0 ? null : new HandOver(scope, character.name, others)
  }

  /** Who goes on, once the model has said so. */
  get to (): string | null {
    return this.#to
  }

  /** What the one is told who goes on. */
  get note (): string {
    const says = this.#message === '' ? '' : ` ${this.from} tells you: "${this.#message}"`
    return `[${this.from} hands the conversation over to you, ${this.#to}.${says} Go on now.]`
  }

  /**
   * Takes the model's call and returns what the model is told. Throws, for the model, if it cannot be.
   *
   * @param alone whether no call of the client's waits for its result, after which the client asks for the next response
   */
  accept (args: unknown, alone: boolean): string {
    if (!alone) throw new Error('Error: wait for the results of your other calls before you hand over.')
    const { to, message = '' } = (args ?? {}) as { to?: unknown, message?: unknown }
    const name = typeof to === 'string' ? this.#names.find(name => name.toLowerCase() === to.trim().toLowerCase()) : undefined
    if (name === undefined) throw new Error(`Error: 'to' must be one of ${this.#names.map(name => `'${name}'`).join(', ')}.`)
    if (typeof message !== 'string' || message.length > MAX_MESSAGE) throw new Error(`Error: 'message' must be text of at most ${MAX_MESSAGE} characters.`)
    if (this.#to !== null) throw new Error(`Error: you have handed over to ${this.#to} already.`)
    this.#to = name
    this.#message = message.trim()
    return `${name} goes on.`
  }
}

/** Lets the other go on: selects it, unless it is only a guest's turn, and plans its response. */
export function continueAs (session: RealtimeSession, to: string, { note, options, inARow }: HandOver): ResponsePlan {
  const { casting, conversation, outbox } = session
  const guest = options.character !== undefined
  if (!guest) casting.select(to)
  const entry: Entry = {
    item: { id: createId('item'), type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: note }] },
    hidden: true,
    owner: to
  }
  conversation.add(entry)
  conversation.finish(entry)
  if (!guest) {
    session.refresh()
    outbox.send({ type: 'session.updated', session: session.toObject() })
  }
  // As the client asked for the first response, but for what was about its character alone.
  const { character: _, greeting: __, tool_choice: choice, audio, ...rest } = options
  const format = audio?.output?.format
  return session.plan({
    ...rest,
    ...choice === 'none' ? { tool_choice: choice } : { tool_choice: 'auto' },
    ...format === undefined ? {} : { audio: { output: { format } } },
    ...guest ? { character: to } : {}
  }, null, inARow + 1)
}

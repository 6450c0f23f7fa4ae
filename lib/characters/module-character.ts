/**
 * A character module as a session sees it. All of its code is called through here: bounded in time,
 * guarded against loops and throws, and cut off from the session once its cast is replaced or gone.
 */
import { RealtimeError } from '../errors.js'
import { findArgumentProblem, prepareArguments } from './arguments.js'
import type { CharacterData } from './schema.js'
import type { Character, CharacterTool, CharacterExample, Instructions, Voice } from './character.js'
import type { Calls } from './calls.js'
import type { Picture } from './cards/picture.js'
import type { CardCharacter } from './cards/card-character.js'
import type { Definition } from './card-module.js'
import type { CharacterPrompt, History, LoadedCharacter, OfferedTool } from './loaded-character.js'

export class ModuleCharacter implements LoadedCharacter {
  readonly picture: Picture | undefined
  /** Name of its file in the cast's directory. */
  readonly file: string
  readonly name: string
  readonly voice: Voice
  readonly #character: Character
  readonly #calls: Calls
  /** The card that the module is made of. */
  readonly #card: CardCharacter | undefined
  /** What the module itself says, as its author wrote it. */
  readonly given: Partial<Character>
  #tools: readonly OfferedTool[] | undefined

  constructor (file: string, { character, given }: Omit<Definition, 'card'>, calls: Calls, { picture, card }: { picture?: Picture | undefined, card?: CardCharacter | undefined } = {}) {
    this.picture = picture
    this.given = given
    this.#card = card
    this.file = file
    this.name = character.name
    this.voice = character.voice
    this.#character = character
    this.#calls = calls
  }

  get instructions (): Instructions { return this.#character.instructions }
  get metadata (): CharacterData['metadata'] { return this.#character.metadata }
  get examples (): readonly CharacterExample[] | undefined { return this.#character.examples ?? this.#card?.examples }
  get greeting (): string | undefined { return this.#character.greeting ?? this.#card?.greeting }
  get llm (): CharacterData['llm'] { return this.#character.llm }
  get tts (): CharacterData['tts'] { return this.#character.tts }
  get temperature (): number | undefined { return this.#character.temperature }

  get greetingCount (): number {
    return Math.max(this.#card?.greetingCount ?? 0, this.greeting === undefined ? 0 : 1)
  }

  get tools (): readonly OfferedTool[] {
    if (this.#tools === undefined) {
      this.#tools = (this.#character.tools ?? []).map(({ name, description, parameters }) => ({ name, description, parameters }))
      prepareArguments(this.#tools.map(({ parameters }) => parameters))
    }
    return this.#tools
  }

  greet (number: number): string | undefined {
    if (number === 0 && this.#character.greeting !== undefined) return this.greeting
    return this.#card === undefined ? undefined : this.#card.greet(number)
  }

  async prompt (signal: AbortSignal, history: History): Promise<CharacterPrompt> {
    if (this.#card !== undefined) {
      const prompt = await this.#card.prompt(signal, history, await this.ownPrompt(signal))
      return { ...prompt, examples: this.examples ?? [] }
    }
    return { system: await this.systemPrompt(signal), examples: this.examples ?? [], notes: [] }
  }

  async systemPrompt (signal: AbortSignal): Promise<string> {
    if (this.#card === undefined) return await this.#callPrompt(signal)
    return (await this.#card.prompt(signal, () => [], await this.ownPrompt(signal))).system
  }

  /** What its own code says; with a card, in place of that one's `system_prompt`. */
  async ownPrompt (signal: AbortSignal): Promise<string | undefined> {
    return this.given.systemPrompt === undefined ? undefined : await this.#callPrompt(signal)
  }

  async #callPrompt (signal: AbortSignal): Promise<string> {
    const { instructions } = this.#character
    return await this.#calls.run({
      character: this,
      what: 'systemPrompt',
      kind: 'prompt',
      signal,
      instructions,
      invoke: context => this.#character.systemPrompt(context),
      check: result => typeof result === 'string' ? undefined : `systemPrompt must return a string, not ${result === null ? 'null' : typeof result}.`
    }) as string
  }

  async runTool (name: string, args: unknown, signal: AbortSignal): Promise<unknown> {
    const { instructions, tools = [] } = this.#character
    const tool = tools.find(tool => tool.name === name) as CharacterTool | undefined
    const problem = tool === undefined ? undefined : findArgumentProblem(tool.parameters, args)
    if (problem !== undefined) throw new RealtimeError('invalid_value', { message: problem })
    return await this.#calls.run({
      character: this,
      what: `tool '${name}'`,
      kind: 'tool',
      signal,
      instructions,
      missing: tool === undefined,
      invoke: context => tool!.run(args, context)
    })
  }

  get disposable (): boolean { return this.#character.dispose !== undefined }

  dispose (): unknown {
    return this.#character.dispose?.()
  }
}

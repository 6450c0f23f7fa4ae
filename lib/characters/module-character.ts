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
import type { CharacterPrompt, LoadedCharacter, OfferedTool } from './loaded-character.js'

export class ModuleCharacter implements LoadedCharacter {
  readonly picture: Picture | undefined
  /** Name of its file in the cast's directory. */
  readonly file: string
  readonly name: string
  readonly voice: Voice
  readonly #character: Character
  readonly #calls: Calls
  #tools: readonly OfferedTool[] | undefined

  constructor (file: string, character: Character, calls: Calls, picture?: Picture) {
    this.picture = picture
    this.file = file
    this.name = character.name
    this.voice = character.voice
    this.#character = character
    this.#calls = calls
  }

  get instructions (): Instructions { return this.#character.instructions }
  get metadata (): CharacterData['metadata'] { return this.#character.metadata }
  get examples (): readonly CharacterExample[] | undefined { return this.#character.examples }
  get greeting (): string | undefined { return this.#character.greeting }
  get llm (): CharacterData['llm'] { return this.#character.llm }
  get tts (): CharacterData['tts'] { return this.#character.tts }
  get temperature (): number | undefined { return this.#character.temperature }

  get greetingCount (): number { return this.greeting === undefined ? 0 : 1 }

  get tools (): readonly OfferedTool[] {
    if (this.#tools === undefined) {
      this.#tools = (this.#character.tools ?? []).map(({ name, description, parameters }) => ({ name, description, parameters }))
      prepareArguments(this.#tools.map(({ parameters }) => parameters))
    }
    return this.#tools
  }

  greet (number: number): string | undefined {
    return number === 0 ? this.greeting : undefined
  }

  async prompt (signal: AbortSignal): Promise<CharacterPrompt> {
    return { system: await this.systemPrompt(signal), examples: this.examples ?? [], notes: [] }
  }

  async systemPrompt (signal: AbortSignal): Promise<string> {
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

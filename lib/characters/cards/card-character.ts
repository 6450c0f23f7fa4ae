/** A card as one session sees it. There is no code behind it: a session's own part is a seed, a memory and a greeting. */
import type { CharacterExample, SessionFacts } from '../character.js'
import type { CharacterPrompt, History, LoadedCharacter } from '../loaded-character.js'
import type { Card } from './card.js'
import { compose, DEFAULT_USER } from './compose.js'
import { LoreMemory } from './lorebook.js'
import type { Picture } from './picture.js'
import { expand, type MacroScope } from './macros.js'

/** How long all patterns of a lorebook may take in one message. Milliseconds. */
const PATTERN_MS = 20

export interface CardHost {
  readonly session: SessionFacts
  /** Calls what is interrupted after so many milliseconds, and throws then. */
  guard (ms: number, call: () => void): void
}

export class CardCharacter implements LoadedCharacter {
  readonly file: string
  readonly picture: Picture | undefined
  readonly tools = []
  readonly disposable = false
  readonly #card: Card
  readonly #host: CardHost
  #memory: LoreMemory | undefined
  #greeting = 0

  constructor (file: string, card: Card, picture: Picture | undefined, host: CardHost) {
    this.file = file
    this.picture = picture
    this.#card = card
    this.#host = host
  }

  get name (): string { return this.#card.name }
  get voice (): Card['voice'] { return this.#card.voice }
  get metadata (): Card['metadata'] { return this.#card.metadata }
  get llm (): Card['llm'] { return this.#card.llm }
  get tts (): Card['tts'] { return this.#card.tts }
  get temperature (): number | undefined { return this.#card.temperature }

  get instructions (): { prompt: string, language?: string } {
    const { description, language } = this.#card
    return { prompt: description, ...language === undefined ? {} : { language } }
  }

  get examples (): readonly CharacterExample[] {
    const scope = this.#scope()
    return this.#card.examples.map(example => ({ ...example, user: expand(example.user, scope), character: expand(example.character, scope) }))
  }

  get greetingCount (): number {
    return this.#card.greetings.filter(text => text.trim() !== '').length
  }

  get greeting (): string | undefined {
    const text = expand(this.#card.greetings[0] ?? '', this.#scope()).trim()
    return text === '' ? undefined : text
  }

  greet (number: number): string | undefined {
    const text = expand(this.#card.greetings[number] ?? '', this.#scope()).trim()
    if (text === '') return undefined
    this.#greeting = number
    return text
  }

  /** @param system in place of the card's `system_prompt` */
  async prompt (signal: AbortSignal, history: History, system?: string): Promise<CharacterPrompt> {
    signal.throwIfAborted()
    const { lorebook } = this.#card
    const lore = lorebook === undefined
      ? []
      : lorebook.find({
        messages: history(),
        memory: this.#memory ??= new LoreMemory(),
        greeting: this.#greeting,
        guard: call => this.#host.guard(PATTERN_MS, call)
      })
    return { ...compose(system === undefined ? this.#card : { ...this.#card, system }, lore, this.#scope()), examples: this.examples }
  }

  async systemPrompt (signal: AbortSignal): Promise<string> {
    return (await this.prompt(signal, () => [])).system
  }

  async runTool (name: string): Promise<unknown> {
    throw new Error(`A card has no tools, such as ${name}.`)
  }

  dispose (): void {}

  #scope (): MacroScope {
    const { session } = this.#host
    return {
      char: this.#card.nickname,
      user: session.userName ?? DEFAULT_USER,
      seed: `${session.id}\n${this.#card.name}`,
      now: new Date(),
      language: this.#card.language ?? session.language
    }
  }
}

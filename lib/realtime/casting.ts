import { RealtimeError } from '../errors.js'
import type { CharacterRegistry } from '../characters/registry.js'
import type { LoadedCharacter } from '../characters/loaded-character.js'
import type { TtsEngine } from '../engines/engine.js'
import type { SessionUpdate } from './events/session-object.js'
import { namedVoice } from './overrides.js'

/** Voice names of the hosted API: every client may use them, whatever engine speaks. */
export const STOCK_VOICES = ['alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', 'verse', 'marin', 'cedar'] as const
const DEFAULT_VOICE = 'alloy'

/** Who speaks, and with what sound: a plain voice given after the character replaces only its sound. */
interface Selection {
  readonly character: LoadedCharacter | null
  readonly plainVoice: string | null
  /** Whether the client chose; the server's own choice gives way to a client's instructions. */
  readonly chosen: boolean
}

/** A choice as JSON keeps it, the character by its name. */
export interface SavedSelection { character: string | null, plainVoice: string | null, chosen: boolean }

/** Which character of the registry a session speaks as (ARCHITECTURE: Selecting). */
export class Casting {
  readonly #registry: CharacterRegistry
  readonly #tts: TtsEngine
  readonly #defaultCharacter: string | null | undefined
  #selection: Selection

  /** @param defaultCharacter a name, `null` for nobody, `undefined` for the first of the cast */
  constructor (registry: CharacterRegistry, tts: TtsEngine, defaultCharacter: string | null | undefined) {
    this.#registry = registry
    this.#tts = tts
    this.#defaultCharacter = defaultCharacter
    this.#selection = { character: this.#default(), plainVoice: null, chosen: false }
  }

  get character (): LoadedCharacter | null {
    return this.#selection.character
  }

  /** `session.audio.output.voice`: the selected character's name, or a plain voice. */
  get voice (): string {
    return this.#selection.plainVoice ?? this.#selection.character?.name ?? DEFAULT_VOICE
  }

  /** The same object until another one is made. */
  get selection (): object {
    return this.#selection
  }

  save (): SavedSelection {
    const { character, plainVoice, chosen } = this.#selection
    return { character: character?.name ?? null, plainVoice, chosen }
  }

  /** Takes up a choice that was made elsewhere; a character that this cast has not gives way to the default. */
  restore ({ character: name, plainVoice, chosen }: SavedSelection): void {
    const character = name === null ? null : this.#registry.find(name)
    this.#selection = character === undefined ? { character: this.#default(), plainVoice, chosen: false } : { character, plainVoice, chosen }
  }

  /** The client names a character at connect. */
  select (name: string, param = 'session.character'): void {
    this.#selection = { character: this.#find(name, param), plainVoice: null, chosen: true }
  }

  names (): string[] {
    return this.#registry.names()
  }

  /** A character of the cast, or nobody. Throws `invalid_value` if there is none of this name. */
  named (name: string | null, param: string): LoadedCharacter | null {
    return name === null ? null : this.#find(name, param)
  }

  /** The one that was spoken to, if it is another than the selected one and still there; else the selected one. */
  addressed (name: string | null | undefined): LoadedCharacter | null {
    if (name === undefined || name === null || name === this.character?.name) return this.character
    return this.#registry.find(name) ?? this.character
  }

  /** What a character's voice is called; the selected one's may be a plain one. */
  voiceOf (character: LoadedCharacter | null): string {
    return character === this.character ? this.voice : character?.name ?? DEFAULT_VOICE
  }

  /** What an update selects. Throws, and changes nothing, if it names what does not exist; else returns how to apply it. */
  prepare (update: SessionUpdate): () => void {
    let next = this.#selection
    const { character } = update
    const voice = update.audio?.output?.voice
    if (character === null) next = { character: null, plainVoice: next.plainVoice, chosen: true }
    else if (character !== undefined) next = { character: this.#find(character, 'session.character'), plainVoice: null, chosen: true }
    if (voice !== undefined) next = this.#withVoice(next, typeof voice === 'string' ? voice : voice.id)
    if (update.instructions && !next.chosen) next = { ...next, character: null }
    return () => { this.#selection = next }
  }

  /** After a reload: the selected character by its name in the new cast, else the default again. */
  carryOver (): void {
    const { character, plainVoice, chosen } = this.#selection
    if (character === null && chosen) return
    const same = character === null ? undefined : this.#registry.find(character.name)
    if (same !== undefined) this.#selection = { character: same, plainVoice, chosen }
    else if (character !== null) this.#selection = { character: this.#default(), plainVoice, chosen: false }
  }

  /** The TTS engine's name for a voice: the one in use, or one that a response asks for. */
  engineVoice (voice: string = this.voice): string {
    const character = voice === this.#selection.character?.name ? this.#selection.character : this.#registry.find(voice)
    const { voices } = this.#tts
    if (character !== undefined) return namedVoice(character, this.#tts) ?? this.#ownVoice(character)
    return voices.includes(voice) || voices.length === 0 ? voice : pick(voices, voice)
  }

  /** Whether a name can be a response's voice; throws the error for it. */
  checkVoice (voice: string, param: string): void {
    if (this.#registry.find(voice) === undefined && !this.#isPlain(voice)) throw this.#unknown(voice, param)
  }

  #withVoice (selection: Selection, voice: string): Selection {
    const character = this.#registry.find(voice)
    if (character !== undefined) return { character, plainVoice: null, chosen: true }
    if (!this.#isPlain(voice)) throw this.#unknown(voice, 'session.audio.output.voice')
    return { ...selection, plainVoice: voice }
  }

  #find (name: string, param: string): LoadedCharacter {
    const character = this.#registry.find(name)
    if (character === undefined) throw this.#unknown(name, param)
    return character
  }

  #default (): LoadedCharacter | null {
    if (this.#defaultCharacter === null) return null
    const named = this.#defaultCharacter === undefined ? undefined : this.#registry.find(this.#defaultCharacter)
    return named ?? this.#registry.first() ?? null
  }

  #isPlain (voice: string): boolean {
    return (STOCK_VOICES as readonly string[]).includes(voice) || this.#tts.voices.includes(voice)
  }

  /** A voice for a character that names none: always the same one, and no other's of the cast while there are enough. */
  #ownVoice (character: LoadedCharacter): string {
    const { voices } = this.#tts
    if (voices.length === 0) return DEFAULT_VOICE
    const taken = new Set<string>()
    const without: string[] = []
    for (const name of this.#registry.names()) {
      const wanted = namedVoice(this.#registry.find(name)!, this.#tts)
      if (wanted !== undefined) taken.add(wanted)
      else without.push(name)
    }
    for (const name of without) {
      const free = voices.filter(voice => !taken.has(voice))
      const voice = pick(free.length > 0 ? free : voices, name)
      if (name === character.name) return voice
      taken.add(voice)
    }
    return voices[0]!
  }

  #unknown (name: string, param: string): RealtimeError {
    const names = [...this.#registry.names(), ...STOCK_VOICES]
    return new RealtimeError('invalid_value', {
      param,
      message: `Invalid value: '${name.slice(0, 64)}'. Supported values are: ${names.map(known => `'${known}'`).join(', ')}.`
    })
  }
}

function pick (voices: readonly string[], name: string): string {
  let hash = 0
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)!) >>> 0
  return voices[hash % voices.length]!
}

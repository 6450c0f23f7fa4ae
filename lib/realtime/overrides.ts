import type { LoadedCharacter } from '../characters/loaded-character.js'
import type { LlmRequest, TtsEngine, TtsOptions } from '../engines/engine.js'

/** 0.25..1.5 of the normal pace, as the protocol bounds it. */
const SPEED = { min: 0.25, max: 1.5 }

/** What a character wants of the language model; nothing, if it means another engine than the one in use. */
export function llmOverrides (character: LoadedCharacter | null, engine: string): Pick<LlmRequest, 'model' | 'temperature' | 'extra'> {
  const { model, ...extra } = meant(character?.llm, engine)
  return { model: textOr(model), temperature: character?.temperature, extra }
}

/** The same for speech, its voice aside; `speed` is the client's wish, which applies to the character's own pace. */
export function ttsOverrides (character: LoadedCharacter | null, engine: string, speed: number): Pick<TtsOptions, 'model' | 'instructions' | 'speed' | 'extra'> {
  const { voice: _, speed: pace, model, instructions, ...extra } = meant(character?.tts, engine)
  const wanted = speed * (typeof pace === 'number' ? pace : 1)
  return { model: textOr(model), instructions: textOr(instructions), speed: Math.min(SPEED.max, Math.max(SPEED.min, wanted)), extra }
}

/** The voice that a character names for an engine, if it is there. */
export function namedVoice ({ tts, voice }: LoadedCharacter, engine: TtsEngine): string | undefined {
  const { name, voices, openVoices } = engine
  const wanted = [textOr(meant(tts, name).voice), textOr(voice.engines?.[name as 'local']), engine.voicePath?.(voice.path) === true ? voice.path : undefined]
  return wanted.find(one => one !== undefined && (openVoices === true || voices.length === 0 || voices.includes(one)))
}

function meant (overrides: object | undefined, name: string): Record<string, unknown> {
  const { engine, ...rest } = (overrides ?? {}) as Record<string, unknown>
  return engine === undefined || engine === name ? rest : {}
}

function textOr (value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

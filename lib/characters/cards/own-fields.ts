/** What a card says to this server alone: `data.extensions.dramatis` of a card, `settings.dramatis` of an eliza character. */
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { CharacterSchema, FileVoiceSchema, FreesoundVoiceSchema } from '../schema.js'
import type { Voice } from '../character.js'
import type { Card } from './card.js'
import type { Fields } from './fields.js'
import { CardProblem } from './problem.js'

const checks = {
  file: TypeCompiler.Compile(FileVoiceSchema),
  freesound: TypeCompiler.Compile(FreesoundVoiceSchema),
  llm: TypeCompiler.Compile(CharacterSchema.properties.llm),
  tts: TypeCompiler.Compile(CharacterSchema.properties.tts)
}

export type OwnFields = Pick<Card, 'voice' | 'language' | 'llm' | 'tts' | 'temperature'> & { good: boolean | undefined }

/** @param path of the voice, if the card has none: a client may select the character by it */
export function readOwnFields (fields: Fields | undefined, path: string): OwnFields {
  const given = fields?.object('voice')
  const check = given?.['source'] === 'freesound' ? checks.freesound : checks.file
  if (given !== undefined && !check.Check(given)) throw wrong(fields!, ['voice', ...pathOf(check.Errors(given).First()?.path)])
  const language = fields?.text('language') ?? ''
  const temperature = fields?.number('temperature')
  if (temperature !== undefined && (temperature < 0 || temperature > 2)) throw wrong(fields!, ['temperature'])
  return {
    voice: given as Voice | undefined ?? { source: 'file', path },
    language: language.trim() === '' ? undefined : language.trim(),
    llm: overrides('llm'),
    tts: overrides('tts'),
    temperature,
    good: fields?.flag('good')
  }

  function overrides<K extends 'llm' | 'tts'> (key: K): Card[K] {
    const value = fields?.object(key)
    if (value !== undefined && !checks[key].Check(value)) throw wrong(fields!, [key, ...pathOf(checks[key].Errors(value).First()?.path)])
    return value as Card[K]
  }
}

function pathOf (pointer: string | undefined): string[] {
  return (pointer ?? '').split('/').slice(1)
}

function wrong (fields: Fields, path: string[]): CardProblem {
  return fields.wrong(path, 'what characters.md says', undefined)
}

import { Type, type TSchema } from '@sinclair/typebox'

type Stage = 'LLM' | 'STT' | 'TTS'

const Milliseconds = (description: string) => Type.Integer({ minimum: 100, maximum: 600_000, description })

/** What may be said of each engine: option (lib/options.ts), and what follows the engine's name in the variable. */
const guarded: Readonly<Record<string, { suffix: string, schema: TSchema }>> = {
  connectTimeoutMs: { suffix: 'CONNECT_TIMEOUT_MS', schema: Milliseconds('To connect.') },
  firstResultTimeoutMs: { suffix: 'FIRST_RESULT_TIMEOUT_MS', schema: Milliseconds('For the first result, once it is owed.') },
  stallTimeoutMs: { suffix: 'STALL_TIMEOUT_MS', schema: Milliseconds('Between two results.') },
  retries: { suffix: 'RETRIES', schema: Type.Integer({ minimum: 0, maximum: 10, description: 'Further attempts before the first result.' }) },
  breakerFaults: { suffix: 'BREAKER_FAULTS', schema: Type.Integer({ minimum: 0, maximum: 1000, description: 'Faults in a row until it is left alone; 0 is never.' }) },
  breakerSeconds: { suffix: 'BREAKER_SECONDS', schema: Type.Number({ minimum: 0.1, maximum: 3600, description: 'How long it is left alone.' }) }
}

/** Of the engine that stands in. */
const standIn: Readonly<Record<string, { suffix: string, schema: TSchema }>> = {
  engine: { suffix: 'FALLBACK_ENGINE', schema: Type.String({ description: 'Stands in for one that fails; any of the engine\'s own names.' }) },
  baseUrl: { suffix: 'FALLBACK_BASE_URL', schema: Type.String({ pattern: '^https?://', expected: 'a URL that starts with http:// or https://' }) },
  apiKey: { suffix: 'FALLBACK_API_KEY', schema: Type.String() },
  model: { suffix: 'FALLBACK_MODEL', schema: Type.String() }
}

/** The variables of all engines, for the schema of the environment. */
export const guardVariables: Record<string, TSchema> = Object.fromEntries((['LLM', 'STT', 'TTS'] as const).flatMap(stage =>
  [...Object.values(guarded), ...Object.values(standIn)].map(({ suffix, schema }) => [`${stage}_${suffix}`, Type.Optional(schema)])))

/** The options of one engine that its variables set. */
export function guardOptions (values: Record<string, unknown>, stage: Stage): Record<string, unknown> {
  const pick = (fields: typeof guarded) => Object.entries(fields)
    .map(([option, { suffix }]) => [option, values[`${stage}_${suffix}`]] as const).filter(([, value]) => value !== undefined)
  const fallback = pick(standIn)
  return { ...Object.fromEntries(pick(guarded)), ...fallback.length === 0 ? {} : { fallback: Object.fromEntries(fallback) } }
}

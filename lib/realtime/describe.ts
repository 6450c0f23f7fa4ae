import type { CharacterRegistry } from '../characters/registry.js'
import type { Engines } from '../engines/engine.js'
import type { Casting } from './casting.js'
import type { SessionObject, TranscriptionSessionObject } from './events/session-object.js'
import type { Settings } from './settings.js'

export interface Described {
  id: string
  model: string
  /** Unix seconds. */
  expiresAt: number
  settings: Settings
  casting: Casting
  registry: CharacterRegistry
  engines: Engines
}

/** A session as its client sees it, with all keys (PROTOCOL section 3). */
export function describeSession (of: Described): SessionObject {
  // Typed as the session that nearly everybody has: see AnySessionObject.
  return of.settings.type === 'realtime' ? realtime(of) : transcription(of) as unknown as SessionObject
}

function realtime ({ id, model, expiresAt, settings, casting, registry, engines }: Described): SessionObject {
  const { input, output, parallel_tool_calls: parallel, reasoning } = settings
  return {
    type: 'realtime',
    object: 'realtime.session',
    id,
    model,
    output_modalities: settings.output_modalities,
    instructions: settings.instructions,
    tools: settings.tools,
    tool_choice: settings.tool_choice,
    ...parallel === undefined ? {} : { parallel_tool_calls: parallel },
    ...reasoning === undefined ? {} : { reasoning },
    max_output_tokens: settings.max_output_tokens,
    tracing: settings.tracing,
    truncation: settings.truncation,
    prompt: settings.prompt,
    expires_at: expiresAt,
    audio: { input, output: { format: output.format, voice: casting.voice, speed: output.speed } },
    include: settings.include,
    characters: registry.names(),
    character: casting.character?.name ?? null,
    character_tools: settings.character_tools,
    memory: settings.memory,
    hand_over: settings.hand_over,
    ...settings.user_name === null ? {} : { user_name: settings.user_name },
    engines: { stt: engines.stt.name, llm: engines.llm.name, tts: engines.tts.name }
  }
}

/** Its turn detection answers nobody: it has no parameters that are about responses. */
function transcription ({ id, expiresAt, settings: { input, include } }: Described): TranscriptionSessionObject {
  const { turn_detection: detection } = input
  return {
    type: 'transcription',
    object: 'realtime.transcription_session',
    id,
    expires_at: expiresAt,
    audio: {
      input: {
        ...input,
        turn_detection: detection?.type === 'server_vad'
          ? {
              type: detection.type,
              threshold: detection.threshold,
              prefix_padding_ms: detection.prefix_padding_ms,
              silence_duration_ms: detection.silence_duration_ms
            }
          : detection && { type: detection.type, eagerness: detection.eagerness }
      }
    },
    include
  }
}

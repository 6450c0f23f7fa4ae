import type { Engine, Engines, LlmEngine, LlmEvent, LlmRequest, SpeechChunk, SpeechFrame, SttEngine, TranscriptChunk, TtsEngine, VadEngine } from '../engine.js'
import { Breaker, type CircuitState } from './breaker.js'
import { checkEvent, checkFrame, checkSpeech, checkTranscript } from './checks.js'
import { Pace } from './pace.js'
import { defaultPolicies, type Policy, type Stage } from './policy.js'
import { Replay } from './replay.js'
import { guardStream, type Candidate, type GuardObserver } from './stream.js'
import { DetectionWork, owesAlways, SpeechWork, TranscriptWork, type Work } from './work.js'

/** How much of the input of a failed attempt is kept for the next: two minutes of audio, and more text than is spoken in one answer. */
const AUDIO_KEPT = 120 * 24_000
const TEXT_KEPT = 100_000

/** Engines that stand in, where there are any. */
export type Fallbacks = Partial<Pick<Engines, 'stt' | 'llm' | 'tts'>>

export interface GuardOptions {
  engines: Engines
  fallbacks?: Fallbacks | undefined
  policies?: Partial<Record<Stage, Partial<Policy>>> | undefined
  observer?: GuardObserver & { circuit? (stage: Stage, state: CircuitState): void } | undefined
}

export interface Guard {
  /** The same engines, each of whose streams is held to deadlines, tried again, and handed to its stand-in. */
  engines: Engines
  /** Circuits that are not closed. */
  circuits (): Partial<Record<Stage, CircuitState>>
  /** How far the engines of this machine are behind. Milliseconds. */
  lag (stage: Stage): number
  /** Streams under way. */
  readonly streams: number
}

export function guardEngines ({ engines, fallbacks = {}, policies = {}, observer = {} }: GuardOptions): Guard {
  const pace = new Pace()
  const breakers = new Map<Stage, Breaker>()

  /** What all streams of a stage share. */
  function share<E extends Engine> (stage: Stage, primary: E, fallback: E | undefined) {
    const create = (engine: E, rank: number) => {
      const policy = { ...defaultPolicies[stage], ...engine.policy, ...defined(rank === 0 ? policies[stage] : undefined) }
      const breaker = new Breaker({
        faults: policy.breakerFaults,
        restMs: policy.breakerSeconds * 1000,
        onChange: rank === 0 ? state => observer.circuit?.(stage, state) : undefined
      })
      if (rank === 0) breakers.set(stage, breaker)
      return { engine, policy, breaker }
    }
    const all = [primary, ...fallback === undefined ? [] : [fallback]].map(create)
    return {
      base: {
        name: primary.name,
        check: async (signal: AbortSignal) => {
          const asked = async (engine: E) => { await engine.check?.(signal) }
          if (all[0]!.breaker.state === 'closed') await (fallback === undefined ? asked(primary) : asked(primary).catch(() => asked(fallback)))
          else if (fallback === undefined) throw all[0]!.breaker.lastFault
          else await asked(fallback)
        }
      },
      candidates: <In, Out>(open: (engine: E, signal: AbortSignal, work: Work<In, Out>) => AsyncIterable<Out>): Candidate<In, Out>[] =>
        all.map(({ engine, policy, breaker }) => ({ engine: engine.name, policy, breaker, open: (signal, work) => open(engine, signal, work) }))
    }
  }

  function vad (engine: VadEngine): VadEngine {
    const { base, candidates } = share('vad', engine, undefined)
    return {
      ...base,
      detect (audio, { signal }) {
        const input = new Replay(audio, 0)
        return guardStream<Int16Array, SpeechFrame>({
          stage: 'vad',
          signal,
          pace,
          observer,
          input,
          check: checkFrame,
          counts: () => true,
          work: () => new DetectionWork(),
          candidates: candidates((engine, signal, work) => engine.detect(input.read(work), { signal }))
        })
      }
    }
  }

  function stt (primary: SttEngine, fallback: SttEngine | undefined): SttEngine {
    const { base, candidates } = share('stt', primary, fallback)
    return {
      ...base,
      transcribe (audio, { signal, ...options }) {
        const input = new Replay(audio, AUDIO_KEPT)
        return guardStream<Int16Array, TranscriptChunk>({
          stage: 'stt',
          signal,
          pace,
          observer,
          input,
          check: checkTranscript,
          counts: chunk => chunk.delta !== '',
          work: () => new TranscriptWork(),
          candidates: candidates((engine, signal, work) =>
            engine.transcribe(input.read(work), { ...options, model: engine === primary ? options.model : undefined, signal }))
        })
      }
    }
  }

  function llm (primary: LlmEngine, fallback: LlmEngine | undefined): LlmEngine {
    const { base, candidates } = share('llm', primary, fallback)
    return {
      ...base,
      // Both may be known only once it has started.
      get name () { return primary.name },
      get model () { return primary.model },
      generate (request: LlmRequest, { signal }) {
        return guardStream<never, LlmEvent>({
          stage: 'llm',
          signal,
          pace,
          observer,
          check: checkEvent,
          counts: () => true,
          work: () => owesAlways,
          candidates: candidates((engine, signal) =>
            // A model that is named is one of the first engine's.
            engine.generate(engine === primary ? request : { ...request, model: undefined, extra: undefined }, { signal }))
        })
      }
    }
  }

  function tts (primary: TtsEngine, fallback: TtsEngine | undefined): TtsEngine {
    const { base, candidates } = share('tts', primary, fallback)
    return {
      ...base,
      get voices () { return primary.voices },
      get openVoices () { return primary.openVoices === true },
      voicePath: path => primary.voicePath?.(path) === true,
      synthesize (text, { signal, ...options }) {
        const input = new Replay(text, TEXT_KEPT)
        return guardStream<string, SpeechChunk>({
          stage: 'tts',
          signal,
          pace,
          observer,
          input,
          check: checkSpeech,
          counts: () => true,
          work: () => new SpeechWork(),
          candidates: candidates((engine, signal, work) => {
            // What a character wishes of the first engine says nothing to a stand-in.
            const wishes = engine === primary ? {} : { voice: voiceOf(engine, options.voice), model: undefined, extra: undefined }
            return engine.synthesize(input.read(work), { ...options, ...wishes, signal })
          })
        })
      }
    }
  }

  return {
    engines: { vad: vad(engines.vad), stt: stt(engines.stt, fallbacks.stt), llm: llm(engines.llm, fallbacks.llm), tts: tts(engines.tts, fallbacks.tts) },
    circuits: () => Object.fromEntries([...breakers].filter(([, { state }]) => state !== 'closed').map(([stage, { state }]) => [stage, state])),
    lag: stage => pace.lag(stage),
    get streams () { return pace.size }
  }
}

/** A stand-in's voice for one that only the first engine may have: always the same one. */
function voiceOf ({ voices }: TtsEngine, wanted: string): string {
  if (voices.length === 0 || voices.includes(wanted)) return wanted
  let hash = 0
  for (const letter of wanted) hash = (hash * 31 + letter.codePointAt(0)!) >>> 0
  return voices[hash % voices.length]!
}

function defined<T extends object> (fields: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>
}

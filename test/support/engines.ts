import type { Engines, LlmEngine, LlmEvent, LlmRequest, SttEngine, TtsEngine, VadEngine } from '../../lib/engines/engine.js'

/** What a scripted model does when asked: its events, given the request. */
export type Script = (request: LlmRequest, signal: AbortSignal) => Iterable<LlmEvent> | AsyncIterable<LlmEvent>

/** Answers `You said: …`. */
export const echo: Script = ({ messages }) => {
  const last = messages.findLast(message => message.role === 'user')
  return says(`You said: ${typeof last?.content === 'string' ? last.content : ''}`)
}

/** A plain answer, word by word. */
export function * says (text: string): Iterable<LlmEvent> {
  for (const delta of text.match(/\s*\S+/g) ?? []) yield { type: 'text', delta }
  yield { type: 'end', reason: 'stop', usage: { inputTokens: 7, outputTokens: 3 } }
}

/** A call of one tool. */
export function * calls (name: string, args: object, id = 'call_1'): Iterable<LlmEvent> {
  yield { type: 'tool_call', index: 0, id, name }
  yield { type: 'tool_arguments', index: 0, delta: JSON.stringify(args) }
  yield { type: 'end', reason: 'tool_calls' }
}

/** Settles never, but for the signal: how an engine hangs. */
export function hang (signal: AbortSignal): Promise<never> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Says one sentence and starts another, until somebody stops it. */
export const endless: Script = async function * (request, signal) {
  yield { type: 'text', delta: 'This is the first sentence of many. ' }
  yield { type: 'text', delta: 'And this ' }
  await hang(signal)
}

export interface ScriptedLlm extends LlmEngine {
  readonly requests: LlmRequest[]
}

export function scriptedLlm (script: Script = echo): ScriptedLlm {
  const requests: LlmRequest[] = []
  return {
    name: 'scripted',
    model: 'script',
    requests,
    async * generate (request, { signal }) {
      requests.push(request)
      yield * script(request, signal)
    }
  }
}

/** Speaks each piece as 20 ms of a tone for every letter. */
export function toneTts (): TtsEngine {
  return {
    name: 'tone',
    voices: ['low', 'high'],
    async * synthesize (text, { signal }) {
      for await (const piece of text) {
        signal.throwIfAborted()
        for (let at = 0; at < piece.length; at += 10) {
          yield { text: at === 0 ? piece : '', audio: new Int16Array(Math.min(10, piece.length - at) * 480).fill(1000) }
        }
      }
    }
  }
}

/** Hears `<n> ms of audio`. */
export function countingStt (): SttEngine {
  return {
    name: 'counting',
    async * transcribe (audio, { signal }) {
      let samples = 0
      for await (const chunk of audio) samples += chunk.length
      signal.throwIfAborted()
      yield { delta: `${Math.round(samples / 24)} ms` }
      yield { delta: ' of audio' }
    }
  }
}

/** Takes every sample above a tenth of full scale for speech. */
export function loudnessVad (): VadEngine {
  const FRAME = 768
  return {
    name: 'loudness',
    async * detect (audio) {
      let position = 0
      let rest = new Int16Array(0)
      for await (const chunk of audio) {
        const samples = new Int16Array(rest.length + chunk.length)
        samples.set(rest)
        samples.set(chunk, rest.length)
        let at = 0
        for (; at + FRAME <= samples.length; at += FRAME) {
          position += FRAME
          yield { position, probability: samples.subarray(at, at + FRAME).some(sample => sample > 3276) ? 1 : 0 }
        }
        rest = samples.slice(at)
      }
    }
  }
}

export function cannedEngines (script?: Script): Engines & { llm: ScriptedLlm } {
  return { vad: loudnessVad(), stt: countingStt(), llm: scriptedLlm(script), tts: toneTts() }
}

/** Samples of silence, or of a sound that the loudness detector takes for speech. */
export function tone (ms: number, level = 8000): Int16Array {
  return new Int16Array(ms * 24).fill(level)
}

export function base64 (samples: Int16Array): string {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString('base64')
}

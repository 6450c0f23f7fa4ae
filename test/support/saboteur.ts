import { EngineError, type Engines } from '../../lib/engines/engine.js'

export const stages = ['vad', 'stt', 'llm', 'tts'] as const
export type Stage = typeof stages[number]

/** `throw`: fails; `end`: ends in good order, too early; `garble`: says something of the wrong kind; `hang`: never says anything again, whatever its signal says. */
export const manners = ['throw', 'end', 'garble', 'hang'] as const

export interface Fault {
  stage: Stage
  /** Which of the engine's messages is cut, counted from when the fault is armed. */
  at: number
  manner: typeof manners[number]
}

/** Cuts one stream of one engine at one of its messages, once. */
export class Saboteur {
  #fault: Fault | null = null
  /** Faults that have happened. */
  struck = 0

  arm (fault: Fault): void {
    this.#fault = { ...fault }
  }

  /** Whether the fault has happened; takes it back if not. */
  disarm (): boolean {
    const struck = this.#fault === null
    this.#fault = null
    return struck
  }

  /** The same engines, at its mercy. Their deadlines are short. */
  wrap ({ vad, stt, llm, tts }: Engines): Engines {
    const policy = { firstResultTimeoutMs: 500, stallTimeoutMs: 500 }
    return {
      vad: { ...vad, policy, detect: (audio, options) => this.#cut('vad', vad.detect(audio, options)) },
      stt: { ...stt, policy, transcribe: (audio, options) => this.#cut('stt', stt.transcribe(audio, options)) },
      llm: { ...llm, policy, generate: (request, options) => this.#cut('llm', llm.generate(request, options)) },
      tts: { ...tts, policy, synthesize: (text, options) => this.#cut('tts', tts.synthesize(text, options)) }
    }
  }

  async * #cut<T> (stage: Stage, messages: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const message of messages) {
      const fault = this.#fault
      if (fault?.stage !== stage || fault.at-- > 0) {
        yield message
        continue
      }
      this.#fault = null
      this.struck++
      if (fault.manner === 'throw') throw new EngineError('engine_failed', stage, `The ${stage} was cut.`)
      if (fault.manner === 'end') return
      if (fault.manner === 'hang') await new Promise(() => {})
      yield { nothing: 'of use' } as T
    }
  }
}

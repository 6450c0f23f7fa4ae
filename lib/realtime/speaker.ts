import type { AnswerScope } from './answer.js'
import { splitClauses } from './clauses.js'
import { AudioMessage, type TextMessage } from './output-items.js'
import type { ResponsePlan } from './response.js'

/**
 * Brings a response's messages to the client one after another, in writing or aloud, while the model
 * already writes on: clause by clause to text-to-speech, and its audio on to the client.
 */
export class Speaker {
  readonly #scope: AnswerScope
  readonly #plan: ResponsePlan
  #last: Promise<void> = Promise.resolve()
  #spoken = false
  #fault: { error: unknown } | null = null

  constructor (scope: AnswerScope, plan: ResponsePlan) {
    this.#scope = scope
    this.#plan = plan
  }

  /** Says words aloud, after what was queued before. */
  speak (words: AsyncIterable<string>): void {
    this.#queue(() => this.#say(words))
  }

  /** Writes words into a message. */
  write (words: AsyncIterable<string>, message: TextMessage): void {
    this.#queue(async () => {
      for await (const delta of words) {
        this.#scope.signal.throwIfAborted()
        message.write(delta)
      }
      message.end('completed')
    })
  }

  /** Settles when everything is out; rejects with the first fault. */
  done (): Promise<void> {
    return this.#last
  }

  /** Lets the model's side stop as soon as speech has failed. */
  throwIfFailed (): void {
    if (this.#fault !== null) throw this.#fault.error
  }

  #queue (task: () => Promise<void>): void {
    this.#last = this.#last.then(task)
    this.#last.catch(error => { this.#fault ??= { error } })
  }

  async #say (words: AsyncIterable<string>): Promise<void> {
    const { engines: { tts }, output, observer, signal } = this.#scope
    const { engineVoice: voice, speed, character, turn } = this.#plan
    const asked = performance.now()
    let message: AudioMessage | null = null
    const language = character?.instructions.language

    for await (const { text, audio } of tts.synthesize(splitClauses(words), { voice, speed, language, signal })) {
      signal.throwIfAborted()
      message ??= this.#scope.opened(new AudioMessage(output))
      if (!this.#spoken && audio.length > 0) {
        this.#spoken = true
        observer.stage?.('tts_first_audio', (performance.now() - asked) / 1000)
        if (turn !== null) observer.stage?.('first_audio', (performance.now() - turn.endedAt) / 1000)
      }
      message.say(text, audio, Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength))
    }
    signal.throwIfAborted()
    message?.end('completed')
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { createEncoder } from '../audio/formats.js'
import type { AnswerScope } from './answer.js'
import { createSpeakable } from '../speech/speakable.js'
import { splitClauses } from './clauses.js'
import { AudioMessage } from './output-items.js'
import type { ItemStatus } from './events/items.js'
import { ttsOverrides } from './overrides.js'
import type { ResponsePlan } from './response.js'
import { SpokenClauses } from './spoken-clauses.js'

/**
 * Says a response's messages to the client one after another, while the model already writes on: clause by
 * clause to text-to-speech, and its audio on to the client.
 */
export class Speaker {
  readonly #scope: AnswerScope
  readonly #plan: ResponsePlan
  #last: Promise<void> = Promise.resolve()
  #spoken = false

  constructor (scope: AnswerScope, plan: ResponsePlan) {
    this.#scope = scope
    this.#plan = plan
  }

  /**
   * Says words aloud, after what was queued before. Their message opens with its first sound.
   *
   * @param status of the message, asked when the words have ended
   * @returns opens the message now: what follows it in the conversation must not overtake it
   */
  speak (words: AsyncIterable<string>, status: () => ItemStatus): () => void {
    let message: AudioMessage | null = null
    const open = (): AudioMessage => {
      message ??= this.#scope.opened(new AudioMessage(this.#scope.output))
      return message
    }
    this.#queue(async () => {
      await this.#say(words, open)
      message?.end(status())
    })
    return open
  }

  /** Settles when everything is out; rejects with the first fault. */
  done (): Promise<void> {
    return this.#last
  }

  #queue (task: () => Promise<void>): void {
    this.#last = this.#last.then(task)
    this.#last.catch(error => this.#scope.fail(error))
  }

  /** What to wait for while the client does not read what it is sent, or has more to play than it may. */
  #room (message: AudioMessage): Promise<void> | null {
    const { output: { outbox }, aheadMs, signal } = this.#scope
    if (!outbox.roomy) return outbox.room(signal)
    if (aheadMs === Infinity) return null
    const ahead = message.aheadMs - aheadMs
    return ahead > 0 ? sleep(ahead, undefined, { signal }) : null
  }

  async #say (words: AsyncIterable<string>, open: () => AudioMessage): Promise<void> {
    const { engines: { tts }, observer, signal } = this.#scope
    const { engineVoice: voice, speed, character, turn, format } = this.#plan
    const asked = performance.now()
    let message: AudioMessage | null = null
    const language = character?.instructions.language
    const overrides = ttsOverrides(character, tts.name, speed)
    const encoder = createEncoder(format.type)

    try {
      const clauses = new SpokenClauses(await createSpeakable(language ?? null))
      const speech = tts.synthesize(clauses.say(splitClauses(words)), { ...overrides, voice, language, signal })
      for await (const { text, audio } of clauses.tell(speech)) {
        signal.throwIfAborted()
        message = open()
        if (!this.#spoken && audio.length > 0) {
          this.#spoken = true
          observer.stage?.('tts_first_audio', (performance.now() - asked) / 1000)
          if (turn !== null) observer.stage?.('first_audio', (performance.now() - turn.endedAt) / 1000)
        }
        message.say(text, audio, encoder.encode(audio))
        const room = this.#room(message)
        if (room !== null) await room
      }
      signal.throwIfAborted()
      message?.say('', new Int16Array(0), encoder.flush())
    } finally {
      encoder.free()
    }
  }
}

/** Tells what befalls casts: metrics each time, the log once a minute of what is the same. */
import type { SessionFacts } from './character.js'
import { Fault, type FaultCode } from './fault.js'
import { Flood } from './flood.js'
import type { LoadedCharacter } from './loaded-character.js'
import type { Logger } from './logger.js'
import { explain, type FindPositions } from './positions.js'
import { Purged } from './scope.js'
import type { SomeCast } from './some-cast.js'

/** What happens to casts, for metrics. */
export type CharacterEvent =
  /** A cast was loaded, at the start of a session or by a reload. */
  | { type: 'loaded', session: string, directory: string, count: number, errors: number, durationMs: number, reload: boolean }
  /** A file of a cast could not be loaded. */
  | { type: 'load_error', session: string, code: FaultCode }
  /** Prompt, tool, timer or dispose code failed. */
  | { type: 'fault', session: string, code: FaultCode }
  /** A session's cast is gone. */
  | { type: 'purged', session: string, directory: string }
  /** Character code held the event loop where it cannot be interrupted. */
  | { type: 'stuck', character: string, file: string, ms: number }

export class Reports {
  readonly #log: Logger
  readonly #observe: (event: CharacterEvent) => void
  readonly #flood = new Flood()

  /** @param observe must not throw */
  constructor (log: Logger, observe: (event: CharacterEvent) => void) {
    this.#log = log
    this.#observe = observe
  }

  /** A cast is there, with what could not be loaded of it. */
  loaded ({ name, characters, errors }: SomeCast, session: SessionFacts, durationMs: number, reload: boolean): void {
    for (const { code, file, line, column, message } of errors) {
      this.#observe({ type: 'load_error', session: session.id, code })
      this.#tell(`${code} ${name} ${file}:${line}`, { session: session.id, directory: name, file, line, column, code }, message)
    }
    this.#observe({ type: 'loaded', session: session.id, directory: name, count: characters.length, errors: errors.length, durationMs, reload })
  }

  purged (directory: string, session: SessionFacts): void {
    this.#observe({ type: 'purged', session: session.id, directory })
  }

  /** Code failed that was called. */
  fault ({ code, message, place: { line, column } }: Fault, file: string, session: SessionFacts, character: LoadedCharacter | undefined): void {
    this.#observe({ type: 'fault', session: session.id, code })
    this.#tell(`${code} ${file}:${line}`, { session: session.id, character: character?.name, file, line, column, code }, message)
  }

  /** Code held the loop where it could only be seen. */
  stuck (who: { character: string, file: string, line: number | null }, ms: number): void {
    this.#observe({ type: 'stuck', character: who.character, file: who.file, ms })
    this.#tell(`stuck ${who.file}:${who.line}`, { ...who, ms }, 'Character code held the event loop after an await, where it cannot be interrupted')
  }

  /**
   * Something was thrown where nobody catches it. It is a cast's if code of it stands in the stack, or if it was made
   * while such code ran: then it is told, else the answer is false.
   */
  crash (reason: unknown, how: 'rejected' | 'thrown', entered: boolean, find: FindPositions): boolean {
    if (reason instanceof Purged || (reason instanceof Error && reason.cause instanceof Purged)) return true
    const { place, message } = reason instanceof Fault ? reason : explain(reason, find)
    if (place === undefined && !entered) return false
    const what = how === 'rejected' ? 'A promise was rejected and nobody awaits it' : 'It was thrown where nobody catches it'
    this.#tell(`${how} ${place?.file}:${place?.line ?? message}`, { ...place, code: 'execution_error' }, `${what}: ${message}`)
    return true
  }

  #tell (key: string, fields: object, message: string): void {
    const again = this.#flood.count(key)
    if (again !== undefined) this.#log.warn(again === 0 ? fields : { ...fields, again }, message)
  }
}

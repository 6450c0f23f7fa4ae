import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { explain } from '../events/explain.js'
import type { ResponseObject } from '../events/response-object.js'
import type { Spoken } from './dialect.js'

/** What a session and its responses show when a client sets no other; the model is told only of what was set. */
export const DEFAULT_TEMPERATURE = 0.8

const Options = Type.Object({ temperature: Type.Optional(Type.Union([Type.Number({ minimum: 0, maximum: 2 }), Type.Null()])) })
const schemas = { session: Type.Object({ session: Options }), response: Type.Object({ response: Options }) }

/** The sampling temperature of a beta session and of its responses: GA has none, so it is kept beside the core. */
export class Temperature {
  #session: number | null = null
  /** Of the event being handled: it counts once the core has taken the event. */
  #asked: number | null = null
  /** What responses under way were asked to show. */
  readonly #responses = new Map<string, number>()

  /** What `session.update` asked for last; null if it never did. */
  get kept (): number | null {
    return this.#session
  }

  set kept (temperature: number | null) {
    this.#session = temperature
  }

  /** Of the response that is being made: its own, else the session's; undefined if the client set none. */
  get wanted (): number | undefined {
    return this.#asked ?? this.#session ?? undefined
  }

  /** What the session shows. */
  get shown (): number {
    return this.#session ?? DEFAULT_TEMPERATURE
  }

  /** Takes note of what an event asks for. Throws a RealtimeError if it is no temperature. */
  ask (event: Spoken, key: 'session' | 'response'): void {
    this.#asked = null
    const options = event[key]
    if (typeof options !== 'object' || options === null || !('temperature' in options)) return
    const { temperature } = options
    if (!Value.Check(Options, { temperature })) throw explain(schemas[key], { [key]: { temperature } })
    this.#asked = temperature as number | null
  }

  /** The core has refused the event. */
  refused (): void {
    this.#asked = null
  }

  /** The core has taken `session.update`. */
  updated (): void {
    this.#session = this.#asked ?? this.#session
    this.#asked = null
  }

  /** What a response shows. `response.create` is answered before the next event is heard, so what was asked for is this response's. */
  of ({ id, status }: ResponseObject): number {
    if (status === 'in_progress') {
      this.#responses.set(id, this.wanted ?? DEFAULT_TEMPERATURE)
      this.#asked = null
      return this.#responses.get(id)!
    }
    const own = this.#responses.get(id) ?? this.shown
    this.#responses.delete(id)
    return own
  }
}

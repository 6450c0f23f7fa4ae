import { isDeepStrictEqual } from 'node:util'
import type { Client, ConnectOptions, Target } from './client.js'

/** What a check works with. Its clients are closed when it ends. */
export interface Bench {
  readonly target: Target
  /** Connects and reads `session.created`. */
  open (options?: ConnectOptions): Promise<Client>
  /** Connects, and no more. */
  connect (options?: ConnectOptions): Promise<Client>
  /** Somebody speaking for a few seconds: 16-bit mono PCM, 24 kHz. */
  readonly speech: Buffer
}

/** One behaviour that is asked of a server. Throws a {@link Failure}, or {@link NotExercised}. */
export interface Check {
  readonly name: string
  /** Of the protocol reference. */
  readonly section: string
  run (bench: Bench): Promise<void>
}

/** The server did something else. */
export class Failure extends Error {
  readonly expected: string
  readonly got: string
  /** The first frame that differs, if it is one. */
  readonly frame: unknown

  constructor (expected: string, got: string, frame?: unknown) {
    super(`expected ${expected}, got ${got}`)
    this.expected = expected
    this.got = got
    this.frame = frame
  }
}

/** Nothing can be said about the server, because its model did not do what it was asked, or something is missing here. */
export class NotExercised extends Error {}

export function expect (holds: boolean, expected: string, got: unknown, frame?: unknown): asserts holds {
  if (!holds) throw new Failure(expected, show(got), frame)
}

export function equal (got: unknown, wanted: unknown, what: string, frame?: unknown): void {
  expect(isDeepStrictEqual(got, wanted), `${what} ${show(wanted)}`, got, frame)
}

export function show (value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value) ?? String(value)
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

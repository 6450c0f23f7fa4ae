import type { ParseArgsConfig } from 'node:util'

export type CommandOptions = NonNullable<ParseArgsConfig['options']>

type Value<O> = O extends { type: 'boolean' } ? boolean : string

/** What `parseArgs` makes of the options. */
export type Values<O extends CommandOptions> = { [K in keyof O]: O[K] extends { default: any } ? Value<O[K]> : Value<O[K]> | undefined }

export interface Command<O extends CommandOptions = CommandOptions> {
  help: string
  options: O
  /** Resolves with the exit code. Throws a {@link UsageError} for arguments that cannot be meant. */
  run (values: Values<O>, positionals: string[]): Promise<number>
}

/** A command, its values typed by its options. */
export function defineCommand<const O extends CommandOptions> (command: Command<O>): Command<O> {
  return command
}

/** The arguments are wrong: told with the command's help, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was asked for failed in a way that is no fault of the program: told in one line, exit code 1. */
export function fail (message: string): number {
  process.stderr.write(`${message}\n`)
  return 1
}

/** A number that an option gives. Throws a {@link UsageError}. */
export function readNumber (name: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= minimum && value <= maximum)) throw new UsageError(`--${name} must be a number from ${minimum} to ${maximum}, not '${text}'.`)
  return value
}

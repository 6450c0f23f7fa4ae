import { EngineError } from '../../lib/engines/engine.js'

/** All values of a stream, once it has ended. */
export async function collect<T> (values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

/** A stream of these values. */
export async function * stream<T> (...values: T[]): AsyncGenerator<T> {
  yield * values
}

/** The engine error with which a promise rejects. */
export async function faultOf (promise: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await promise.then(() => new Error('It did not fail.'), error => error)
  if (error instanceof EngineError) return error
  throw error
}

import { decode, encode } from '@msgpack/msgpack'

/** What a client of moshi-server says. */
export type ClientMessage =
  | { type: 'Audio', pcm: number[] }
  | { type: 'Marker', id: number }
  | { type: 'Text', text: string }
  | { type: 'Eos' }

/** What moshi-server says, of both services. Times are seconds from the stream's begin. */
export type ServerMessage =
  | { type: 'Ready' }
  | { type: 'Error', message: string }
  | { type: 'Word', text: string, start_time: number }
  | { type: 'EndWord', stop_time: number }
  /** A frame of 80 ms was heard; `prs` is how likely nobody speaks for the next 0.5, 1, 2 and 3 s. */
  | { type: 'Step', step_idx: number, prs: number[] }
  /** All that was sent before the marker was heard. */
  | { type: 'Marker', id: number }
  | { type: 'Audio', pcm: number[] }
  | { type: 'Text', text: string, start_s: number, stop_s: number }

const fields: Record<ServerMessage['type'], (message: Record<string, unknown>) => boolean> = {
  Ready: () => true,
  Error: ({ message }) => typeof message === 'string',
  Word: ({ text, start_time: start }) => typeof text === 'string' && typeof start === 'number',
  EndWord: ({ stop_time: stop }) => typeof stop === 'number',
  Step: ({ prs }) => isNumbers(prs),
  Marker: ({ id }) => typeof id === 'number',
  Audio: ({ pcm }) => isNumbers(pcm),
  Text: ({ text, start_s: start }) => typeof text === 'string' && typeof start === 'number'
}

export function encodeMessage (message: ClientMessage): Uint8Array {
  // Samples are single floats over there.
  return encode(message, { forceFloat32: true })
}

/** @throws SyntaxError for what is no message; null for one of a kind that is not known here */
export function decodeMessage (bytes: Uint8Array): ServerMessage | null {
  let message: unknown
  try {
    message = decode(bytes)
  } catch (error) {
    throw new SyntaxError('no msgpack', { cause: error })
  }
  if (typeof message !== 'object' || message === null || typeof (message as { type?: unknown }).type !== 'string') throw new SyntaxError('no message')
  const { type } = message as { type: string }
  if (!Object.hasOwn(fields, type)) return null
  if (!fields[type as ServerMessage['type']](message as Record<string, unknown>)) throw new SyntaxError(`no ${type} message`)
  return message as ServerMessage
}

function isNumbers (value: unknown): value is number[] {
  return Array.isArray(value) && value.every(one => typeof one === 'number')
}

import type { TokenLogprob, TranscriptChunk } from '../engine.js'

/** What an event of the stream may be; servers other than the hosted one leave out the type. */
interface TranscriptEvent { type?: unknown, delta?: unknown, text?: unknown, logprobs?: unknown, error?: { message?: unknown } }

/**
 * The words of a transcription as they arrive: of an event stream, or of the plain answer of a server that
 * does not stream. An empty delta is a sign of life.
 *
 * @param asked whether the server was asked for log probabilities: else they are not looked at
 * @throws SyntaxError for what is neither
 */
export async function * readTranscript (response: Response, asked: boolean): AsyncGenerator<TranscriptChunk, void, undefined> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const { text, logprobs } = await response.json() as TranscriptEvent
    if (typeof text !== 'string') throw new SyntaxError('no text')
    yield chunk(text.trim(), asked ? readLogprobs(logprobs) : [])
    return
  }

  const { Stream } = await import('openai/streaming')
  let said = ''
  let known = false
  let tokens = 0
  for await (const event of Stream.fromSSEResponse<TranscriptEvent>(response, new AbortController())) {
    if (typeof event !== 'object' || event === null) throw new SyntaxError('no event')
    if (event.error != null) throw new Error(typeof event.error.message === 'string' ? event.error.message : 'an error in the stream')
    const delta = next(event)
    known ||= delta !== undefined
    // Recognisers begin with a space.
    const words = said === '' ? (delta ?? '').trimStart() : delta ?? ''
    said += words
    const logprobs = asked ? readLogprobs(event.logprobs) : []
    // The last event has those of the whole.
    const more = event.type === 'transcript.text.done' ? logprobs.slice(tokens) : logprobs
    tokens += more.length
    yield chunk(words, more)
    if (event.type === 'transcript.text.done') return
  }
  if (!known) throw new SyntaxError('no events')

  function next ({ type, delta, text }: TranscriptEvent): string | undefined {
    if (type === 'transcript.text.delta' && typeof delta === 'string') return delta
    if (type === 'transcript.text.done' && typeof text === 'string') {
      const whole = text.trim()
      // All that was not sent in pieces; what was sent stands.
      return whole.startsWith(said.trimEnd()) ? whole.slice(said.trimEnd().length) : ''
    }
    // A segment without a type, as of speaches.
    if (type === undefined && typeof text === 'string') return said === '' || /^\s/.test(text) ? text : ` ${text}`
  }
}

function chunk (delta: string, logprobs: TokenLogprob[]): TranscriptChunk {
  return logprobs.length === 0 ? { delta } : { delta, logprobs }
}

/** @throws SyntaxError for what is neither nothing nor log probabilities */
function readLogprobs (told: unknown): TokenLogprob[] {
  if (told == null) return []
  if (!Array.isArray(told)) throw new SyntaxError('no log probabilities')
  return told.map((one: Partial<Record<keyof TokenLogprob, unknown>> | null) => {
    const { token, logprob, bytes } = one ?? {}
    if (typeof token !== 'string' || typeof logprob !== 'number') throw new SyntaxError('no log probability')
    // Some servers leave them out.
    return { token, logprob, bytes: Array.isArray(bytes) ? bytes : [...Buffer.from(token)] }
  })
}

/** What an event of the stream may be; servers other than the hosted one leave out the type. */
interface TranscriptEvent { type?: unknown, delta?: unknown, text?: unknown, error?: { message?: unknown } }

/**
 * The words of a transcription as they arrive: of an event stream, or of the plain answer of a server that
 * does not stream. An empty delta is a sign of life.
 *
 * @throws SyntaxError for what is neither
 */
export async function * readTranscript (response: Response): AsyncGenerator<string, void, undefined> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const { text } = await response.json() as { text?: unknown }
    if (typeof text !== 'string') throw new SyntaxError('no text')
    yield text.trim()
    return
  }

  const { Stream } = await import('openai/streaming')
  let said = ''
  let known = false
  for await (const event of Stream.fromSSEResponse<TranscriptEvent>(response, new AbortController())) {
    if (typeof event !== 'object' || event === null) throw new SyntaxError('no event')
    if (event.error != null) throw new Error(typeof event.error.message === 'string' ? event.error.message : 'an error in the stream')
    const delta = next(event)
    known ||= delta !== undefined
    // Recognisers begin with a space.
    const words = said === '' ? (delta ?? '').trimStart() : delta ?? ''
    said += words
    yield words
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

import { StringDecoder } from 'node:string_decoder'

/** An event is as long as this at most. Characters. */
const MAX_EVENT = 1024 * 1024
/** Ends of a line; a CR at the very end may be half of one. */
const LINE_END = /\r\n|\n|\r(?=[^\n])/g

/**
 * The JSON of server-sent events, up to `[DONE]`: those of a chunk together, as each step of an asynchronous
 * iteration costs as much as parsing a token. Reads to the end, so that the connection can be used again.
 *
 * The `openai` client reads such a stream too, through a web stream and four generators, which is a fifth of all work on a token.
 *
 * @throws SyntaxError for what is no JSON, and for an event that does not end
 */
export async function * readEvents (body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown[], void, undefined> {
  const decoder = new StringDecoder()
  let text = ''
  let data: string | null = null
  let done = false

  /** Takes whole lines out of the text. */
  function take (): unknown[] {
    const events: unknown[] = []
    let from = 0
    LINE_END.lastIndex = 0
    for (let end = LINE_END.exec(text); end !== null; end = LINE_END.exec(text)) {
      const line = text.slice(from, end.index)
      from = LINE_END.lastIndex
      if (line.startsWith('data:')) {
        const value = line.slice(line[5] === ' ' ? 6 : 5)
        data = data === null ? value : `${data}\n${value}`
      } else if (line === '' && data !== null) {
        done ||= data.startsWith('[DONE]')
        if (!done) events.push(JSON.parse(data))
        data = null
      }
    }
    text = text.slice(from)
    if (text.length + (data?.length ?? 0) > MAX_EVENT) throw new SyntaxError('an event without an end')
    return events
  }

  for await (const chunk of body) {
    if (done) continue
    text += decoder.write(chunk as Buffer)
    const events = take()
    if (events.length > 0) yield events
  }
  if (done || !text.endsWith('\r')) return
  // It was a whole end after all.
  text += '\n'
  const events = take()
  if (events.length > 0) yield events
}

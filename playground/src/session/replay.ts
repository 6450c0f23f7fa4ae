import type { ClientEvent } from './socket.js'
import { transcript } from './transcript.js'

/** Lines that a new session is told of what was said in the one before. */
const REMEMBERED = 40

/** The conversation so far as items: after a lost connection it goes on where it was. */
export function replay (): ClientEvent[] {
  return transcript.value
    .filter(line => line.kind === 'line')
    .filter(({ text }) => text !== '')
    .slice(-REMEMBERED)
    .map(({ id, who, text }) => ({
      type: 'conversation.item.create',
      item: who === 'user'
        ? { id, type: 'message', role: 'user', content: [{ type: 'input_text', text }] }
        : { id, type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] }
    }))
}

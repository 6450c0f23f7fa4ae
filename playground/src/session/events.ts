import { selected } from './cast.js'
import { beginTurn, markTurn } from './latency.js'
import type { SessionActions } from './session.js'
import type { ServerEvent } from './socket.js'
import { addNote, cutLine, dropLine, findLine, putLine } from './transcript.js'

type Of<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>
type Handlers = { [T in ServerEvent['type']]?: (event: Of<T>, session: SessionActions) => void }

/** What becomes of each event of the server; those that are not here only stand in the log. */
const handlers: Handlers = {
  'session.created' ({ session: { character, engines } }, session) {
    selected.value = character ?? selected.value
    session.engines(engines)
    session.greeted()
  },

  'session.updated' ({ session: { character } }, session) {
    selected.value = character
    session.answered()
  },

  'input_audio_buffer.speech_started' ({ item_id: id }, session) {
    putLine({ kind: 'line', id, who: 'user', name: 'You', text: '', cut: '', state: 'open' })
    session.interrupt().catch(() => {})
  },

  'input_audio_buffer.speech_stopped' ({ audio_end_ms: ms }, session) {
    // The pause that ended the turn was no speech any more.
    beginTurn(session.capturedAt(ms - session.silenceMs()), true)
  },

  'input_audio_buffer.committed' ({ item_id: id }) {
    if (findLine('line', id) === undefined) putLine({ kind: 'line', id, who: 'user', name: 'You', text: '', cut: '', state: 'open' })
  },

  'conversation.item.input_audio_transcription.delta' ({ item_id: id, delta }) {
    const line = findLine('line', id)
    if (line !== undefined) putLine({ ...line, text: line.text + delta })
  },

  'conversation.item.input_audio_transcription.completed' ({ item_id: id, transcript: text }) {
    const line = findLine('line', id)
    if (line === undefined) return
    // A cough is no line.
    if (text.trim() === '') dropLine(id)
    else putLine({ ...line, text, state: 'done' })
  },

  'conversation.item.input_audio_transcription.failed' ({ item_id: id, error }) {
    dropLine(id)
    addNote(`What you said could not be understood: ${error.message}`, true)
  },

  'response.created' (event, session) {
    session.responding(true)
  },

  'response.output_item.added' ({ item }) {
    if (item.type === 'mcp_call') putLine({ kind: 'tool', id: item.id, name: item.name, arguments: item.arguments, output: null, failed: false, state: 'open' })
    if (item.type === 'message') putLine({ kind: 'line', id: item.id, who: 'character', name: selected.value ?? 'Assistant', text: '', cut: '', state: 'open' })
  },

  'response.mcp_call_arguments.done' ({ item_id: id, arguments: args }) {
    const line = findLine('tool', id)
    if (line !== undefined) putLine({ ...line, arguments: args })
  },

  'response.output_item.done' ({ item }, session) {
    if (item.type === 'mcp_call') {
      putLine({ kind: 'tool', id: item.id, name: item.name, arguments: item.arguments, output: item.output ?? item.error?.message ?? '', failed: item.error !== null, state: 'done' })
      return
    }
    session.audioEnd(item.id)
    const line = findLine('line', item.id)
    if (line !== undefined && line.state === 'open') putLine({ ...line, state: item.status === 'incomplete' ? 'interrupted' : 'done' })
  },

  'response.output_audio_transcript.delta' ({ item_id: id, delta }) { write(id, delta) },
  'response.output_text.delta' ({ item_id: id, delta }) { write(id, delta) },

  'response.output_audio.delta' ({ item_id: id, delta }, session) {
    // What was interrupted may still be on its way.
    if (findLine('line', id)?.state === 'interrupted') return
    markTurn('firstAudio')
    session.audio(id, delta)
  },

  'response.done' ({ response: { status, status_details: details } }, session) {
    session.responding(false)
    if (status === 'failed') addNote(`No answer: ${details?.type === 'failed' ? details.error.message : 'something went wrong'}`, true)
  },

  'conversation.item.truncated' ({ item_id: id }, session) {
    // The server knows which words were heard.
    session.send({ type: 'conversation.item.retrieve', item_id: id })
  },

  'conversation.item.retrieved' ({ item }) {
    const line = findLine('line', item.id)
    if (line === undefined || item.type !== 'message' || item.role !== 'assistant') return
    putLine(cutLine(line, item.content.map(part => ('transcript' in part ? part.transcript : undefined) ?? '').join('')))
  },

  error ({ error }) {
    // These two cross with what they are about, and nothing is wrong.
    if (error.code === 'response_cancel_not_active' || error.code === 'item_truncate_invalid_item_id') return
    // Requests about characters tell their errors where they were made.
    if (error.event_id?.startsWith('characters_')) return
    addNote(error.message, true)
  }
}

export function takeEvent (event: ServerEvent, session: SessionActions): void {
  (handlers[event.type] as ((event: ServerEvent, session: SessionActions) => void) | undefined)?.(event, session)
}

function write (id: string, delta: string): void {
  const line = findLine('line', id)
  if (line === undefined) return
  markTurn('firstWord')
  putLine(line.state === 'interrupted' ? { ...line, cut: line.cut + delta } : { ...line, text: line.text + delta })
}
